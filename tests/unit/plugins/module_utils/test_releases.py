# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Releases: their names, which one a host is to run, and what is remembered."""

from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils import _releases, _services

DEFAULTS = {"limits": {}, "health": {}, "restart": {}}


def record(release, result="live", images=None):
    return {"release": release, "result": result, "images": images or {release: f"id-{release}"}, "instances": []}


A, B, C = (record(f"{tag}-00000000") for tag in "123")


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("registry.example:5000/team/api:1.2.3", "1.2.3"),
        ("api@sha256:0123456789abcdef", "0123456789ab"),
        ("registry.example:5000/api", ""),
    ],
)
def test_the_tag_of_an_image(image, tag):
    assert _releases.tag(image) == tag


def name(images=None, **changes):
    return _releases.release_name([{"name": "api", "image": "api:1", **changes}], DEFAULTS, images or {})


def test_a_name_changes_with_everything_that_makes_a_release():
    names = {name(), name(environment={"A": "b"}), name(image="api:2"), name(instances=2), name({"api:1": "sha256:2"})}
    assert len(names) == 5
    assert name().startswith("1-") and name() == name()


@pytest.mark.parametrize(
    ("records", "wanted", "act", "to", "release", "previous", "rolls"),
    [
        ([], A, "site", "", A, None, True),
        ([A], A, "site", "", A, None, False),
        ([A], B, "site", "", B, A, True),
        # Killed: it goes on, and goes back to what was live.
        ([A, record(B["release"], "started")], B, "site", "", B, A, True),
        # Backed out, or left by a rollback: the site keeps what is live, a deployment does not.
        ([A, record(B["release"], "failed")], B, "site", "", A, None, False),
        ([A, record(B["release"], "failed")], B, "deploy", "", B, A, True),
        ([A, record(B["release"], "left"), A], B, "site", "", A, None, False),
        ([A, record(B["release"], "left"), A], C, "site", "", C, A, True),
        ([A, B], B, "rollback", "", A, B, True),
        ([A, B, C], C, "rollback", "", B, C, True),
        ([A, B, C], C, "rollback", A["release"], A, C, True),
        ([A, B, C], C, "rollback", "1", A, C, True),
        ([A, record(B["release"], "left"), A], B, "rollback", "2", B, A, True),
        ([A, record(B["release"], "failed"), C], C, "rollback", "", A, C, True),
        # Out of a killed run to what is live, and on with a killed rollback.
        ([A, B, record(C["release"], "started")], C, "rollback", "", B, None, True),
        ([A, B, C, {**record(A["release"], "started"), "act": "rollback"}], C, "rollback", "", A, C, True),
    ],
)
def test_what_a_host_is_to_run(records, wanted, act, to, release, previous, rolls):
    found = _releases.plan(records, wanted["release"], act, to)
    assert found["problem"] == ""
    assert (found["release"], found["rolls"]) == (release["release"], rolls)
    assert found["previous"].get("release") == (previous["release"] if previous else None)
    assert bool(found["record"]) == (act == "rollback" or release is not wanted)


@pytest.mark.parametrize(
    ("records", "to", "says"),
    [
        ([], "", "found no release before the first, expected one of (none)"),
        ([A], "", "found no release before 1-00000000, expected one of 1-00000000"),
        ([A, record(B["release"], "failed"), C], "2", "found no release 2, expected one of 1-00000000, 3-00000000"),
    ],
)
def test_a_rollback_to_nothing_is_refused(records, to, says):
    assert says in _releases.plan(records, "x", "rollback", to)["problem"]


def made(*marks, image="id"):
    """A release with instances that carry these marks."""
    instances = [{"image": "api:1", "container": {"labels": {"mainstay.config": mark}}} for mark in marks]
    return {"images": {"api:1": image}, "instances": instances}


@pytest.mark.parametrize(
    ("there", "wanted", "live", "begun"),
    [
        ([("old", "id"), ("same", "id")], made("new", "same"), made("old", "same"), False),
        ([("new", "id"), ("same", "id")], made("new", "same"), made("old", "same"), True),
        ([("new", "id")], made("new"), {}, True),
        ([(None, "id"), ("by hand", "id")], made("new"), made("old"), False),
        # Another image under the same tag, with the same settings.
        ([("same", "first")], made("same", image="second"), made("same", image="first"), False),
        ([("same", "second")], made("same", image="second"), made("same", image="first"), True),
        ([], made("new"), made("old"), False),
    ],
)
def test_a_host_has_begun_where_a_container_is_of_the_new_release_only(there, wanted, live, begun):
    containers = [{"Labels": {"mainstay.config": mark} if mark else None, "ImageID": image} for mark, image in there]
    assert _releases.begun(containers, wanted, live) is begun


def test_ports_that_are_published_are_those_of_containers_that_run():
    shown = [[{"PrivatePort": 80, "PublicPort": 8001}, {"PrivatePort": 90}], [], None, [{"PublicPort": 8000}]]
    assert _services.published_ports([{"Ports": ports} for ports in shown]) == [8000, 8001]


def results(records):
    return [(item["release"][0], item["result"]) for item in records]


def test_what_was_begun_is_replaced_by_what_came_of_it():
    begun = _releases.recorded([A], record(B["release"], "started"), 5)
    assert results(begun) == [("1", "live"), ("2", "started")]
    assert results(_releases.recorded(begun, B, 5)) == [("1", "live"), ("2", "live")]


def test_what_is_known_already_is_not_written_again():
    assert _releases.recorded([A, B], {**B, "at": "later"}, 5) == [A, B]
    failed = record(C["release"], "failed")
    assert _releases.recorded([A, failed], A, 5) == [A, failed]
    other = record(B["release"], images={"api:2": "another"})
    assert len(_releases.recorded([A, B], other, 5)) == 3


def test_a_rollback_marks_what_it_leaves():
    begun = _releases.recorded([A, B], record(A["release"], "started"), 5)
    found = _releases.recorded(begun, A, 5, left=B["release"])
    assert results(found) == [("1", "live"), ("2", "left"), ("1", "live")]


def test_old_releases_go_and_the_live_one_stays():
    many = [A, *(record(f"{number}-0", "failed") for number in range(5))]
    found = _releases.recorded(many, record("9-0", "failed"), 2)
    assert results(found) == [("1", "live"), ("4", "failed"), ("9", "failed")]
    assert _releases.forgotten(many, found) == ["id-0-0", "id-1-0", "id-2-0", "id-3-0"]
    assert len(_releases.recorded([A], B, 1)) == 2  # one to go back to


def test_nothing_is_forgotten_while_a_release_is_on_its_way():
    """Its images would go before anybody knows whether it is good."""
    begun = _releases.recorded([A, B], record(C["release"], "started"), 2)
    assert results(begun) == [("1", "live"), ("2", "live"), ("3", "started")]
    assert results(_releases.recorded(begun, C, 2)) == [("2", "live"), ("3", "live")]


def test_what_a_killed_run_began_has_failed_when_the_live_release_stays():
    killed = [A, B, record(C["release"], "started")]
    assert results(_releases.recorded(killed, B, 5)) == [("1", "live"), ("2", "live"), ("3", "failed")]
    begun = _releases.recorded(killed, record(B["release"], "started"), 5)
    found = _releases.recorded(begun, B, 5, left=B["release"])
    assert results(found) == [("1", "live"), ("2", "live"), ("3", "failed"), ("2", "live")]
    assert _releases.plan(found, C["release"], "rollback")["release"] == A["release"]


def test_failures_push_out_nothing_that_lived():
    many = [A, *(record(f"{number}-0", "failed") for number in range(2, 6))]
    assert ("1", "live") in results(_releases.recorded(many, record("6-0"), 5))
    left = [A, *(record(f"{number}-0", "left") for number in range(2, 6)), B]
    assert A in _releases.kept(left, 2)


def going(to, live="", rolls=True):
    return {"release": to, "live": live, "rolls": rolls}


@pytest.mark.parametrize(
    ("plans", "strategy", "says"),
    [
        ({"app1": going("2", "1"), "app2": going("2", "1")}, "blue_green", None),
        ({"app1": going("1", "1", False), "app2": going("1")}, "rolling", None),  # a new host joins what is live
        ({"app2": going("1", "1", False)}, "blue_green", None),  # a repair of one host
        ({"app1": going("2", "1"), "app2": going("1", "1", False)}, "rolling", "2 (app1) or 1 (app2)"),
        ({"app1": going("2", "1"), "app2": going("2")}, "rolling", "app2 without a release while the others leave 1"),
        ({"app2": going("2", "1")}, "rolling", "a run without app1"),
        ({"app1": going("2", "1")}, "blue_green", "a run without app2"),
    ],
)
def test_hosts_that_cannot_go_together_are_refused(plans, strategy, says):
    found = "; ".join(_releases.conflicts(plans, ["app1", "app2"], strategy))
    assert (says in found) if says else not found
