# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import copy

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils._redis_replication import judge

A, B = "192.0.2.1:6379", "192.0.2.2:6379"
LIMITS = {"max_lag_bytes": 100, "max_lag_seconds": 10}
SERVERS = [
    {
        "server": A,
        "reachable": True,
        "role": "master",
        "master": "",
        "offset": 1000,
        "replicas": [{"replica": B, "state": "online", "offset": 990, "lag": 1}],
    },
    {"server": B, "reachable": True, "role": "replica", "master": A, "link": "up", "offset": 990, "replicas": []},
]
SENTINEL = {
    "sentinel": "s1",
    "reachable": True,
    "master": A,
    "flags": "master",
    "quorum": "OK 1 usable",
    "sentinels": 1,
    "replicas": 1,
}


def problems(servers=None, sentinel=None, seen=None):
    """The problems of a healthy group with changes to the replica, the Sentinel or the master's view of the replica."""
    group = copy.deepcopy(SERVERS)
    group[1].update(servers or {})
    group[0]["replicas"][0].update(seen or {})
    return judge(group, [{**SENTINEL, **(sentinel or {})}], LIMITS)["problems"]


def test_a_healthy_group():
    found = judge(SERVERS, [SENTINEL], LIMITS)
    assert (found["problems"], found["master"], found["lag_bytes"], found["lag_seconds"]) == ([], A, 10, 1)
    assert (
        found["evidence"]
        == f"master {A}, 1 of 1 replicas follow with at most 10 bytes and 1 s of lag, 1 of 1 Sentinels agree"
    )


def test_one_server_without_sentinels():
    found = judge([{**SERVERS[0], "replicas": []}], [], LIMITS)
    assert (found["problems"], found["evidence"]) == ([], f"master {A}, 0 of 0 replicas follow")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"servers": {"link": "down"}}, "found its link down; expected up"),
        ({"servers": {"master": "192.0.2.9:6379"}}, f"found master 192.0.2.9:6379; expected {A}"),
        ({"servers": {"role": "master"}}, f"masters: found {A}, {B}; expected exactly one"),
        (
            {"servers": {"reachable": False, "error": "e", "kind": "auth"}},
            "found no answer (e); expected one; give the user",
        ),
        ({"seen": {"offset": 800}}, "found a lag of 200 bytes; expected at most 100"),
        ({"seen": {"lag": 11}}, "found its last answer 11 s old; expected at most 10"),
        ({"seen": {"state": "wait_bgsave"}}, "found state wait_bgsave; expected online"),
        ({"seen": {"replica": "10.0.0.9:6379"}}, "found no entry for it"),
        ({"sentinel": {"master": ""}}, "found no master of this name"),
        ({"sentinel": {"master": B}}, f"found master {B}; expected {A}"),
        ({"sentinel": {"flags": "master,s_down"}}, "flags master,s_down"),
        ({"sentinel": {"quorum": "NOQUORUM"}}, "found quorum 'NOQUORUM'; expected OK"),
        ({"sentinel": {"sentinels": 4}}, "found 4 Sentinels; expected 1"),
        ({"sentinel": {"replicas": 0}}, "found 0 replicas; expected 1"),
    ],
)
def test_each_fault_is_named(change, message):
    found = problems(**change)
    assert len(found) == 1
    assert message in found[0]
