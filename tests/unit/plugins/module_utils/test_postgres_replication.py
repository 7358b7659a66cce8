# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import copy

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils._postgres_replication import judge_cluster, judge_server

LIMITS = {
    "members": ["db1", "db2"],
    "max_lag_bytes": 1000,
    "min_sync": 0,
    "allow_pause": False,
    "max_lag_seconds": 30,
    "max_slot_bytes": 5000,
}
# As Patroni 4.0 answers; 3.0 says running for a replica that streams.
CLUSTER = {
    "members": [
        {"name": "db1", "role": "leader", "state": "running", "timeline": 3},
        {"name": "db2", "role": "replica", "state": "streaming", "timeline": 3, "lag": 10},
    ],
    "scope": "t",
}
STREAM = [{"application_name": "db2", "state": "streaming"}]


def judged(replica=None, cluster=None, limits=None, replication=tuple(STREAM), error=""):
    view = copy.deepcopy({**CLUSTER, **(cluster or {})})
    view["members"][-1].update(replica or {})
    views = [
        {"url": "https://db1:8008", "error": "", "cluster": view},
        {"url": "https://db2:8008", "error": error, "cluster": None if error else view},
    ]
    return judge_cluster(views, replication, {**LIMITS, **(limits or {})})


@pytest.mark.parametrize("changes", [{}, {"state": "running"}, {"role": "sync_standby"}, {"lag": 1000}])
def test_a_healthy_cluster(changes):
    found = judged(changes)
    assert (found["problems"], found["leader"]) == ([], "db1")


def test_evidence():
    assert judged()["evidence"] == "leader db1 on timeline 3, 1 replicas with at most 10 bytes of lag, 0 synchronous"


def test_a_cluster_of_one():
    view = {"url": "u", "error": "", "cluster": {"members": CLUSTER["members"][:1]}}
    assert judge_cluster([view], [], {**LIMITS, "members": ["db1"]})["problems"] == []


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"replica": {"lag": 1001}}, "found a lag of 1001 bytes; expected at most 1000"),
        ({"replica": {"lag": "unknown"}}, "found lag unknown"),
        ({"replica": {"timeline": 2}}, "found timeline 2; expected 3 of db1"),
        ({"replica": {"state": "start failed"}}, "found state start failed"),
        ({"replica": {"role": "leader"}}, "leader: found db1, db2; expected exactly one"),
        ({"cluster": {"members": CLUSTER["members"][1:]}}, "leader: found none"),
        ({"cluster": {"pause": True}}, "cluster: found paused"),
        ({"limits": {"members": ["db1", "db2", "db3"]}}, "member db3: found nothing"),
        ({"limits": {"members": ["db1"]}}, "member db2: found in the cluster; expected only db1"),
        ({"limits": {"min_sync": 1}}, "synchronous replicas: found 0; expected at least 1"),
        ({"replication": []}, "replica db2: found no stream from the leader"),
        ({"replication": None}, "leader: found no answer about its replicas"),
        ({"error": "connection refused"}, "Patroni at https://db2:8008: found connection refused"),
    ],
)
def test_each_fault_is_named(arguments, message):
    found = judged(**arguments)["problems"]
    assert len(found) == 1
    assert message in found[0]


def test_nobody_answers():
    found = judge_cluster([{"url": "u", "error": "refused", "cluster": None}], None, LIMITS)
    assert len(found["problems"]) == 1 and found["leader"] == ""


SLOT = {"name": "db2", "active": True, "wal_status": "reserved", "retained_bytes": 10}
PRIMARY = {
    "in_recovery": False,
    "receiver": "",
    "lag_seconds": None,
    "replicas": [{"name": "db2", "lag_seconds": 1.5}],
    "slots": [SLOT],
}
REPLICA = {"in_recovery": True, "receiver": "streaming", "lag_seconds": 0.0, "replicas": [], "slots": []}


@pytest.mark.parametrize("server", [PRIMARY, REPLICA, {**PRIMARY, "replicas": [], "slots": []}])
def test_healthy_servers(server):
    assert judge_server(server, LIMITS)["problems"] == []


@pytest.mark.parametrize(
    "server, message",
    [
        ({**PRIMARY, "replicas": [{"name": "db2", "lag_seconds": 31.0}]}, "replica db2: found it 31.0 s behind"),
        (
            {**PRIMARY, "slots": [{**SLOT, "retained_bytes": 5001, "active": False}]},
            "found it inactive and holding 5001 bytes",
        ),
        ({**PRIMARY, "slots": [{**SLOT, "wal_status": "lost"}]}, "found its WAL lost"),
        ({**REPLICA, "receiver": None}, "found its WAL receiver stopped"),
        ({**REPLICA, "lag_seconds": 40.0}, "this replica: found it 40.0 s behind"),
    ],
)
def test_faults_of_a_server(server, message):
    found = judge_server(server, LIMITS)["problems"]
    assert len(found) == 1
    assert message in found[0]
