# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils import _etcd


def member(number, name=None, learner=False):
    return {
        "id": number,
        "name": f"db{number}" if name is None else name,
        "peer_urls": [f"https://db{number}:2380"],
        "client_urls": [f"https://db{number}:2379"],
        "learner": learner,
    }


THREE = [member(1), member(2), member(3)]


def test_what_etcd_leaves_out_is_empty():
    document = {"members": [{"ID": "17982315424534956", "peerURLs": ["https://db4:2380"], "isLearner": True}]}
    expected = {"id": 17982315424534956, "name": "", "client_urls": [], "learner": True}
    assert _etcd.read_members(document) == [expected | {"peer_urls": ["https://db4:2380"]}]
    assert _etcd.read_members({}) == []


@pytest.mark.parametrize("name", ["db3", ""])
def test_a_member_is_found_by_its_address_before_it_has_a_name(name):
    members = [member(1), member(3, name)]
    assert _etcd.find(members, "db3", "https://db3:2380") is members[1]


def test_a_new_host_is_not_found():
    assert _etcd.find(THREE, "db4", "https://db4:2380") is None


@pytest.mark.parametrize(("name", "url"), [("db3", "https://other:2380"), ("db9", "https://db3:2380")])
def test_a_name_or_an_address_of_another_is_refused(name, url):
    with pytest.raises(_etcd.Refusal, match="member db3: found it registered at https://db3:2380; expected"):
        _etcd.find(THREE, name, url)


@pytest.mark.parametrize(
    ("status", "healthy"),
    [
        ({"leader": "5"}, True),
        ({}, False),
        (None, False),
        ({"leader": "0"}, False),
        ({"leader": "5", "errors": ["NOSPACE"]}, False),
        ({"leader": "5", "isLearner": True}, False),
    ],
)
def test_who_takes_part_in_decisions(status, healthy):
    assert _etcd.is_healthy(status) is healthy


@pytest.mark.parametrize(
    ("count", "gone", "healthy"),
    [
        (3, 3, [1, 2]),  # a dead one of three
        (2, 2, [1, 2]),  # of two both must agree
        (5, 5, [1, 2, 3]),  # two dead of five
        (4, 4, [1, 2, 3]),
    ],
)
def test_a_cluster_that_can_decide_lets_one_go(count, gone, healthy):
    members = [member(number) for number in range(1, count + 1)]
    _etcd.check_removal(members, members[gone - 1], healthy, gone in healthy, False)


@pytest.mark.parametrize(
    ("count", "gone", "healthy"),
    [
        (3, 3, [1]),
        (2, 2, [1]),  # a dead one of two cannot be outvoted
        (1, 1, [1]),  # nobody would be left
        (3, 1, [1, 2]),  # well with it, not without it
        (5, 5, [1, 2]),
    ],
)
def test_a_cluster_that_could_not_go_on_keeps_it(count, gone, healthy):
    members = [member(number) for number in range(1, count + 1)]
    with pytest.raises(_etcd.Refusal, match="Nothing was removed"):
        _etcd.check_removal(members, members[gone - 1], healthy, gone in healthy, False)


def test_a_learner_has_no_vote():
    members = [*THREE, member(4, learner=True)]
    assert _etcd.quorum(members) == 2
    _etcd.check_removal(members, members[3], [1, 2], False, True)


def test_a_member_that_answers_has_not_lost_its_data():
    with pytest.raises(_etcd.Refusal, match="db3: found that it answers"):
        _etcd.check_removal(THREE, THREE[2], [1, 2, 3], True, True)


def test_who_takes_part_while_an_alarm_is_raised():
    assert _etcd.takes_part({"leader": "5", "errors": ["alarm:NOSPACE"]})
    assert not _etcd.takes_part({"leader": "0"}) and not _etcd.takes_part({"leader": "5", "isLearner": True})


def test_nobody_is_let_in_while_a_member_with_a_vote_is_away():
    """Those that have lost their data and join in the same run do not count, started or not; nor do learners."""
    members = [*THREE, member(4, ""), member(5, learner=True)]
    _etcd.check_joining(members, [1, 2, 3], "db4", ["https://db4:2380"])
    _etcd.check_joining(members, [1, 2], "db4", ["https://db4:2380", "https://db3:2380"])
    with pytest.raises(_etcd.Unready, match=r"beside db4: found db3 not healthy; .* Nothing has changed\."):
        _etcd.check_joining(members, [1, 2], "db4", ["https://db4:2380"])
    with pytest.raises(_etcd.Unready, match="found 4, which has not started not healthy"):
        _etcd.check_joining(members, [1, 2, 3], "db6", ["https://db6:2380"])


def test_a_member_is_spared_while_all_others_take_part():
    _etcd.check_sparing(THREE, [1, 3], THREE[1], "db2")
    _etcd.check_sparing(THREE[:1], [], THREE[0], "db1")  # there are no others
    _etcd.check_sparing([*THREE, member(4, learner=True)], [1, 3], THREE[1], "db2")
    with pytest.raises(_etcd.Unready, match="beside db2: found db3 without a part .* db2 was not restarted"):
        _etcd.check_sparing(THREE, [1, 2], THREE[1], "db2")


def test_the_heir_is_healthy_and_votes():
    members = [*THREE, member(4, learner=True)]
    assert _etcd.successor(members, members[0], [1, 3, 4]) == 3
    assert _etcd.successor(members, members[0], [1]) is None


def test_a_joining_member_names_those_that_are_there_and_itself():
    members = [member(1), member(4, "")]
    assert _etcd.initial_cluster(members, members[1], "db4") == "db1=https://db1:2380,db4=https://db4:2380"
