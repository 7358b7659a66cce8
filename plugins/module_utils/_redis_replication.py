# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges replication and Sentinels of one Redis group. Pure; private to this collection."""

from __future__ import annotations

REMEDIES = {
    "refused": "start the service or open its port",
    "unreachable": "start the host or open the port in its firewall",
    "auth": "give the user and password that the server knows",
    "tls": "check the server's certificate and the authority in ca_path",
}


def judge(servers, sentinels, limits):
    """Problems, the master and one line of evidence, over rows of _redis_reader.

    `limits` holds max_lag_bytes and max_lag_seconds.
    """
    silent = [row for row in servers + sentinels if not row["reachable"]]
    problems = [
        f"{_label(row)}: found no answer ({row['error']}); expected one; "
        f"{REMEDIES.get(row['kind'], REMEDIES['refused'])}"
        for row in silent
    ]
    running = [row for row in servers if row["reachable"]]
    masters = [row for row in running if row["role"] == "master"]
    if len(masters) != 1:
        found = ", ".join(row["server"] for row in masters) or "none"
        problems.append(
            f"masters: found {found}; expected exactly one; wait for the failover to end or look at the Sentinels' logs"
        )
        return {"problems": problems, "master": "", "lag_bytes": None, "lag_seconds": None, "evidence": ""}
    master = masters[0]
    lags = []
    for row in running:
        if row is not master:
            problems += _replica_problems(row, master, limits, lags)
    for row in sentinels:
        if row["reachable"]:
            problems += _sentinel_problems(row, master["server"], len(sentinels), len(servers) - 1)
    worst_bytes = max((lag[0] for lag in lags), default=0)
    worst_seconds = max((lag[1] for lag in lags), default=0)
    evidence = f"master {master['server']}, {len(lags)} of {len(servers) - 1} replicas follow"
    if lags:
        evidence += f" with at most {worst_bytes} bytes and {worst_seconds} s of lag"
    if sentinels:
        agreeing = sum(1 for row in sentinels if row["reachable"] and row["master"] == master["server"])
        evidence += f", {agreeing} of {len(sentinels)} Sentinels agree"
    return {
        "problems": problems,
        "master": master["server"],
        "lag_bytes": worst_bytes,
        "lag_seconds": worst_seconds,
        "evidence": evidence,
    }


def _label(row):
    return f"server {row['server']}" if "server" in row else f"Sentinel {row['sentinel']}"


def _replica_problems(row, master, limits, lags):
    """Problems of one replica; its lag is appended to `lags` when it follows the master."""
    name = f"replica {row['server']}"
    if row["master"] != master["server"]:
        return [
            f"{name}: found master {row['master']}; expected {master['server']}; the Sentinels correct this "
            "within seconds, or run the redis role again"
        ]
    if row["link"] != "up":
        return [
            f"{name}: found its link {row['link']}; expected up; read its log for the reason of the failed "
            "synchronisation"
        ]
    seen = next((item for item in master["replicas"] if item["replica"] == row["server"]), None)
    if seen is None:
        return [
            f"{name}: found no entry for it at {master['server']}; expected one; check the address that the "
            "replica announces"
        ]
    if seen["state"] != "online":
        return [f"{name}: found state {seen['state']}; expected online; wait for the first synchronisation to end"]
    behind = max(0, master["offset"] - seen["offset"])
    lags.append((behind, seen["lag"]))
    problems = []
    if behind > limits["max_lag_bytes"]:
        problems.append(
            f"{name}: found a lag of {behind} bytes; expected at most {limits['max_lag_bytes']}; check "
            "network and load of the replica"
        )
    if seen["lag"] > limits["max_lag_seconds"]:
        problems.append(
            f"{name}: found its last answer {seen['lag']} s old; expected at most "
            f"{limits['max_lag_seconds']} s; check network and load of the replica"
        )
    return problems


def _sentinel_problems(row, master, sentinels, replicas):
    """Problems of one Sentinel that answers."""
    name = f"Sentinel {row['sentinel']}"
    if not row["master"]:
        return [f"{name}: found no master of this name; expected {master}; run the redis role again"]
    problems = []
    if row["master"] != master:
        problems.append(
            f"{name}: found master {row['master']}; expected {master}, which says it is master; wait for the "
            "failover to end"
        )
    if "down" in row["flags"]:
        problems.append(
            f"{name}: found the master's flags {row['flags']}; expected no down flag; check the network "
            "between this Sentinel and the master"
        )
    if not row["quorum"].startswith("OK"):
        problems.append(f"{name}: found quorum {row['quorum']!r}; expected OK; start the missing Sentinels")
    if row["sentinels"] != sentinels:
        problems.append(
            f"{name}: found {row['sentinels']} Sentinels; expected {sentinels}; start the missing ones, or "
            "run the role redis, by which Sentinels forget those that were taken out"
        )
    if row["replicas"] < replicas:
        problems.append(f"{name}: found {row['replicas']} replicas; expected {replicas}; start the missing replicas")
    return problems
