# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads CLUSTER NODES, says what a cluster lacks, and plans how it comes to what is wanted. Pure; private.

It is longer than others because what is read, judged and planned are the same nodes, in the same words.
`wanted` holds members and leaving (addresses of servers, in order), replicas (per master) and imbalance (per cent).
"""

from __future__ import annotations

import binascii
import hashlib

from ansible_collections.mainstay.platform.plugins.module_utils._endpoint import join_endpoint

SLOTS = 16384
REMEDIES = {
    "refused": "start the service",
    "unreachable": "start the host or open the port in its firewall",
    "auth": "restart the server there, which reads its users again",
    "tls": "restart the server there, which reads its certificate again, or renew that",
    "loading": "wait until it has its data",
}


def key_slot(key):
    """The slot of a key. Braces in it would choose another part to count; ours have none."""
    return binascii.crc_hqx(key.encode(), 0) % SLOTS


def ranges(slots):
    """A set of slots as Redis writes it, "0-5460 5500"."""
    found = []
    for slot in sorted(slots):
        if found and found[-1][1] == slot - 1:
            found[-1][1] = slot
        else:
            found.append([slot, slot])
    return " ".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


def parse_nodes(text):
    """{id: node} of CLUSTER NODES, without those that are only being met."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        flags = words[2].split(",")
        if "handshake" in flags:
            continue
        host, _colon, port = words[1].split("@")[0].rpartition(":")
        slots, opened = set(), []
        for word in words[8:]:
            if word.startswith("["):
                opened.append(word)
                continue
            first, _dash, last = word.partition("-")
            slots.update(range(int(first), int(last or first) + 1))
        found[words[0]] = {
            "id": words[0],
            "server": join_endpoint(host, port) if host and "noaddr" not in flags else "",
            "role": "replica" if "slave" in flags else "master",
            "master": words[3] if words[3] != "-" else "",
            "failing": "fail" in flags or "fail?" in flags,
            "slots": slots,
            "open": opened,
        }
    return found


def digest(view):
    """What all nodes must say alike: who there is, who follows whom, and who has which slots."""
    lines = (f"{key} {node['role']} {node['master']} {ranges(node['slots'])}" for key, node in sorted(view.items()))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def is_fresh(row):
    """Whether a server knows nobody and has nothing."""
    return len(row["view"]) <= 1 and not row["keys"] and not any(node["slots"] for node in row["view"].values())


def describe(rows, wanted):
    """(cluster, problems): the cluster as its nodes agree on it, or why nothing may be done to it.

    `rows` are those of _redis_cluster_client. The cluster has nodes by address, those of which only the id is left
    (dead), whether slots are half moved (open), and the digest.
    """
    problems = [text for row in rows for text in _row_problems(row, wanted)]
    rows = [row for row in rows if row["reachable"] and row["enabled"]]
    joined = [row for row in rows if len(row["view"]) > 1]
    problems += [
        f"server {row['server']}: found {row['keys']} keys and {_own_slots(row)} slots, and no other node that it "
        "knows; expected an empty server or a node of the cluster; save what it holds, and empty it (FLUSHALL, CLUSTER "
        "RESET)"
        for row in rows
        if row not in joined and not is_fresh(row)
    ]
    cluster = {"nodes": {}, "dead": [], "open": False, "digest": ""}
    for row in rows:
        if row not in joined:
            cluster["nodes"][row["server"]] = new_node(row["id"])
    if joined:
        problems += _agreement(joined)
        problems += _members(joined, rows, wanted, cluster)
    return cluster, problems


def _row_problems(row, wanted):
    if not row["reachable"]:
        # Whoever leaves may be lost already.
        return [] if row["server"] in wanted["leaving"] else [_silent(row)]
    if row["kind"] == "loading":
        return [f"server {row['server']}: found it still loading its data; expected it ready; {REMEDIES['loading']}"]
    if not row["enabled"]:
        return [
            f"server {row['server']}: found it running without cluster mode; expected cluster-enabled; it belongs to "
            "another set-up, which is not taken over: save its data and remove the packages with them"
        ]
    if row["role"] == "replica" and row["link"] != "up" and len(row["view"]) > 1:
        return [
            f"replica {row['server']}: found its link to {row['master']} {row['link']}; expected up; wait for the "
            "first copy to end, or read its log"
        ]
    return []


def _silent(row):
    remedy = REMEDIES.get(row["kind"], REMEDIES["refused"])
    return f"server {row['server']}: found no answer ({row['error']}); expected one; {remedy}"


def _own_slots(row):
    return sum(len(node["slots"]) for node in row["view"].values())


def new_node(node_id):
    """A server that knows nobody and has nothing."""
    return _node(node_id, "fresh")


def _node(node_id, role, master="", slots=()):
    return {"id": node_id, "role": role, "master": master, "slots": set(slots)}


def _agreement(joined):
    """Whether all nodes tell the same of the cluster, and whether it works."""
    known = {}
    for row in joined:
        known.setdefault(frozenset(row["view"]), []).append(row["server"])
    if len(known) > 1:
        said = "; ".join(f"{', '.join(servers)} know {len(ids)} nodes" for ids, servers in known.items())
        return [
            f"nodes: found that {said}, not the same ones; expected one cluster; wait for a join to end. Nodes of two "
            "clusters do not come together by a run"
        ]
    problems = []
    digests = {row["server"]: digest(row["view"]) for row in joined}
    if len(set(digests.values())) > 1:
        said = ", ".join(f"{server} {value}" for server, value in sorted(digests.items()))
        problems.append(
            f"configuration: found different ones ({said}); expected all nodes to agree on masters, replicas and "
            "slots; wait for a failover to end"
        )
    held = set().union(*(node["slots"] for node in joined[0]["view"].values()))
    # What was never given out, in a cluster that is being built, is no failure.
    built = len(held) == SLOTS or any(row["keys"] for row in joined)
    if built and len(held) < SLOTS:
        problems.append(
            f"slots: found {SLOTS - len(held)} without a master ({ranges(set(range(SLOTS)) - held)}); expected none; "
            "their data are not known to be anywhere: start the node that has them, or restore a snapshot"
        )
    problems += [
        f"server {row['server']}: found cluster_state:{row['state']}; expected ok; look at the nodes that fail"
        for row in joined
        if built and row["state"] != "ok"
    ]
    return problems


def _members(joined, rows, wanted, cluster):
    """Fills the cluster's nodes, and gives what is wrong about single ones."""
    problems = []
    view = joined[0]["view"]
    running = {row["id"]: row for row in joined}
    asked = {row["server"] for row in rows}
    servers = {key: running[key]["server"] if key in running else node["server"] for key, node in view.items()}
    cluster["digest"] = digest(view)
    cluster["open"] = any(node["open"] for row in joined for node in row["view"].values())
    for key, node in view.items():
        failing = [row["server"] for row in joined if row["view"].get(key, {}).get("failing")]
        name = f"node {servers[key] or 'without an address'} ({key[:8]})"
        if key in running:
            cluster["nodes"][servers[key]] = _node(key, node["role"], servers.get(node["master"], ""), node["slots"])
            if failing:
                problems.append(
                    f"{name}: found failing as {', '.join(failing)} see it; expected nobody to; wait until its host "
                    "gets on with its work, or let its bus port, which is 10000 above, through between the hosts"
                )
        elif not servers[key] or servers[key] in asked or servers[key] in wanted["leaving"]:
            # Its server is gone: it lost its address, another one answers there, or it was told to leave.
            cluster["dead"].append({"id": key, "server": servers[key]})
            if node["slots"]:
                problems.append(
                    f"{name}: found it gone with {len(node['slots'])} slots; expected a replica to have taken them "
                    "over; start it again, or let a replica take over (CLUSTER FAILOVER FORCE)"
                )
        elif servers[key] not in wanted["members"]:
            problems.append(
                f"{name}: found in the cluster; expected only hosts of the inventory; put its host back into the "
                "group, or name its address in redis_leaving"
            )
    return problems


def judge(rows, cluster, limits):
    """What a cluster lacks of what is wanted, beside the problems of `describe`, and its state in one line.

    `limits` holds what `wanted` does, and max_lag_bytes.
    """
    nodes = cluster["nodes"]
    masters = {server: [] for server, node in sorted(nodes.items()) if node["slots"]}
    for server, node in sorted(nodes.items()):
        if node["master"] in masters:
            masters[node["master"]].append(server)
    problems = [
        f"server {server}: found it outside of the cluster; expected a node; run the role redis"
        for server, node in nodes.items()
        if node["role"] == "fresh" and server in limits["members"]
    ]
    problems += [
        f"node {node['id'][:8]}: found it gone, but known to the others; expected it forgotten; run the role redis"
        for node in cluster["dead"]
    ]
    if cluster["open"]:
        problems.append("slots: found some half moved; expected none; run the role redis, which finishes the move")
    held = sum(len(node["slots"]) for node in nodes.values())
    if held != SLOTS:
        problems.append(f"slots: found {held} with a master; expected {SLOTS}; run the role redis")
    if len(masters) != target_masters(limits):
        problems.append(f"masters: found {len(masters)}; expected {target_masters(limits)}; run the role redis")
    lags = _lags(rows)
    problems += _replica_problems(masters, lags, limits)
    evidence = (
        f"{len(masters)} masters have {held} slots, {len(lags)} replicas follow with at most "
        f"{max(lags.values(), default=0)} bytes of lag, {len(nodes)} nodes agree on {cluster['digest'] or 'nothing'}"
    )
    return {"problems": problems, "masters": masters, "digest": cluster["digest"], "evidence": evidence}


def _replica_problems(masters, lags, limits):
    problems = [
        f"master {master}: found {len(replicas)} replicas; expected {limits['replicas']}; run the role redis"
        for master, replicas in masters.items()
        if len(replicas) < limits["replicas"]
    ]
    problems += [
        f"master {master}: found {', '.join(near)} on its own host; expected replicas on others; give each a host"
        for master, replicas in masters.items()
        if (near := [server for server in replicas if _host(server) == _host(master)])
    ]
    return problems + [
        f"replica {server}: found a lag of {lag} bytes; expected at most {limits['max_lag_bytes']}; check network and "
        "load there"
        for server, lag in lags.items()
        if lag > limits["max_lag_bytes"]
    ]


def _host(server):
    return server.rpartition(":")[0]


def _lags(rows):
    """How many bytes of its master's stream each replica has yet to read, as the master knows it."""
    found = {}
    for row in rows:
        for seen in row["replicas"] if row["reachable"] else ():
            found[seen["replica"]] = max(0, row["offset"] - seen["offset"])
    return found


# The plan.


def target_masters(wanted):
    return len(wanted["members"]) // (wanted["replicas"] + 1)


def plan(cluster, wanted):
    """All steps that lie before what is wanted, as far as can be foreseen."""
    steps = []
    while (step := next_step(cluster, wanted)) is not None:
        steps.append(step)
        cluster = after(cluster, step)
        if len(steps) > 1000:
            raise ValueError(f"plan: found no end of it, the last step is {text(step)}; expected one; report this")
    return steps


def text(step):
    """A step in one line."""
    words = {
        "fix": "finish the move of slots that was interrupted",
        "forget": "all nodes forget {server} ({id:.8})",
        "meet": "{server} joins, met by {other}",
        "assign": "{server} gets the slots {slots}",
        "follow": "{server} follows {other}",
        "drain": "the slots of {server} move to the other masters",
        "promote": "{server} takes over from {other}",
        "balance": "the masters get equal numbers of slots",
    }
    return words[step["do"]].format(**{**step, "server": step["server"] or "a node without an address"})


def _step(do, server, other="", node_id="", slots=""):
    return {"do": do, "server": server, "other": other, "id": node_id, "slots": slots}


def next_step(cluster, wanted):
    """The next step, or None when everything is as wanted."""
    nodes, members = cluster["nodes"], wanted["members"]
    known = [server for server in members if nodes[server]["role"] != "fresh"]
    seed = (known or members)[0]
    if cluster["open"]:
        return _step("fix", seed)
    if cluster["dead"]:
        return _step("forget", cluster["dead"][0]["server"], node_id=cluster["dead"][0]["id"])
    for server in members:
        if nodes[server]["role"] == "fresh" and server != seed:
            return _step("meet", server, seed)
    # Whoever leaves is forgotten before slots are balanced, for redis-cli gives some to every master that it finds.
    rest = (_release, _assign, _orphans, _follow, _drain, _promote, _equal, _leave, _balance)
    layout = Layout(nodes, wanted)
    return next((step for look in rest if (step := look(layout)) is not None), None)


class Layout:
    """Who is what at present, and who shall be."""

    def __init__(self, nodes, wanted):
        self.nodes, self.wanted = nodes, wanted
        self.members = wanted["members"]
        self.leaving = [server for server in wanted["leaving"] if nodes.get(server, {}).get("role", "fresh") != "fresh"]
        everybody = self.members + self.leaving
        self.holders = [server for server in everybody if nodes[server]["slots"]]
        idle = [server for server in self.members if nodes[server]["role"] != "replica" and not nodes[server]["slots"]]
        # Those first that have replicas: an earlier run chose them.
        idle.sort(key=lambda server: not self.replicas(server))
        missing = max(target_masters(wanted) - len(self.holders), 0)
        self.chosen, self.idle = idle[:missing], idle[missing:]
        self.missing = missing - len(self.chosen)
        surplus = max(len(self.holders) - target_masters(wanted), 0)
        self.drained = sorted(self.holders, key=self._worth)[:surplus]
        self.staying = [server for server in self.holders if server not in self.leaving + self.drained] + self.chosen

    def replicas(self, master):
        """Replicas of a master that stay."""
        return [server for server in self.members if self.nodes[server]["master"] == master]

    def _worth(self, server):
        """What leaves goes first; of the others, who has fewest replicas, and comes last in the inventory."""
        order = -self.members.index(server) if server in self.members else 0
        return (server not in self.leaving, len(self.replicas(server)), order)

    def neediest(self):
        """The master that gets the next replica: one that leaves and has no successor, else who has fewest."""
        leaves = [server for server in self.holders if server in self.leaving and server not in self.drained]
        alone = [server for server in leaves if not self.replicas(server)]
        return (alone or sorted(self.staying or leaves, key=lambda server: len(self.replicas(server))))[0]


def _release(layout):
    """A replica that its master can spare begins anew, where masters are missing and no host is new."""
    for master in layout.staying if layout.missing else ():
        if len(replicas := layout.replicas(master)) > layout.wanted["replicas"]:
            return _step("forget", replicas[-1], node_id=layout.nodes[replicas[-1]]["id"])
    return None


def _assign(layout):
    free = set(range(SLOTS)).difference(*(node["slots"] for node in layout.nodes.values()))
    if not free:
        return None
    for server, quota in _quotas(layout.staying):
        short = quota - len(layout.nodes[server]["slots"])
        if short > 0:
            return _step("assign", server, slots=ranges(sorted(free)[:short]))
    raise ValueError("slots: found some without a master and none to give them to; expected at least one; report this")


def _quotas(masters):
    count = len(masters)
    return [(server, SLOTS * (n + 1) // count - SLOTS * n // count) for n, server in enumerate(masters)]


def _follow(layout):
    """A server without a part of its own follows a master, once nobody follows it."""
    if not layout.idle:
        return None
    for server in layout.leaving:
        if layout.nodes[server]["master"] == layout.idle[0]:
            return _step("forget", server, node_id=layout.nodes[server]["id"])
    return _step("follow", layout.idle[0], layout.neediest())


def _drain(layout):
    return _step("drain", layout.drained[0]) if layout.drained else None


def _promote(layout):
    leaves = sorted((s for s in layout.holders if s in layout.leaving), key=lambda server: not layout.replicas(server))
    if not leaves:
        return None
    if successors := layout.replicas(leaves[0]):
        return _step("promote", successors[0], leaves[0])
    # There is somebody to spare: as many masters stay wanted as there are, and fewer hosts that stay are masters.
    giver = max(layout.staying, key=lambda server: len(layout.replicas(server)))
    return _step("follow", layout.replicas(giver)[-1], leaves[0])


def _orphans(layout):
    """Replicas of whoever has no slots any more."""
    for server in layout.members:
        master = layout.nodes[server]["master"]
        if master and master not in layout.staying + layout.holders:
            return _step("follow", server, layout.neediest())
    return None


def _equal(layout):
    """A replica moves from a master that has more than it must to one that has fewer."""
    ordered = sorted(layout.staying, key=lambda server: len(layout.replicas(server)))
    most, least = layout.replicas(ordered[-1]), layout.replicas(ordered[0])
    if len(least) < layout.wanted["replicas"] < len(most):
        return _step("follow", most[-1], ordered[0])
    return None


def _leave(layout):
    """Nobody can forget whom it follows, so replicas go before their master."""
    followed = {node["master"] for node in layout.nodes.values()}
    for server in sorted(layout.leaving, key=lambda server: server in followed):
        return _step("forget", server, node_id=layout.nodes[server]["id"])
    return None


def _balance(layout):
    expected = SLOTS / len(layout.staying)
    for server in layout.staying:
        count = len(layout.nodes[server]["slots"])
        # As redis-cli counts, which moves nothing below its threshold.
        if not count or abs(100 - 100 * expected / count) > layout.wanted["imbalance"]:
            return _step("balance", layout.staying[0])
    return None


def after(cluster, step):
    """The cluster as it will be when a step is done."""
    nodes = {server: dict(node, slots=set(node["slots"])) for server, node in cluster["nodes"].items()}
    done = dict(cluster, nodes=nodes)
    do, server, other = step["do"], step["server"], step["other"]
    if do == "fix":
        done["open"] = False
    elif do == "forget":
        done["dead"] = [node for node in cluster["dead"] if node["id"] != step["id"]]
        if nodes.get(server, {}).get("id") == step["id"]:
            nodes[server] = new_node(step["id"])
    elif do == "meet":
        for name in (server, other):
            nodes[name]["role"] = nodes[name]["role"].replace("fresh", "master")
    elif do == "assign":
        for word in step["slots"].split():
            first, _dash, last = word.partition("-")
            nodes[server]["slots"].update(range(int(first), int(last or first) + 1))
    elif do == "follow":
        nodes[server].update(role="replica", master=other)
    elif do == "promote":
        for node in nodes.values():
            node["master"] = server if node["master"] == other else node["master"]
        nodes[server].update(role="master", master="", slots=nodes[other]["slots"])
        nodes[other].update(role="replica", master=server, slots=set())
    else:
        _spread(nodes, step, [name for name, node in nodes.items() if node["role"] == "master"])
    return done


def _spread(nodes, step, masters):
    """What redis-cli will do about slots; which ones is its business, how many is what counts here."""
    empty = step["do"] == "balance"
    getting = [name for name in masters if (nodes[name]["slots"] or empty) and (empty or name != step["server"])]
    for name in masters:
        nodes[name]["slots"] = set()
    first = 0
    for name, quota in _quotas(getting):
        nodes[name]["slots"] = set(range(first, first + quota))
        first += quota
