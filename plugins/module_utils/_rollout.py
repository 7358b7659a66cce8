# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which steps hosts come to another release. Pure; private to this collection."""

from __future__ import annotations

import math
import re

STRATEGIES = ("rolling", "canary", "blue_green")


def hosts_of(batch, count):
    """How many hosts a batch of a number or of a percentage has; None when it is neither."""
    found = re.fullmatch(r"(\d+)(%?)", str(batch).strip())
    if not found or not int(found[1]) or (found[2] and int(found[1]) > 100):
        return None
    return math.ceil(count * int(found[1]) / 100) if found[2] else int(found[1])


def batches(hosts, batch):
    size = hosts_of(batch, len(hosts))
    return [{"hosts": hosts[start : start + size], "percent": 0} for start in range(0, len(hosts), size)]


def steps(hosts, strategy, batch, percents, begun=()):
    """Batches of hosts. Those of a canary carry the percentage that the new release gets, and may be empty.

    A canary goes on where a killed run has left it: hosts that have begun with the release come first, and steps
    that would be for fewer hosts than these are over.
    """
    if strategy != "canary":
        return batches(hosts, batch)
    first = [host for host in hosts if host in begun]
    ordered = first + [host for host in hosts if host not in begun]
    found, start = [], 0
    for percent in map(int, percents):
        until = math.ceil(len(hosts) * percent / 100)
        if until >= len(first):
            found.append({"hosts": ordered[start:until], "percent": percent})
            start = until
    return found


def problems(given, hosts):
    """Say what is wrong with the inputs of a rollout, one sentence each."""
    found = []
    if given["strategy"] not in STRATEGIES:
        found.append(f"app_strategy: found {given['strategy']!r}, expected {' or '.join(STRATEGIES)}; correct it")
    if hosts_of(given["batch"], len(hosts)) is None:
        found.append(
            f"app_batch: found {given['batch']!r}, expected a number of hosts from 1, or a percentage such as 25%; "
            "correct it"
        )
    if given["strategy"] == "canary":
        found += canary_problems(given["canary_steps"], hosts)
        found += source_problems(given.get("backends", ()), {host["address"] for host in hosts})
    return found


def canary_problems(percents, hosts):
    whole = all(str(percent).isdigit() for percent in percents)
    numbers = [int(percent) for percent in percents] if whole else []
    rising = all(earlier < later for earlier, later in zip([0, *numbers], numbers, strict=False))
    if not numbers or not rising or numbers[-1] != 100:
        yield (
            f"app_canary_steps: found {', '.join(map(str, percents)) or 'none'}, expected whole percentages from 1 "
            "that rise and end with 100; correct them"
        )
    if len(hosts) < 2:
        yield (
            f"app_strategy: found canary and {len(hosts)} application host, expected two or more: the old release "
            "serves beside the new one; use rolling"
        )


def source_problems(backends, addresses):
    for backend in backends:
        ours = any(server["address"] in addresses for server in backend["servers"])
        if ours and backend.get("balance") == "source":
            yield (
                f"app_strategy: found canary and backend {backend['name']} with balance source, expected roundrobin or "
                "leastconn: by source HAProxy knows no weights between nothing and everything; use rolling"
            )


def shares(percent, new, old):
    """Weights up to 256 that give each of the new servers its part of a percentage, and the old ones the rest."""
    if not new or not old or percent >= 100:
        return 1, 1
    if not percent:
        return 0, 1
    one, other = percent * old, (100 - percent) * new
    scale = max(one, other, 256) / 256
    return max(1, round(one / scale)), max(1, round(other / scale))


def colours(backends, green, addresses):
    """The states of servers that turn clients over at once: to the second set, or back to the first somewhere."""
    pairs = [(backend["name"], server) for backend in backends for server in backend["servers"]]
    first = [(name, server) for name, server in pairs if not server.get("standby") and server["address"] in addresses]
    second = [(name, server) for name, server in pairs if server.get("standby")]
    come, leave = (second, first) if green else (first, second)
    # Who comes first is told first: somebody is always there.
    return [{"backend": name, "server": server["name"], "state": "ready"} for name, server in come] + [
        {"backend": name, "server": server["name"], "state": "drain"} for name, server in leave
    ]


def edge_shares(backends, addresses, percent):
    """The weight of every server, when those at some addresses get a percentage of the requests of their backend.

    Those that stand by have no part in it.
    """
    found = []
    for backend in backends:
        servers = [server for server in backend["servers"] if not server.get("standby")]
        new = sum(server["address"] in addresses for server in servers)
        weights = shares(percent, new, len(servers) - new)
        for server in servers:
            weight = weights[0 if server["address"] in addresses else 1]
            found.append({"backend": backend["name"], "server": server["name"], "weight": weight})
    return found


def others(backends, hosts, batches):
    """For each batch and each backend that it takes servers from, those that are left to serve, where there are any."""
    found = []
    for batch in batches:
        addresses = {host["address"] for host in hosts if host["name"] in batch["hosts"]}
        for backend in backends:
            first = [server for server in backend["servers"] if not server.get("standby")]
            left = [f"{backend['name']}/{server['name']}" for server in first if server["address"] not in addresses]
            if left and len(left) < len(first) and left not in found:
                found.append(left)
    return found


def rest(backends, leaving, busy):
    """For each backend that loses servers, at ADDRESS:PORTs, those that are left to serve, where there are any.

    Not those of hosts that are changed at the same time. Those that stand by serve where clients were turned to them.
    """
    found = []
    for backend in backends:
        named = {f"{server['address']}:{server['port']}": server for server in backend["servers"]}
        if not set(named) & set(leaving):
            continue
        left = [server for place, server in named.items() if place not in leaving and server["address"] not in busy]
        if any(not server.get("standby") for server in left):
            found.append([f"{backend['name']}/{server['name']}" for server in left])
    return found


def interrupted(backends, hosts, batches):
    """The backends that a batch leaves without any server: each of its hosts takes one away at a time."""
    addresses = {host["name"]: host["address"] for host in hosts}
    found = []
    for backend in backends:
        first = [server["address"] for server in backend["servers"] if not server.get("standby")]
        taken = [len({addresses[name] for name in batch["hosts"]} & set(first)) for batch in batches]
        if first and max(taken, default=0) >= len(first):
            found.append(backend["name"])
    return found
