# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts should find when they probe each other, and what is wrong with what they found. Pure; private.

It reads the declared flows by itself, and not by the rules that are made of them: a mistake in those must show.
"""

from __future__ import annotations

import ipaddress

from ansible_collections.mainstay.platform.plugins.plugin_utils._flows import OPERATORS, WORLD

FLOATING = "floating address"


def targets(members, floating, more):
    """Every address of the platform that is probed, with the groups of its host and the hosts that have it.

    `members` are the hosts of every group, `floating` the edge's address or empty, `more` all addresses by host.
    """
    found = []
    for host in members["all"]:
        groups = sorted(name for name, hosts in members.items() if any(each["name"] == host["name"] for each in hosts))
        for address in [host["address"], *addresses_of_one(host["name"], more)]:
            main = address == host["address"]
            found.append(
                {"name": host["name"], "address": address, "groups": groups, "main": main, "hosts": [host["name"]]}
            )
    if floating and members.get("edge"):
        holders = [host for host, addresses in more.items() if floating in addresses]
        found.append(
            {"name": FLOATING, "address": floating, "groups": ["all", "edge"], "main": False, "hosts": holders}
        )
    return found


def addresses_of_one(host, more):
    """Addresses of a host beside the platform's: of IPv6, not of one link only, and nobody else's."""
    owners = [address for addresses in more.values() for address in set(addresses)]
    parsed = [each for each in map(ipaddress.ip_address, more.get(host) or []) if each.version == 6]
    return [
        str(each)
        for each in sorted(parsed)
        if not each.is_link_local and not each.is_loopback and owners.count(str(each)) == 1
    ]


def within(address, networks):
    one = ipaddress.ip_address(address)
    return any(one in ipaddress.ip_network(network) for network in networks)


def named(flows, members, operators, source, target, proto):
    """The ports that the flows name from an address to a target, each with the flow's name."""
    found = {}
    for flow in flows:
        if flow.get("proto", "tcp") != proto or flow["to"] not in ("all", *target["groups"]):
            continue
        if any(_speaks_of(name, members, operators, source) for name in flow["from"]):
            found.update({int(port): flow["name"] for port in flow.get("ports") or []})
    return found


def _speaks_of(name, members, operators, source):
    if name == WORLD:
        return True
    if name == OPERATORS:
        return within(source, operators)
    return any(source == each["address"] for each in members.get(name) or [])


def judge(sources, aims, matrix, idle):
    """Problems of what hosts found, each with all who found it, and how many ports were looked at.

    A source holds name, address and probes; `matrix` flows, members and operators; `idle` are ports on which
    nothing needs to listen.
    """
    by_address = {aim["address"]: aim for aim in aims}
    problems, count = {}, 0
    for source in sources:
        for found in source["probes"]:
            aim, address = by_address[found["address"]], _seen_as(source, found)
            # A host that asks itself does not come by its firewall; without a route of that family there is no way.
            if source["name"] in aim["hosts"] or not address:
                continue
            expected = named(**matrix, source=address, target=aim, proto=found["proto"])
            count += sum(len(found[state]) for state in ("open", "refused", "silent", "unreachable"))
            for port, text in [*_unnamed(found, expected), *_missing(found, expected, aim, idle)]:
                what = f"to {aim['name']} ({aim['address']}), port {found['proto']}/{port}: {text}"
                problems.setdefault(what, []).append(f"{source['name']} ({address})")
    return [f"from {', '.join(who)} {what}" for what, who in problems.items()], count


def _seen_as(source, found):
    """The address that the matrix knows the host by; one of another family is the one that it really used."""
    declared, used = source["address"], found["source"]
    if declared and (":" in declared) == (":" in found["address"]):
        return declared
    return used


def _unnamed(found, expected):
    """What comes through although no flow names it."""
    said = {"open": "that it accepts", "refused": "that packets come through, though nothing listens"}
    for state, text in said.items():
        for port in found[state]:
            if port not in expected:
                yield (
                    port,
                    f"found {text}; expected no answer, for no flow names it; run site.yml, which closes it, "
                    "or declare it in platform_flows",
                )


def _missing(found, expected, aim, idle):
    """What a flow names and does not answer."""
    said = {"unreachable": ("no way there", "look for the route and for what rejects in between")}
    if found["proto"] == "tcp":  # a service of UDP says nothing to strangers
        said["silent"] = ("no answer", "run site.yml, which opens it, and look for a firewall in between")
    if aim["main"]:  # a service need not listen on other addresses
        said["refused"] = ("that nothing listens", "start the service, or take the port out of the flow")
    for state, (text, remedy) in said.items():
        for port in found[state]:
            if port in expected and not (state == "refused" and port in idle):
                yield (
                    port,
                    f"found {text}; expected an answer, for the flow {expected[port]} names it; {remedy}",
                )
