# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Divides a network into zones and tiers. Pure; private to this collection."""

from __future__ import annotations

import ipaddress


def plan(base, zones, tiers, prefix=24, step=10):
    """{tier: {zone: subnet}}. Subnet number = position of the tier times `step` plus position of the zone, from 1."""
    network = parse_base(base)
    if prefix <= network.prefixlen or prefix > network.max_prefixlen:
        raise ValueError(
            f"prefix: found /{prefix}; expected one longer than /{network.prefixlen} of {network}; choose a "
            "longer prefix or a larger base"
        )
    for kind, names in (("zones", zones), ("tiers", tiers)):
        if not names or len(set(names)) != len(names):
            raise ValueError(f"{kind}: found {names}; expected at least one name, each once")
    if len(zones) > step:
        raise ValueError(
            f"zones: found {len(zones)}; expected at most {step}, or the subnets of two tiers overlap; raise step"
        )
    last = (len(tiers) - 1) * step + len(zones)
    size = 1 << (prefix - network.prefixlen)
    if last >= size:
        raise ValueError(
            f"base: found {network}, which holds {size} subnets of /{prefix}; expected room for number "
            f"{last}; choose a larger base, a longer prefix or a smaller step"
        )
    width = 1 << (network.max_prefixlen - prefix)

    def subnet(number):
        return str(ipaddress.ip_network((int(network.network_address) + number * width, prefix)))

    return {
        tier: {zone: subnet(row * step + column + 1) for column, zone in enumerate(zones)}
        for row, tier in enumerate(tiers)
    }


def parse_base(base):
    """The base as a network without host bits."""
    try:
        return ipaddress.ip_network(base)
    except ValueError as error:
        raise ValueError(
            f"base: found {base!r}; expected a network such as 10.0.0.0/16 without host bits ({error})"
        ) from error


def check_disjoint(networks):
    """Problems of named networks that overlap each other."""
    named = [(name, parse_base(text)) for name, text in networks.items()]
    return [
        f"{one}: found {first}, which overlaps {second} of {other}; expected networks that share no "
        "address; change one of them"
        for position, (one, first) in enumerate(named)
        for other, second in named[position + 1 :]
        if first.version == second.version and first.overlaps(second)
    ]
