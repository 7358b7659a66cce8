# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what HAProxy says of a server and decides what it needs. Pure; private to this collection."""

from __future__ import annotations

import csv
import io

from ansible_collections.mainstay.platform.plugins.module_utils._systemd import timer

# Bits of srv_admin_state and srv_check_state in `show servers state`; while a check is under way, 0x01 is set too.
FORCED_MAINT, FORCED_DRAIN = 0x01, 0x08
CHECK_CONFIGURED, CHECK_ENABLED = 0x02, 0x04


def table(servers):
    """The rows of `show servers state`."""
    lines = [line for line in servers.splitlines() if line.strip()]
    header = next((line.lstrip("# ").split() for line in lines if line.startswith("#")), [])
    rows = [dict(zip(header, line.split(), strict=False)) for line in lines if not line.startswith("#")]
    return [row for row in rows if "srv_name" in row]


def statistics(stats):
    """The rows of `show stat`."""
    return csv.DictReader(io.StringIO(stats.lstrip("# ")))


def admin_state(row):
    admin = int(row["srv_admin_state"])
    return "maint" if admin & FORCED_MAINT else "drain" if admin & FORCED_DRAIN else "ready"


def leading_to(servers, addresses):
    """The servers that lead to some of ADDRESS:PORT, as (backend, server), from the answer to `show servers state`."""
    return [
        (row["be_name"], row["srv_name"])
        for row in table(servers)
        if f"{row['srv_addr']}:{row.get('srv_port')}" in addresses
    ]


def shares(servers):
    """{(backend, server): {weight, state}} of every server, from the answer to `show servers state`."""
    return {
        (row["be_name"], row["srv_name"]): {"weight": int(row["srv_uweight"]), "state": admin_state(row)}
        for row in table(servers)
    }


def share_commands(found, wanted):
    """The commands that bring servers to weights and states; weights first, so that nobody comes with an old one."""
    known = [item for item in wanted if (item["backend"], item["server"]) in found]
    return [
        f"set server {item['backend']}/{item['server']} {what} {item[what]}"
        for what in ("weight", "state")
        for item in known
        if item.get(what) is not None and found[(item["backend"], item["server"])][what] != item[what]
    ]


def server_state(servers, stats, backend, server):
    """{state, health, up, sessions} of one server, from the answers to `show servers state` and `show stat`.

    None when there is no such server.
    """
    row = next((row for row in table(servers) if row["be_name"] == backend and row["srv_name"] == server), None)
    lines = statistics(stats)
    numbers = next((line for line in lines if line.get("pxname") == backend and line.get("svname") == server), None)
    if row is None or numbers is None:
        return None
    check = int(row["srv_check_state"])
    health = None if not check & CHECK_CONFIGURED else "enabled" if check & CHECK_ENABLED else "disabled"
    return {
        "state": admin_state(row),
        "health": health,
        "up": int(row["srv_op_state"]) == 2,
        "sessions": int(numbers["scur"] or 0),
    }


def commands(found, wanted, backend, server):
    """The commands that bring a server to what is wanted: its health checks first, as its state may rest on them."""
    given = []
    if wanted.get("health") and found["health"] not in (None, wanted["health"]):
        given.append(f"{wanted['health'][:-1]} health {backend}/{server}")
    if wanted.get("state") and found["state"] != wanted["state"]:
        given.append(f"set server {backend}/{server} state {wanted['state']}")
    return given


def missing(found, wanted):
    """What a server still lacks of what is waited for, in words; empty when it has all of it."""
    lacks = []
    if wanted.get("sessions") is not None and found["sessions"] > wanted["sessions"]:
        lacks.append(f"{found['sessions']} sessions")
    if wanted.get("up") is not None and found["up"] != wanted["up"]:
        lacks.append("it is up" if found["up"] else "it is not up")
    return ", ".join(lacks)


def expiry(unit, seconds, backend, server, sockets):
    """The command after which the host itself has a server ready and asked for its health, some seconds later."""
    words = f"enable health {backend}/{server}; set server {backend}/{server} state ready"
    script = "; ".join(f"echo '{words}' | socat -t5 - {path}" for path in sockets)
    return timer(unit, seconds, ["sh", "-c", script])


def admitted(lines):
    """The percentage in lines of a map, or None when there is none."""
    for line in lines:
        words = line.split()
        if len(words) == 2 and words[0] == "clients" and words[1].isdigit() and int(words[1]) <= 100:
            return int(words[1])
    return None


def under_way(stats, backends):
    """The requests that some backends have, in words, from the answer to `show stat`; empty when there are none."""
    rows = statistics(stats)
    counts = {row["pxname"]: int(row["scur"] or 0) for row in rows if row.get("svname") == "BACKEND"}
    return ", ".join(f"{counts[name]} of {name}" for name in backends if counts.get(name))
