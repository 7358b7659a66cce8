# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.filter.flows import (
    blocked_networks,
    flows_to_nftables,
    flows_to_nftables_outbound,
    flows_to_pg_hba,
)

MEMBERS = {
    "app": [{"name": "app2", "address": "10.0.0.12"}, {"name": "app1", "address": "10.0.0.11"}],
    "edge": [{"name": "edge1", "address": "10.0.0.5"}],
    "six": ["2001:db8::1"],
    "empty": [],
}


def flow(**changes):
    return {"name": "f", "from": ["app"], "to": "edge", "ports": [443], "why": "w", **changes}


def matches(*flows, groups=("edge",), operators=()):
    return [rule["match"] for rule in flows_to_nftables(list(flows), list(groups), MEMBERS, list(operators))]


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, ["ip saddr { 10.0.0.11, 10.0.0.12 } tcp dport { 443 }"]),
        ({"ports": ["443", 80, 443], "proto": "udp"}, ["ip saddr { 10.0.0.11, 10.0.0.12 } udp dport { 80, 443 }"]),
        ({"from": ["world", "app"]}, ["meta nfproto ipv4 tcp dport { 443 }", "meta nfproto ipv6 tcp dport { 443 }"]),
        ({"from": ["operators"]}, ["ip saddr { 192.0.2.0/24 } tcp dport { 443 }"]),
        (
            {"from": ["edge", "six"]},
            ["ip saddr { 10.0.0.5 } tcp dport { 443 }", "ip6 saddr { 2001:db8::1 } tcp dport { 443 }"],
        ),
        ({"proto": "vrrp", "ports": [], "from": ["edge"]}, ["ip saddr { 10.0.0.5 } meta l4proto 112"]),
        ({"to": "all"}, ["ip saddr { 10.0.0.11, 10.0.0.12 } tcp dport { 443 }"]),
        ({"to": "app"}, []),
        ({"from": ["empty"]}, []),
        ({"from": ["not there"]}, []),
        ({"ports": []}, []),
    ],
)
def test_rules_of_one_flow(changes, expected):
    assert matches(flow(**changes), operators=["192.0.2.0/24"]) == expected


def test_a_wide_network_swallows_addresses_in_it():
    assert matches(flow(**{"from": ["app", "operators"]}), operators=["10.0.0.0/28"]) == [
        "ip saddr { 10.0.0.0/28 } tcp dport { 443 }"
    ]


def test_published_ports_are_matched_before_translation():
    rule = flows_to_nftables([flow()], ["edge"], MEMBERS)[0]
    assert rule["match_published"] == "ip saddr { 10.0.0.11, 10.0.0.12 } meta l4proto tcp ct original proto-dst { 443 }"


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"port": 1}, "flow f: found unknown keys port"),
        ({"ports": [0]}, "found port 0"),
        ({"ports": ["ssh"]}, "found port 'ssh'"),
        ({"proto": "icmp"}, "found proto icmp"),
        ({"to": ""}, "found no to"),
        ({"from": ["operators"]}, "operators: found '10.0.0.1/8'"),
        ({"from": ["apps"]}, "found group apps; expected one of app, edge"),
    ],
)
def test_flows_that_cannot_be_right_are_refused(changes, message):
    with pytest.raises(AnsibleFilterError, match=message):
        flows_to_nftables([flow(**changes)], ["edge"], MEMBERS, ["10.0.0.1/8"], ["app", "edge"])


def test_pg_hba_gives_one_line_for_database_user_and_address():
    flows = [flow(to="postgresql", ports=[5432], **{"from": ["app", "edge"]})]
    access = [
        {"databases": ["ledger"], "users": ["ledger", "reader"], "from": ["edge"]},
        {"databases": ["replication"], "users": ["rep"], "from": ["app"], "type": "hostssl", "method": "cert"},
    ]
    assert flows_to_pg_hba(flows, access, MEMBERS) == [
        "hostssl ledger ledger 10.0.0.5/32 scram-sha-256",
        "hostssl ledger reader 10.0.0.5/32 scram-sha-256",
        "hostssl replication rep 10.0.0.11/32 cert",
        "hostssl replication rep 10.0.0.12/32 cert",
    ]


def test_pg_hba_refuses_what_the_firewall_would_drop():
    with pytest.raises(
        AnsibleFilterError,
        match="access of u: found group app; expected one that a flow lets reach postgresql on port 5432",
    ):
        flows_to_pg_hba([flow()], [{"databases": ["d"], "users": ["u"], "from": ["app"]}], MEMBERS)


def outbound(*external, groups=("app",), address="10.0.0.11", flows=None, operators=()):
    host = {"groups": list(groups), "address": address}
    known = [*MEMBERS, "all"]
    rules = flows_to_nftables_outbound(
        flows or [flow()], list(external), host, MEMBERS, list(operators), "10.0.0.9", known
    )
    return [rule["match"] for rule in rules]


DNS = {"name": "names", "from": ["all"], "to": ["world"], "ports": [53], "proto": "udp", "why": "w"}


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, ["ip daddr { 10.0.0.5, 10.0.0.9 } tcp dport { 443 }"]),
        ({"from": ["world"]}, ["ip daddr { 10.0.0.5, 10.0.0.9 } tcp dport { 443 }"]),
        ({"from": ["all"], "to": "six"}, ["ip6 daddr { 2001:db8::1 } tcp dport { 443 }"]),
        ({"from": ["edge"]}, []),
        ({"from": ["operators"]}, []),
        ({"to": "empty"}, []),
        ({"proto": "vrrp", "ports": []}, ["ip daddr { 10.0.0.5, 10.0.0.9 } meta l4proto 112"]),
    ],
)
def test_a_host_reaches_the_other_end_of_its_flows(changes, expected):
    assert outbound(flows=[flow(**changes)]) == expected


def test_an_operators_host_reaches_what_operators_do():
    wanted = [flow(**{"from": ["operators"]})]
    assert outbound(flows=wanted, operators=["10.0.0.0/28"]) == ["ip daddr { 10.0.0.5, 10.0.0.9 } tcp dport { 443 }"]


def test_what_lies_outside_is_a_network_a_group_or_the_world():
    mail = {"name": "mail", "from": ["app"], "to": ["192.0.2.25", "edge"], "ports": [587], "why": "w"}
    assert outbound(DNS, mail, groups=["app"], flows=[flow(to="empty")]) == [
        "meta nfproto ipv4 udp dport { 53 }",
        "meta nfproto ipv6 udp dport { 53 }",
        "ip daddr { 10.0.0.5, 10.0.0.9, 192.0.2.25 } tcp dport { 587 }",
    ]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"to": ["192.0.2.1/24"]}, "flow names: found '192.0.2.1/24'"),
        ({"to": ["mailhosts"]}, "flow names: found 'mailhosts'; expected an address or a network"),
        ({"from": ["apps"]}, "found group apps; expected one of"),
        ({"ports": [0]}, "found port 0"),
    ],
)
def test_flows_that_lead_nowhere_are_refused(changes, message):
    with pytest.raises(AnsibleFilterError, match=message):
        outbound({**DNS, **changes})


def test_a_blocklist_has_each_address_once_by_family():
    listed = ["198.51.100.128/25", "198.51.100.0/25", "198.51.100.7", "203.0.113.9", "2001:db8:bad::/48"]
    assert blocked_networks(listed, {"db1": "10.0.0.31"}) == {
        "ip": ["198.51.100.0/24", "203.0.113.9"],
        "ip6": ["2001:db8:bad::/48"],
    }
    assert blocked_networks([]) == {"ip": [], "ip6": []}


@pytest.mark.parametrize(
    "listed, message",
    [
        (["10.0.0.0/24"], "found 10.0.0.0/24, which holds 10.0.0.31 of db1; expected none of the platform's"),
        (["nobody"], "blocklist: found 'nobody'"),
    ],
)
def test_a_blocklist_that_would_shut_us_out_is_refused(listed, message):
    with pytest.raises(AnsibleFilterError, match=message):
        blocked_networks(listed, {"db1": "10.0.0.31"})
