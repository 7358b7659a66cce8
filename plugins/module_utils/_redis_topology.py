# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides who is master from what servers and Sentinels say. Pure; private to this collection."""

from __future__ import annotations

from collections import Counter

KNOWN = "known"
FRESH = "fresh"
UNDECIDED = "undecided"


def decide(servers, sentinels, recorded=()):
    """Verdict over rows of _redis_reader: state, master, source and reason.

    `recorded` are the masters that the Sentinels' files on the hosts name; they count when no Sentinel answers.
    """
    silent = [row for row in servers + sentinels if not row["reachable"] and row["kind"] != "refused"]
    loading = [row for row in servers if row["kind"] == "loading"]
    if loading:
        return _undecided(f"{_name(loading[0])} is still loading its data")
    votes = Counter(row["master"] for row in sentinels if row["reachable"] and row["master"])
    if votes:
        return _by_sentinels(votes, servers, sentinels)
    if silent:
        row = silent[0]
        return _undecided(f"no Sentinel names a master, and {_name(row)} could not be asked ({row['error']})")
    if recorded:
        return _by_record(recorded, servers)
    return _by_servers([row for row in servers if row["reachable"]])


def _name(row):
    return f"server {row['server']}" if "server" in row else f"Sentinel {row['sentinel']}"


def _undecided(reason, master=""):
    return {"state": UNDECIDED, "master": master, "source": "", "reason": reason}


def _known(master, source, reason):
    return {"state": KNOWN, "master": master, "source": source, "reason": reason}


def _by_sentinels(votes, servers, sentinels):
    """The master that the majority of all Sentinels names, when that server agrees."""
    # The Sentinels know how many they are; hosts that are only about to become Sentinels have no vote.
    members = max(row["sentinels"] for row in sentinels if row["reachable"] and row["master"])
    master, count = votes.most_common(1)[0]
    needed = members // 2 + 1
    if count < needed:
        named = ", ".join(f"{name} ({number})" for name, number in sorted(votes.items()))
        return _undecided(f"the Sentinels name {named}; expected {needed} of {members} to name the same master")
    row = next((row for row in servers if row["server"] == master), None)
    if row is None:
        return _undecided(f"the Sentinels name {master}, which is not one of the given servers", master)
    if not row["reachable"]:
        return _undecided(
            f"the Sentinels name {master}, which does not answer ({row['error']}); a failover may be under way", master
        )
    if row["role"] != "master":
        return _undecided(
            f"the Sentinels name {master}, but that server follows {row['master']}; a failover is under way", master
        )
    return _known(master, "sentinels", f"{count} of {members} Sentinels name {master}, which says it is master")


def _by_record(recorded, servers):
    """The master in the Sentinels' files, when all files agree and no running server contradicts."""
    names = sorted(set(recorded))
    if len(names) > 1:
        return _undecided(f"no Sentinel answers and their files name different masters: {', '.join(names)}")
    others = [
        row["server"]
        for row in servers
        if row["reachable"] and row["role"] == "master" and row["server"] != names[0] and _in_use(row)
    ]
    if others:
        return _undecided(
            f"the Sentinels' files name {names[0]}, but {others[0]} runs as master with data or replicas", names[0]
        )
    return _known(names[0], "record", f"no Sentinel answers; their files name {names[0]}")


def _in_use(row):
    return bool(row["keys"] or row["replicas"])


def _by_servers(running):
    """The only server in use, when no Sentinel was ever told."""
    used = [row for row in running if row["role"] == "master" and _in_use(row)]
    followed = sorted({row["master"] for row in running if row["role"] == "replica"})
    candidates = sorted({row["server"] for row in used} | set(followed))
    if not candidates:
        return {
            "state": FRESH,
            "master": "",
            "source": "",
            "reason": "no Sentinel answers and no server holds data or follows another",
        }
    if len(candidates) > 1:
        return _undecided(f"no Sentinel answers, and several servers could be master: {', '.join(candidates)}")
    if candidates[0] not in {row["server"] for row in running if row["role"] == "master"}:
        return _undecided(
            f"no Sentinel answers, and servers follow {candidates[0]}, which is not a running master of this group",
            candidates[0],
        )
    return _known(candidates[0], "servers", f"no Sentinel answers; {candidates[0]} is the only master in use")
