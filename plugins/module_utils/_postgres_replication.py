# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges a PostgreSQL cluster from Patroni's view and a server's own. Pure; private to this collection."""

from __future__ import annotations

LEADERS = ("leader", "standby_leader")
SYNC = ("sync_standby", "quorum_standby")
# Before 3.1 Patroni said running for a replica that streams; the leader's list tells them apart.
RUNNING = ("running", "streaming")


def judge_cluster(views, replication, limits):
    """Problems, leader and evidence from Patroni's side.

    `limits` holds members, max_lag_bytes, min_sync and allow_pause.
    """
    problems = [
        f"Patroni at {view['url']}: found {view['error']}; expected an answer; start patroni there or open its port"
        for view in views
        if view["error"]
    ]
    clusters = [view["cluster"] for view in views if view["cluster"]]
    if not clusters:
        return {"problems": problems, "leader": "", "lag_bytes": None, "evidence": "", "members": []}
    leaders = sorted({item["name"] for cluster in clusters for item in cluster["members"] if item["role"] in LEADERS})
    members = clusters[0]["members"]
    if len(leaders) != 1:
        found = ", ".join(leaders) or "none"
        problems.append(f"leader: found {found}; expected exactly one; wait for the election or read patroni's log")
        return {"problems": problems, "leader": "", "lag_bytes": None, "evidence": "", "members": members}
    problems += _cluster_problems(clusters[0], limits)
    leader = next((item for item in members if item["name"] == leaders[0]), {"name": leaders[0]})
    replicas = [item for item in members if item["role"] not in LEADERS]
    for item in replicas:
        problems += _replica_problems(item, leader, limits)
    problems += _streaming_problems(replicas, replication)
    sync = [item["name"] for item in replicas if item["role"] in SYNC]
    if len(sync) < limits["min_sync"]:
        problems.append(
            f"synchronous replicas: found {len(sync)}; expected at least {limits['min_sync']}; "
            "check synchronous_mode and that a replica streams"
        )
    lag = max((item["lag"] for item in replicas if isinstance(item.get("lag"), int)), default=0)
    evidence = f"leader {leader['name']} on timeline {leader.get('timeline')}, {len(replicas)} replicas"
    if replicas:
        evidence += f" with at most {lag} bytes of lag, {len(sync)} synchronous"
    return {"problems": problems, "leader": leader["name"], "lag_bytes": lag, "evidence": evidence, "members": members}


def _cluster_problems(cluster, limits):
    """Problems of the member list as a whole."""
    problems = []
    found = {item["name"] for item in cluster["members"]}
    expected = set(limits["members"] or found)
    for name in sorted(expected - found):
        problems.append(f"member {name}: found nothing in the cluster; expected it; start patroni on that host")
    for name in sorted(found - expected):
        problems.append(
            f"member {name}: found in the cluster; expected only {', '.join(sorted(expected))}; "
            "remove the member or add the host to the inventory"
        )
    if cluster.get("pause") and not limits["allow_pause"]:
        problems.append("cluster: found paused, so no failover happens; expected not paused; run patronictl resume")
    return problems


def _replica_problems(item, leader, limits):
    """Problems of one replica as Patroni lists it."""
    name = f"replica {item['name']}"
    if item["state"] not in RUNNING:
        return [f"{name}: found state {item['state']}; expected streaming; read its PostgreSQL log or reinitialise it"]
    problems = []
    if item.get("timeline") != leader.get("timeline"):
        problems.append(
            f"{name}: found timeline {item.get('timeline')}; expected {leader.get('timeline')} of {leader['name']}; "
            "wait for pg_rewind or reinitialise it"
        )
    lag = item.get("lag")
    if not isinstance(lag, int):
        problems.append(f"{name}: found lag {lag}; expected a number; check that it reaches the leader")
    elif lag > limits["max_lag_bytes"]:
        problems.append(
            f"{name}: found a lag of {lag} bytes; expected at most {limits['max_lag_bytes']}; check its disk "
            "and network"
        )
    return problems


def _streaming_problems(replicas, replication):
    """Replicas that the leader does not list as streaming."""
    if replication is None:
        return ["leader: found no answer about its replicas; expected one; check that its Patroni port can be reached"]
    streaming = {row.get("application_name") for row in replication if row.get("state") == "streaming"}
    return [
        f"replica {item['name']}: found no stream from the leader; expected one; check primary_conninfo and pg_hba"
        for item in replicas
        if item["name"] not in streaming
        and item["state"] in RUNNING
        and not (item.get("tags") or {}).get("replicatefrom")
    ]


def judge_server(server, limits):
    """Problems and evidence from the server's own catalogue; `limits` holds max_lag_seconds and max_slot_bytes."""
    problems = []
    if server["in_recovery"]:
        if server["receiver"] != "streaming":
            problems.append(
                f"this replica: found its WAL receiver {server['receiver'] or 'stopped'}; expected streaming; "
                "read the PostgreSQL log"
            )
        lags = [("this replica", server["lag_seconds"])]
    else:
        lags = [(f"replica {row['name']}", row["lag_seconds"]) for row in server["replicas"]]
    for name, lag in lags:
        if lag is not None and lag > limits["max_lag_seconds"]:
            problems.append(
                f"{name}: found it {lag:.1f} s behind; expected at most {limits['max_lag_seconds']:g} s; check "
                "its disk and network"
            )
    for slot in server["slots"]:
        problems += _slot_problems(slot, limits["max_slot_bytes"])
    worst = max((lag or 0 for _name, lag in lags), default=0)
    held = max((slot["retained_bytes"] or 0 for slot in server["slots"]), default=0)
    evidence = f"at most {worst:.1f} s of lag" if lags else ""
    if server["slots"]:
        evidence += f"{', ' if evidence else ''}{len(server['slots'])} slots hold at most {held} bytes of WAL"
    return {"problems": problems, "lag_seconds": round(worst, 1), "slot_bytes": held, "evidence": evidence}


def _slot_problems(slot, limit):
    name = f"replication slot {slot['name']}"
    state = "active" if slot["active"] else "inactive"
    if slot["wal_status"] in ("unreserved", "lost"):
        return [
            f"{name}: found its WAL {slot['wal_status']}; expected reserved; stop Patroni on its replica, "
            "drop the slot, start Patroni: it makes a new one"
        ]
    if limit and (slot["retained_bytes"] or 0) > limit:
        return [
            f"{name}: found it {state} and holding {slot['retained_bytes']} bytes of WAL; expected at most {limit}; "
            "start its consumer or drop the slot"
        ]
    return []
