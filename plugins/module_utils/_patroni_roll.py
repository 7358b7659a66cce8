# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides which member of a cluster restarts next. Pure; private to this collection."""

from __future__ import annotations

LEADER = "leader"
SYNC = ("sync_standby", "quorum_standby")
NONE, RESTART, SWITCHOVER = "none", "restart", "switchover"


def step(action, member="", candidate="", done=()):
    return {"action": action, "member": member, "candidate": candidate, "done": list(done)}


def next_step(members, done, synchronous):
    """What comes next, with what was done so far in this round.

    `members` are dictionaries with name, role and pending (waits for a restart). Replicas go first, then the primary
    gives its role to one of them and restarts as a replica. Where no replica can take over, the primary restarts in
    its place: it is alone, or a setting was lowered that no replica may have lower than its primary.
    """
    waiting = [item for item in members if item["pending"] and item["name"] not in done]
    replicas = sorted((item for item in waiting if item["role"] != LEADER), key=lambda item: item["role"] in SYNC)
    if replicas:
        name = replicas[0]["name"]
        return step(RESTART, name, done=[*done, name])
    if not waiting:
        stuck = [item["name"] for item in members if item["pending"]]
        if stuck:
            raise ValueError(
                f"{', '.join(stuck)}: found still waiting for a restart after one; expected the settings to hold; "
                "read journalctl -u patroni there"
            )
        return step(NONE, done=done)
    leader = waiting[0]["name"]
    able = [
        item["name"]
        for item in members
        if item["role"] != LEADER and not item["pending"] and (not synchronous or item["role"] in SYNC)
    ]
    if able:
        return step(SWITCHOVER, leader, able[0], done)
    # The replicas that are left follow their primary's settings only now.
    return step(RESTART, leader, done=[leader])
