# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a cluster comes from what its nodes say to what is wanted, and what is refused on the way.

It is longer than others because the same cluster of six is read, judged and planned.
"""

from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils import _redis_cluster as cluster


def servers(*numbers):
    return [f"192.0.2.{number}:6379" for number in numbers]


def wanted(members, replicas=1, leaving=()):
    return {"members": servers(*members), "leaving": servers(*leaving), "replicas": replicas, "imbalance": 5}


def new(*numbers):
    return {
        "nodes": {server: cluster.new_node(server) for server in servers(*numbers)},
        "dead": [],
        "open": False,
        "digest": "",
    }


def walk(found, target):
    """The cluster after all steps of a plan. No step may lose a slot, or do to a server what Redis would refuse."""
    steps = cluster.plan(found, target)
    for step in steps:
        before, node = held(found), found["nodes"].get(step["server"])
        if step["do"] == "forget" and node and node["id"] == step["id"]:
            assert not node["slots"] and step["server"] not in followed(found), step
        if step["do"] == "follow":
            assert not node["slots"] and step["server"] not in followed(found), step
            assert found["nodes"][step["other"]]["role"] == "master", step
        if step["do"] == "promote":
            assert node["master"] == step["other"], step
        found = cluster.after(found, step)
        assert held(found) >= before, step
    return found, steps


def held(found):
    return sum(len(node["slots"]) for node in found["nodes"].values())


def followed(found):
    return {node["master"] for node in found["nodes"].values() if node["master"]}


def assert_whole(found, target):
    """Every slot once, in even numbers; every master with its replicas; whoever left knows nobody."""
    nodes = found["nodes"]
    masters = [server for server in target["members"] if nodes[server]["slots"]]
    assert len(masters) == cluster.target_masters(target)
    sizes = [len(nodes[server]["slots"]) for server in masters]
    assert sum(sizes) == cluster.SLOTS == len(set().union(*(nodes[server]["slots"] for server in masters)))
    assert max(sizes) - min(sizes) <= max(sizes) * 0.06
    for master in masters:
        assert len([s for s in target["members"] if nodes[s]["master"] == master]) >= target["replicas"], master
    assert {nodes[server]["role"] for server in target["leaving"] if server in nodes} <= {"fresh"}
    assert cluster.plan(found, target) == []


def made(count, replicas=1):
    target = wanted(range(1, count + 1), replicas)
    found, _steps = walk(new(*range(1, count + 1)), target)
    assert_whole(found, target)
    return found


@pytest.mark.parametrize(("count", "replicas"), [(6, 1), (7, 1), (8, 1), (9, 2), (11, 2), (12, 3)])
def test_a_cluster_is_made_of_hosts_that_have_nothing(count, replicas):
    made(count, replicas)


def test_the_first_hosts_of_the_inventory_begin_as_masters():
    masters = [server for server, node in made(6)["nodes"].items() if node["slots"]]
    assert masters == servers(1, 2, 3)


@pytest.mark.parametrize("count", range(1, 12))
def test_a_creation_that_was_killed_goes_on(count):
    target = wanted(range(1, 7))
    found = new(*range(1, 7))
    for step in cluster.plan(found, target)[:count]:
        found = cluster.after(found, step)
    found, _steps = walk(found, target)
    assert_whole(found, target)


def add(found, *numbers):
    return {**found, "nodes": {**found["nodes"], **new(*numbers)["nodes"]}}


@pytest.mark.parametrize(
    ("count", "replicas", "members", "more"),
    [
        (6, 1, range(1, 8), 1),
        (6, 1, range(1, 9), 1),
        (7, 1, range(1, 9), 1),
        (6, 1, range(1, 13), 1),
        (6, 1, range(1, 10), 2),
        (9, 2, range(1, 10), 1),
    ],
)
def test_hosts_join_and_replicas_change(count, replicas, members, more):
    target = wanted(members, more)
    found, _steps = walk(add(made(count, replicas), *range(count + 1, max(members) + 1)), target)
    assert_whole(found, target)


def test_a_host_that_makes_no_master_moves_no_slot():
    _found, steps = walk(add(made(6), 7), wanted(range(1, 8)))
    assert [step["do"] for step in steps] == ["meet", "follow"]


@pytest.mark.parametrize(
    ("count", "leaving"),
    [
        (12, (1, 2, 3, 4, 5, 6)),
        (8, (1, 2)),
        (8, (7, 8)),
        (8, (1, 5)),
        (8, (5, 6)),
        (7, (1,)),
        (7, (7,)),
        (12, (1, 2, 3, 7, 8, 9)),
        (9, (1, 4)),
    ],
)
def test_hosts_leave(count, leaving):
    members = [number for number in range(1, count + 1) if number not in leaving]
    target = wanted(members, 1, leaving)
    found, _steps = walk(made(count), target)
    assert_whole(found, target)


def test_a_master_that_leaves_and_is_not_over_hands_its_slots_to_its_replica():
    _found, steps = walk(made(7), wanted(range(2, 8), 1, [1]))
    assert [step["do"] for step in steps] == ["promote", "forget"]
    assert (steps[0]["server"], steps[0]["other"]) == (*servers(4), *servers(1))


def test_a_host_takes_the_place_of_one_that_leaves_in_one_run():
    target = wanted([2, 3, 4, 5, 6, 7], 1, [1])
    found, steps = walk(add(made(6), 7), target)
    assert_whole(found, target)
    assert not [step for step in steps if step["do"] in ("drain", "balance")], "no slot moves"


def test_all_of_a_part_may_leave_at_once_when_others_join():
    target = wanted([2, 3, 5, 6, 7, 8], 1, [1, 4])
    found, _steps = walk(add(made(6), 7, 8), target)
    assert_whole(found, target)


def test_a_failover_is_not_undone():
    found = made(6)
    found = cluster.after(
        found, {"do": "promote", "server": servers(4)[0], "other": servers(1)[0], "id": "", "slots": ""}
    )
    assert cluster.plan(found, wanted(range(1, 7))) == []


# What nodes say.

NODES = """\
aaa1 192.0.2.1:6379@16379 myself,master - 0 1 1 connected 0-5460
aaa2 192.0.2.2:6379@16379,,shard-id=1 master - 0 1 2 connected 5461-10922
aaa3 192.0.2.3:6379@16379 master - 0 1 3 connected 10923-16382 16383
aaa4 192.0.2.4:6379@16379 slave aaa1 0 1 1 connected
aaa5 192.0.2.5:6379@16379 slave aaa2 0 1 2 connected
aaa6 192.0.2.6:6379@16379 slave aaa3 0 1 3 connected
"""
EMPTY = "aaa{0} 192.0.2.{0}:6379@16379 myself,master - 0 0 0 connected\n"


def row(number, text=NODES, **more):
    view = cluster.parse_nodes(text)
    own = view.get(f"aaa{number}", {"role": "master"})
    replica = own["role"] == "replica"
    return {
        "server": servers(number)[0],
        "reachable": True,
        "error": "",
        "kind": "",
        "enabled": True,
        "role": own["role"],
        "keys": 7,
        "link": "up" if replica else "",
        "master": "192.0.2.1:6379" if replica else "",
        "offset": 100,
        "replicas": [],
        "id": f"aaa{number}",
        "state": "ok",
        "view": view,
        **more,
    }


def silent(number, kind="refused", error="connection refused"):
    return {"server": servers(number)[0], "reachable": False, "error": error, "kind": kind, "enabled": False}


def rows(**changed):
    """Those of six nodes; rN replaces one."""
    return [changed.get(f"r{number}") or row(number) for number in range(1, 7)]


SIX = wanted(range(1, 7))


def test_nodes_are_read():
    found = cluster.parse_nodes(
        NODES
        + "bbb1 2001:db8::1:6379@16379 slave,fail? aaa1 0 1 1 connected\n"
        + "bbb2 :0@0 master,noaddr,fail - 0 1 1 disconnected\n"
        + "bbb3 192.0.2.9:6379@16379 handshake - 0 0 0 connected\n"
        + "bbb4 192.0.2.8:6379@16379 master - 0 0 0 connected 1 [5->-aaa1] [6-<-aaa2]\n"
    )
    assert "bbb3" not in found and found["bbb2"]["server"] == "" and found["bbb2"]["failing"]
    assert (found["bbb1"]["server"], found["bbb1"]["failing"], found["bbb1"]["master"]) == (
        "[2001:db8::1]:6379",
        True,
        "aaa1",
    )
    assert found["bbb4"]["slots"] == {1} and found["bbb4"]["open"] == ["[5->-aaa1]", "[6-<-aaa2]"]
    assert len(found["aaa3"]["slots"]) == 5461 and found["aaa2"]["server"] == "192.0.2.2:6379"


@pytest.mark.parametrize(("key", "slot"), [("foo", 12182), ("123456789", 12739)])
def test_slots_of_keys(key, slot):
    assert cluster.key_slot(key) == slot


def test_slots_are_written_as_redis_does():
    assert cluster.ranges({5, 1, 2, 3, 9}) == "1-3 5 9" and cluster.ranges(set()) == ""


def test_a_whole_cluster_has_no_problems_and_nothing_to_do():
    found, problems = cluster.describe(rows(), SIX)
    assert problems == [] and cluster.plan(found, SIX) == []
    assert cluster.judge(rows(), found, {**SIX, "max_lag_bytes": 1})["problems"] == []


OTHERS = NODES.replace("aaa6 192.0.2.6:6379@16379 slave aaa3 0 1 3 connected\n", "")
FAILING = NODES.replace("192.0.2.2:6379@16379,,shard-id=1 master", "192.0.2.2:6379@16379 master,fail?")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"r2": silent(2)},
            "server 192.0.2.2:6379: found no answer (connection refused); expected one; start the service",
        ),
        ({"r2": silent(2, "auth", "WRONGPASS")}, "restart the server there, which reads its users again"),
        ({"r2": row(2, kind="loading")}, "found it still loading its data"),
        ({"r2": row(2, enabled=False, view={})}, "found it running without cluster mode; expected cluster-enabled"),
        ({"r4": row(4, link="down")}, "replica 192.0.2.4:6379: found its link to 192.0.2.1:6379 down; expected up"),
        ({"r6": row(6, EMPTY.format(6), keys=3)}, "found 3 keys and 0 slots, and no other node that it knows"),
        ({"r2": row(2, OTHERS)}, "know 5 nodes, not the same ones; expected one cluster"),
        ({"r2": row(2, NODES.replace("slave aaa3", "slave aaa1"))}, "configuration: found different ones"),
        ({"r3": row(3, FAILING)}, "node 192.0.2.2:6379 (aaa2): found failing as 192.0.2.3:6379 see it"),
        ({"r3": row(3, state="fail")}, "server 192.0.2.3:6379: found cluster_state:fail; expected ok"),
    ],
)
def test_a_cluster_that_is_not_whole_is_refused_with_the_reason(changed, said):
    _found, problems = cluster.describe(rows(**changed), SIX)
    assert said in "; ".join(problems)


def test_slots_without_a_master_are_refused_where_there_are_data():
    text = NODES.replace(" 16383\n", "\n")
    _found, problems = cluster.describe([row(number, text) for number in range(1, 7)], SIX)
    assert "slots: found 1 without a master (16383)" in problems[0]
    found, problems = cluster.describe([row(number, text, keys=0, state="fail") for number in range(1, 7)], SIX)
    assert problems == [], "a cluster that is being made"
    assert cluster.text(cluster.plan(found, SIX)[0]) == "192.0.2.3:6379 gets the slots 16383"


def test_two_clusters_do_not_become_one():
    one, two = NODES.splitlines(keepends=True)[:3], NODES.splitlines(keepends=True)[3:]
    texts = ["".join(one)] * 3 + ["".join(two)] * 3
    _found, problems = cluster.describe([row(n, text) for n, text in enumerate(texts, 1)], SIX)
    assert "Nodes of two clusters do not come together by a run" in "; ".join(problems)


def test_a_node_that_nobody_named_is_refused_and_one_that_leaves_is_not():
    five = wanted(range(1, 6))
    _found, problems = cluster.describe(rows()[:5], five)
    assert problems == [
        "node 192.0.2.6:6379 (aaa6): found in the cluster; expected only hosts of the inventory; put its host back "
        "into the group, or name its address in redis_leaving"
    ]
    _found, problems = cluster.describe(rows(), wanted(range(1, 6), 1, [6]))
    assert problems == []


def test_a_lost_host_is_forgotten_when_it_was_told_to_leave_or_a_new_one_answers_there():
    gone = NODES.replace("slave aaa3", "slave,fail aaa3")
    there = [row(number, gone) for number in range(1, 6)]
    five = wanted(range(1, 6), 1, [6])
    found, problems = cluster.describe([*there, silent(6, "unreachable")], five)
    assert problems == [] and cluster.text(cluster.next_step(found, five)) == "all nodes forget 192.0.2.6:6379 (aaa6)"
    instead = row(6, "new1 192.0.2.6:6379@16379 myself,master - 0 0 0 connected\n", id="new1", keys=0)
    found, problems = cluster.describe([*there, instead], SIX)
    assert problems == []
    assert [step["do"] for step in cluster.plan(found, SIX)] == ["forget", "meet", "follow"]


def test_a_lost_master_is_not_forgotten_while_it_has_slots():
    gone = NODES.replace("192.0.2.2:6379@16379,,shard-id=1 master", "192.0.2.2:6379@16379 master,fail")
    others = [row(number, gone) for number in (1, 3, 4, 5, 6)]
    _found, problems = cluster.describe([*others, silent(2)], wanted([1, 3, 4, 5, 6], 1, [2]))
    assert "found it gone with 5462 slots; expected a replica to have taken them over" in "; ".join(problems)


def test_an_interrupted_move_of_slots_comes_first():
    found, problems = cluster.describe(rows(r1=row(1, NODES.replace(" 0-5460\n", " 0-5460 [93->-aaa2]\n"))), SIX)
    assert problems == [] and cluster.plan(found, SIX)[0]["do"] == "fix"
    assert "found some half moved" in "; ".join(cluster.judge(rows(), found, {**SIX, "max_lag_bytes": 1})["problems"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"master": ""}, "master 192.0.2.1:6379: found 0 replicas; expected 1"),
        ({"role": "fresh", "master": ""}, "server 192.0.2.4:6379: found it outside of the cluster"),
        ({"slots": {1}}, "masters: found 4; expected 3"),
    ],
)
def test_what_is_not_as_wanted_turns_the_gate_red(change, said):
    found, _problems = cluster.describe(rows(), SIX)
    found["nodes"]["192.0.2.4:6379"].update(change)
    assert said in "; ".join(cluster.judge(rows(), found, {**SIX, "max_lag_bytes": 1})["problems"])


def test_a_replica_beside_its_master_and_one_that_lags_turn_the_gate_red():
    found, _problems = cluster.describe(rows(), SIX)
    nodes = found["nodes"]
    nodes["192.0.2.1:6380"] = nodes.pop("192.0.2.4:6379")
    slow = row(1, replicas=[{"replica": "192.0.2.1:6380", "state": "online", "offset": 50, "lag": 0}])
    said = "; ".join(cluster.judge(rows(r1=slow), found, {**SIX, "max_lag_bytes": 49})["problems"])
    assert "master 192.0.2.1:6379: found 192.0.2.1:6380 on its own host; expected replicas on others" in said
    assert "replica 192.0.2.1:6380: found a lag of 50 bytes; expected at most 49" in said
