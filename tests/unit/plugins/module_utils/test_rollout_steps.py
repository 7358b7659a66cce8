# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""In which steps hosts come to another release, and what is refused."""

from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils import _rollout

HOSTS = ["a", "b", "c"]
GIVEN_HOSTS = [{"name": f"app-{host}", "address": host} for host in HOSTS]


def by_source(address):
    return [{"name": "api", "balance": "source", "servers": [{"name": "one", "address": address}]}]


def sizes(strategy, batch=1, percents=()):
    steps = _rollout.steps(HOSTS, strategy, batch, percents)
    assert [host for step in steps for host in step["hosts"]] == HOSTS
    return [(len(step["hosts"]), step["percent"]) for step in steps]


@pytest.mark.parametrize(
    ("batch", "expected"),
    [(1, [1, 1, 1]), ("2", [2, 1]), ("34%", [2, 1]), ("100%", [3]), (9, [3]), ("1%", [1, 1, 1])],
)
def test_batches(batch, expected):
    assert [size for size, _percent in sizes("rolling", batch)] == expected


def test_a_canary_has_as_many_hosts_as_its_percentage_needs():
    assert sizes("canary", percents=[5, 25, 50, 100]) == [(1, 5), (0, 25), (1, 50), (1, 100)]


@pytest.mark.parametrize(
    ("begun", "expected"),
    [
        ([], [(["a"], 5), ([], 25), (["b"], 50), (["c"], 100)]),
        (["b"], [(["b"], 5), ([], 25), (["a"], 50), (["c"], 100)]),
        # Steps for fewer hosts than have begun would leave the old release fewer hosts than they are made for.
        (["c", "a"], [(["a", "c"], 50), (["b"], 100)]),
        (["a", "b", "c"], [(["a", "b", "c"], 100)]),
    ],
)
def test_a_canary_that_was_killed_goes_on(begun, expected):
    found = _rollout.steps(HOSTS, "canary", 1, [5, 25, 50, 100], begun)
    assert [(step["hosts"], step["percent"]) for step in found] == expected
    assert _rollout.steps(HOSTS, "rolling", 2, [], begun) == _rollout.steps(HOSTS, "rolling", 2, [])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"strategy": "blue"}, "app_strategy: found 'blue', expected rolling"),
        ({"batch": 0}, "app_batch: found 0"),
        ({"batch": "101%"}, "app_batch: found '101%'"),
        ({"batch": "half"}, "app_batch: found 'half'"),
        ({"strategy": "canary", "canary_steps": []}, "app_canary_steps: found none"),
        ({"strategy": "canary", "canary_steps": [50, 25, 100]}, "that rise and end with 100"),
        ({"strategy": "canary", "canary_steps": [0, 100]}, "that rise and end with 100"),
        ({"strategy": "canary", "canary_steps": [5, 50]}, "that rise and end with 100"),
        ({"strategy": "canary", "canary_steps": ["5%", 100]}, "whole percentages"),
        ({"strategy": "canary", "backends": by_source("a")}, "backend api with balance source"),
    ],
)
def test_what_cannot_work_is_refused(changes, says):
    given = {"strategy": "rolling", "batch": 1, "canary_steps": [5, 100], **changes}
    (problem,) = _rollout.problems(given, GIVEN_HOSTS)
    assert says in problem


def test_balance_by_source_is_no_matter_without_a_canary():
    given = {"strategy": "rolling", "batch": 1, "canary_steps": [100], "backends": by_source("a")}
    assert _rollout.problems(given, GIVEN_HOSTS) == []
    given.update(strategy="canary", backends=by_source("of somebody else"))
    assert _rollout.problems(given, GIVEN_HOSTS) == []


def test_a_canary_on_one_host_is_refused_and_what_can_work_is_not():
    given = {"strategy": "canary", "batch": "25%", "canary_steps": [5, 100]}
    assert _rollout.problems(given, GIVEN_HOSTS) == []
    assert "two or more" in _rollout.problems(given, GIVEN_HOSTS[:1])[0]


@pytest.mark.parametrize(("percent", "new", "old"), [(5, 1, 2), (25, 1, 2), (50, 2, 1), (1, 1, 9), (99, 3, 1)])
def test_weights_give_the_new_release_its_share(percent, new, old):
    one, other = _rollout.shares(percent, new, old)
    assert 1 <= one <= 256 and 1 <= other <= 256
    assert new * one / (new * one + old * other) == pytest.approx(percent / 100, abs=0.01)


def test_servers_of_all_backends_get_their_weights():
    backends = [{"name": "api", "servers": [{"name": host, "address": host} for host in HOSTS]}]
    found = _rollout.edge_shares(backends, ["a"], 50)
    assert found == [
        {"backend": "api", "server": "a", "weight": 100},
        {"backend": "api", "server": "b", "weight": 50},
        {"backend": "api", "server": "c", "weight": 50},
    ]
    assert [item["weight"] for item in _rollout.edge_shares(backends, ["a"], 0)] == [0, 1, 1]
    assert [item["weight"] for item in _rollout.edge_shares(backends, HOSTS, 0)] == [1, 1, 1]


def test_a_second_set_has_no_part_in_weights():
    """It stands by, or all clients go to it at once."""
    servers = [{"name": host, "address": host} for host in HOSTS]
    servers += [{"name": f"{host}-green", "address": host, "standby": True} for host in HOSTS]
    found = _rollout.edge_shares([{"name": "api", "servers": servers}], ["a", "b"], 0)
    assert [(item["server"], item["weight"]) for item in found] == [("a", 0), ("b", 0), ("c", 1)]


def test_clients_turn_over_to_who_is_told_first():
    servers = [{"name": host, "address": host} for host in "ab"]
    servers += [{"name": f"{host}-green", "address": host, "standby": True} for host in "ab"]
    backends = [{"name": "api", "servers": servers}]

    def turned(*arguments):
        return [(item["server"], item["state"]) for item in _rollout.colours(backends, *arguments)]

    assert turned(True, ["a", "b"]) == [("a-green", "ready"), ("b-green", "ready"), ("a", "drain"), ("b", "drain")]
    assert turned(False, ["b"]) == [("b", "ready"), ("a-green", "drain"), ("b-green", "drain")]


def test_everything_is_even_at_the_end():
    assert _rollout.shares(100, 2, 1) == _rollout.shares(50, 3, 0) == (1, 1)


def test_who_is_left_to_serve_is_on_another_host():
    """Two instances of one host are gone together."""
    servers = [{"name": f"{host}-{number}", "address": host} for host in "ab" for number in (1, 2)]
    servers += [{"name": "a-green", "address": "a", "standby": True}]
    hosts = GIVEN_HOSTS[:2]

    def left(*batches):
        backends = [{"name": "api", "servers": servers}]
        return _rollout.others(backends, hosts, [{"hosts": list(batch), "percent": 0} for batch in batches])

    assert left(["app-a"], [], ["app-b"]) == [["api/b-1", "api/b-2"], ["api/a-1", "api/a-2"]]
    assert left(["app-a", "app-b"]) == []


@pytest.mark.parametrize(
    ("leaving", "busy", "left"),
    [
        (["a:80"], [], [["api/a-2", "api/b-1", "api/b-2", "api/b-green"]]),
        (["a:80"], ["b"], [["api/a-2"]]),
        # Two at once, while the other host is changed as well: there is nobody by design.
        (["a:80", "a:81"], ["b"], []),
        (["c:80"], [], []),
    ],
)
def test_who_is_left_to_serve_while_some_leave(leaving, busy, left):
    servers = [
        {"name": f"{host}-{number + 1}", "address": host, "port": 80 + number} for host in "ab" for number in (0, 1)
    ]
    servers += [{"name": "b-green", "address": "b", "port": 1080, "standby": True}]
    assert _rollout.rest([{"name": "api", "servers": servers}], leaving, busy) == left


@pytest.mark.parametrize(
    ("instances", "batches", "found"),
    [
        (1, [["app-a"], ["app-b"]], []),
        (1, [["app-a", "app-b"]], ["api"]),
        # One after the other on each host.
        (2, [["app-a", "app-b"]], []),
        (1, [[], []], []),
    ],
)
def test_a_batch_that_leaves_nobody_is_found(instances, batches, found):
    hosts = GIVEN_HOSTS[:2]
    servers = [{"name": f"{host}-{n}", "address": host, "port": n} for host in "ab" for n in range(instances)]
    servers += [{"name": "green", "address": "a", "port": 9, "standby": True}]
    given = [{"hosts": batch, "percent": 0} for batch in batches]
    assert _rollout.interrupted([{"name": "api", "servers": servers}], hosts, given) == found
    alone = [{"name": "api", "servers": servers[:1]}]
    assert _rollout.interrupted(alone, hosts, [{"hosts": ["app-a"], "percent": 0}]) == ["api"]
