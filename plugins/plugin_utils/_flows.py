# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Declared flows as firewall rules and pg_hba lines. Pure; private to this collection."""

from __future__ import annotations

import ipaddress

WORLD = "world"
OPERATORS = "operators"
EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}
PROTOCOLS = ("tcp", "udp", "vrrp")
FAMILY = {4: "ip", 6: "ip6"}


def addresses(name, members, operators):
    """The networks behind a name of a flow's `from`: world, operators or a group; sorted, each once."""
    if name == WORLD:
        found = EVERYWHERE.values()
    elif name == OPERATORS:
        found = operators
    else:
        found = [item["address"] if isinstance(item, dict) else item for item in members.get(name) or []]
    return [parse(text, name) for text in found]


def parse(text, owner):
    """An address or network; the owner tells where a wrong one came from."""
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(
            f"{owner}: found {text!r}; expected an address or a network without host bits ({error}), or a group where "
            "one may stand; correct it in the inventory"
        ) from error


def sources(names, members, operators):
    """All networks of several names, sorted, without those that a wider one holds."""
    return narrowed({network for name in names for network in addresses(name, members, operators)})


def narrowed(found):
    """Networks, sorted, without those that a wider one holds."""
    wide = [network for network in found if network.prefixlen < network.max_prefixlen]
    kept = [network for network in found if not any(network != other and _holds(other, network) for other in wide)]
    return sorted(kept, key=lambda network: (network.version, network))


def _holds(wide, network):
    return wide.version == network.version and network.subnet_of(wide)


def text_of(network):
    """A network as nftables and people write it: a single address without its prefix."""
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def check_flow(flow, known):
    """Raise ValueError with object, found, expected and remedy for a flow that cannot be right."""
    name = flow.get("name", "a flow without a name")
    unknown = sorted(set(flow) - {"name", "from", "to", "ports", "proto", "why"})
    if unknown:
        raise ValueError(
            f"flow {name}: found unknown keys {', '.join(unknown)}; expected name, from, to, ports, proto and why"
        )
    for key in ("name", "from", "to"):
        if not flow.get(key):
            raise ValueError(f"flow {name}: found no {key}; expected one; add it")
    proto = flow.get("proto", "tcp")
    if proto not in PROTOCOLS:
        raise ValueError(f"flow {name}: found proto {proto}; expected one of {', '.join(PROTOCOLS)}")
    for port in flow.get("ports") or []:
        if isinstance(port, bool) or not str(port).isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"flow {name}: found port {port!r}; expected a number from 1 to 65535")
    if known:
        strange = sorted({*flow["from"], flow["to"]} - set(known) - {WORLD, OPERATORS, "all"})
        if strange:
            raise ValueError(
                f"flow {name}: found group {', '.join(strange)}; expected one of {', '.join(sorted(set(known)))}; "
                "correct the name"
            )


def rule(flow, family, networks, side="saddr"):
    """One firewall rule, as data and as the match that nftables reads; the networks are on that side."""
    proto = flow.get("proto", "tcp")
    ports = sorted({int(port) for port in flow.get("ports") or []})
    texts = [text_of(network) for network in networks]
    source = "" if EVERYWHERE[4] in texts or EVERYWHERE[6] in texts else f"{family} {side} {{ {', '.join(texts)} }} "
    numbers = ", ".join(str(port) for port in ports)
    if proto == "vrrp":
        match = published = f"{source}meta l4proto 112"
    else:
        # A published container port is rewritten before the forward chain sees the packet:
        # only conntrack knows the port that was asked for.
        match = f"{source}{proto} dport {{ {numbers} }}"
        published = f"{source}meta l4proto {proto} ct original proto-dst {{ {numbers} }}"
    if not source:
        match, published = (
            f"meta nfproto {'ipv4' if family == 'ip' else 'ipv6'} {item}" for item in (match, published)
        )
    return {
        "name": flow["name"],
        "why": flow.get("why", ""),
        "proto": proto,
        "ports": ports,
        "family": family,
        "sources": texts,
        "match": match,
        "match_published": published,
    }


def nftables(flows, host_groups, members, operators, known=None):
    """The rules of a host in these groups. A flow that nobody can use gives no rule."""
    rules = []
    for flow in flows:
        check_flow(flow, known)
        if flow["to"] != "all" and flow["to"] not in host_groups:
            continue
        if not flow.get("ports") and flow.get("proto", "tcp") != "vrrp":
            continue
        rules += by_family(flow, sources(flow["from"], members, operators), "saddr")
    return rules


def by_family(flow, networks, side):
    """One rule for each family of addresses among the networks."""
    for version in (4, 6):
        family = [network for network in networks if network.version == version]
        if family:
            yield rule(flow, FAMILY[version], family, side)


def outbound(flows, external, host, members, operators, floating, known=None):
    """The rules for what a host may reach: the other end of each flow that it may use, and what lies outside.

    `host` has groups and address; in `external` the key `to` lists groups, networks or the world.
    """
    rules = []
    own = [*host["groups"], "all", WORLD]
    if any(_holds(parse(text, OPERATORS), parse(host["address"], "this host")) for text in operators):
        own.append(OPERATORS)
    for flow in [*flows, *external]:
        ends = [flow["to"]] if isinstance(flow.get("to"), str) else list(flow.get("to") or [])
        check_flow({**flow, "to": flow["to"] if flow in flows else "all"}, known)
        if not set(flow["from"]) & set(own) or not (flow.get("ports") or flow.get("proto") == "vrrp"):
            continue
        found = {network for end in ends for network in destinations(end, flow["name"], members, floating, known)}
        rules += by_family(flow, narrowed(found), "daddr")
    return rules


def destinations(name, flow, members, floating, known):
    """The networks behind an end of a flow: the world, the hosts of a group, or a network as it is written."""
    if name == WORLD:
        return [parse(text, name) for text in EVERYWHERE.values()]
    if name in members or name in (known or ()):
        # Clients of the edge reach it by the address that floats.
        texts = [floating] if floating and name in ("edge", "all") else []
        return [*addresses(name, members, []), *(parse(text, "floating address") for text in texts)]
    return [parse(name, f"flow {flow}")]


def blocked(networks, spared):
    """Networks of a blocklist by family, each address once; one that holds an address that is spared is refused."""
    found = [parse(str(text), "blocklist") for text in networks]
    for name, text in spared.items():
        for network in found:
            if _holds(network, parse(text, name)):
                raise ValueError(
                    f"blocklist: found {network}, which holds {text} of {name}; expected none of the platform's "
                    "addresses, nor the one that Ansible comes from; take it out of the list"
                )
    return {
        name: [text_of(network) for network in ipaddress.collapse_addresses(n for n in found if n.version == version)]
        for version, name in FAMILY.items()
    }


def pg_hba(flows, access, members, to, port, method):
    """pg_hba lines: every access for every address of its groups, when a flow lets that group in."""
    allowed = {
        name
        for flow in flows
        if flow["to"] in (to, "all") and port in [int(item) for item in flow.get("ports") or []]
        for name in flow["from"]
    }
    lines = []
    for entry in access:
        strange = sorted(set(entry.get("from") or []) - allowed)
        if strange:
            raise ValueError(
                f"access of {', '.join(entry['users'])}: found group {', '.join(strange)}; expected one that a "
                f"flow lets reach {to} on port {port} "
                f"({', '.join(sorted(allowed)) or 'none does'}); add the flow or remove the access"
            )
        networks = sources(entry.get("from") or [], members, [])
        for database in entry["databases"]:
            for user in entry["users"]:
                for network in networks:
                    lines.append(
                        f"{entry.get('type', 'hostssl')} {database} {user} {network} {entry.get('method', method)}"
                    )
    return list(dict.fromkeys(lines))
