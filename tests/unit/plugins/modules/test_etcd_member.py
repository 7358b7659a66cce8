# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils._etcd import Refusal
from ansible_collections.mainstay.platform.plugins.module_utils._etcd_client import Unanswered
from ansible_collections.mainstay.platform.plugins.modules import etcd_member


class Cluster:
    """Members that answer at https://NAME:2379, led by the first; `refusals` is what the next changes are answered."""

    def __init__(self, *names, learners=(), dead=(), refusals=()):
        self.members = dict(enumerate(names, 1))
        self.learners, self.dead, self.refusals, self.said = set(learners), dead, list(refusals), []

    def listed(self):
        return {
            "members": [
                {"ID": str(number), "name": name, "peerURLs": [f"https://{name}:2380"]}
                | ({"isLearner": True} if name in self.learners else {})
                | ({"clientURLs": [f"https://{name}:2379"]} if number < 9 else {"name": ""})
                for number, name in self.members.items()
            ]
        }

    def ask(self, url, path, body, _params):
        name, call = url.split("//")[1].split(":")[0], path.split("/")[-1]
        if name in self.dead:
            raise Unanswered("connection refused")
        if call == "status":
            number = next(key for key, value in self.members.items() if value == name)
            learner = {"isLearner": True} if name in self.learners else {}
            return {"header": {"member_id": str(number)}, "leader": "1", **learner}
        if name in self.learners:
            raise Unanswered("etcdserver: rpc not supported for learner")
        if call == "list":
            return self.listed()
        if self.refusals:
            raise Unanswered(self.refusals.pop(0))
        self.said.append((call, name))
        return getattr(self, call.replace("-", "_"))(body)

    def add(self, body):
        name = body["peerURLs"][0].split("//")[1].split(":")[0]
        self.members[9] = name
        self.learners |= {name} if body["isLearner"] else set()
        return self.listed()

    def promote(self, body):
        self.learners.discard(self.members[int(body["ID"])])
        return {}

    def remove(self, body):
        del self.members[int(body["ID"])]
        return {}

    def transfer_leadership(self, body):
        assert body["targetID"] in map(str, self.members)
        return {}


def ensure(cluster, name, state, **more):
    names = ("db1", "db2", "db3", "db4")
    params = {
        "name": name,
        "peer_url": f"https://{name}:2380",
        "endpoints": [f"https://{item}:2379" for item in names],
        "state": state,
        "lost": False,
        "after": [],
        "joining": [],
        "deadline": 5,
        "check_mode": False,
    }
    ticks = iter(range(100))
    return etcd_member.ensure(params | more, cluster.ask, lambda: next(ticks), lambda _seconds: None)


def test_a_new_member_is_registered_without_a_vote():
    cluster = Cluster("db1", "db2", "db3", dead=["db4"])
    found = ensure(cluster, "db4", "learner")
    assert found["changed"] and cluster.learners == {"db4"}
    assert found["initial_cluster"].endswith("db3=https://db3:2380,db4=https://db4:2380")
    assert not ensure(cluster, "db4", "learner")["changed"]


def test_a_refusal_that_passes_is_waited_for():
    cluster = Cluster("db1", "db2", refusals=["etcdserver: unhealthy cluster"] * 4)
    assert ensure(cluster, "db4", "learner")["changed"]


def test_a_refusal_that_stays_is_said_in_the_words_of_etcd():
    cluster = Cluster("db1", "db2", refusals=["etcdserver: too many learner members in cluster"] * 99)
    with pytest.raises(Unanswered, match="too many learner members in cluster at https://db1:2379"):
        ensure(cluster, "db4", "learner")


def test_a_learner_gets_its_vote_when_it_has_the_data():
    cluster = Cluster("db1", "db2", "db4", learners=["db4"], refusals=["learner which is in sync with leader"] * 3)
    assert ensure(cluster, "db4", "voter")["changed"]
    assert cluster.said == [("promote", "db2")] or cluster.said == [("promote", "db1")]
    assert not ensure(cluster, "db4", "voter")["changed"]


def test_a_member_that_was_removed_gets_no_vote():
    with pytest.raises(Refusal, match="db4: found db1, db2; expected it among them"):
        ensure(Cluster("db1", "db2"), "db4", "voter")


def test_the_leader_hands_over_before_it_goes():
    cluster = Cluster("db1", "db2", "db3")
    found = ensure(cluster, "db1", "absent")
    assert found["healthy"] == ["db1", "db2", "db3"]
    assert cluster.said == [("transfer-leadership", "db1"), ("remove", "db2")]
    assert not ensure(cluster, "db1", "absent")["changed"]


def test_a_dead_member_goes():
    cluster = Cluster("db1", "db2", "db3", dead=["db3"])
    found = ensure(cluster, "db3", "absent", lost=True)
    assert found["changed"] and found["members"] == ["db1", "db2", "db3"] and found["healthy"] == ["db1", "db2"]
    assert list(cluster.members.values()) == ["db1", "db2"]


def test_of_three_one_is_left_when_the_dead_one_goes_first():
    cluster = Cluster("db1", "db2", "db3", dead=["db3"])
    assert ensure(cluster, "db3", "absent", check_mode=True)["changed"]
    with pytest.raises(Refusal, match="Nothing was removed"):
        ensure(cluster, "db2", "absent", check_mode=True)
    assert ensure(cluster, "db2", "absent", check_mode=True, after=["https://db3:2380"])["changed"]
    ensure(cluster, "db3", "absent")
    ensure(cluster, "db2", "absent")
    assert list(cluster.members.values()) == ["db1"]


@pytest.mark.parametrize("lost", ["db4", "db3"])
def test_a_new_member_is_refused_while_a_voter_is_away(lost):
    """New, or one that has lost its data and is known; before anything changes, and without waiting."""
    cluster = Cluster("db1", "db2", "db3", "db5", "db6", dead=["db3", "db5"])
    asked = {"lost": True, "check_mode": True}
    with pytest.raises(Refusal, match=f"beside {lost}: found .*db5 not healthy"):
        ensure(cluster, lost, "absent", joining=[f"https://{lost}:2380"], **asked)
    both = [f"https://{name}:2380" for name in ("db3", "db4", "db5")]
    assert ensure(cluster, lost, "absent", joining=both, **asked)["changed"] is (lost == "db3")
    assert cluster.said == []


def test_a_member_is_spared_when_the_others_are_back():
    cluster = Cluster("db1", "db2", "db3", dead=["db3"])
    assert not ensure(cluster, "db3", "spared")["changed"]
    with pytest.raises(Refusal, match="beside db2: found db3 without a part in decisions"):
        ensure(cluster, "db2", "spared")
    waits = iter([lambda: None, cluster.dead.clear])
    ticks = iter(range(9))
    params = {"name": "db2", "peer_url": "https://db2:2380", "endpoints": ["https://db1:2379"], "state": "spared"}
    params |= {"deadline": 5, "check_mode": False}
    found = etcd_member.ensure(params, cluster.ask, lambda: next(ticks), lambda _seconds: next(waits)())
    assert not found["changed"] and cluster.said == []


def test_a_dry_run_changes_nothing_and_does_not_wait():
    cluster = Cluster("db1", "db2", "db3", "db4", learners=["db4"])
    for state in ("voter", "absent"):
        assert ensure(cluster, "db4", state, check_mode=True)["changed"]
    assert ensure(cluster, "db5", "learner", check_mode=True)["changed"]
    assert cluster.said == []
    with pytest.raises(Unanswered, match="connection refused at https://db1:2379"):
        ensure(Cluster("db1", dead=["db1", "db2", "db3", "db4"]), "db4", "absent", check_mode=True)


def test_silent_members_fail(run_module):
    options = {"name": "db4", "peer_url": "https://db4:2380", "state": "absent", "deadline": 0}
    found = run_module("etcd_member", endpoints=["http://127.0.0.1:9"], **options)
    assert found["failed"] and "connection refused" in found["msg"] and "start the members" in found["msg"]
