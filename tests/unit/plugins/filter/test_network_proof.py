# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.filter.network_proof import probe_problems, probe_targets

EDGE, DB = {"name": "edge1", "address": "10.0.0.5"}, {"name": "db1", "address": "10.0.0.31"}
MEMBERS = {"all": [EDGE, DB], "edge": [EDGE], "postgresql": [DB]}
FLOWS = [
    {"name": "ssh", "from": ["operators"], "to": "all", "ports": [22]},
    {"name": "web", "from": ["world"], "to": "edge", "ports": [443]},
    {"name": "pooler", "from": ["edge"], "to": "postgresql", "ports": [6432]},
    {"name": "gossip", "from": ["edge"], "to": "postgresql", "ports": [9094], "proto": "udp"},
    {"name": "vrrp", "from": ["edge"], "to": "edge", "ports": [], "proto": "vrrp"},
]
MORE = {
    "edge1": ["10.0.0.5", "10.0.0.10", "2001:db8::5", "fe80::1"],
    "db1": ["2001:db8::31", "2001:db8::99"],
    "other": ["2001:db8::99"],
}


def found(address, proto="tcp", source="10.0.0.5", **states):
    empty = {"open": [], "refused": [], "silent": [], "unreachable": []}
    return {"address": address, "source": source, "proto": proto, **empty, **states}


def problems(*probes, host="edge1", strangers=None, idle=None):
    targets = probe_targets(MEMBERS, "10.0.0.10/24", MORE)
    judged = probe_problems({host: list(probes)}, targets, FLOWS, MEMBERS, ["192.0.2.0/24"], idle, strangers)
    assert judged["ports"] > 0
    return judged["problems"]


def test_targets_are_hosts_the_floating_address_and_addresses_of_one_host():
    listed = [(each["name"], each["address"], each["main"]) for each in probe_targets(MEMBERS, "10.0.0.10/24", MORE)]
    assert listed == [
        ("edge1", "10.0.0.5", True),
        ("edge1", "2001:db8::5", False),
        ("db1", "10.0.0.31", True),
        ("db1", "2001:db8::31", False),
        ("floating address", "10.0.0.10", False),
    ]
    assert [each["hosts"] for each in probe_targets(MEMBERS, "10.0.0.10/24", MORE)][-2:] == [["db1"], ["edge1"]]
    assert [each["groups"] for each in probe_targets(MEMBERS)] == [["all", "edge"], ["all", "postgresql"]]


@pytest.mark.parametrize(
    "probe",
    [
        found("10.0.0.31", open=[6432], silent=[22, 443]),
        found("10.0.0.31", "udp", silent=[9094, 53]),
        found("10.0.0.31", silent=[22], unreachable=[5], open=[6432]),
        found("2001:db8::31", source="2001:db8::5", silent=[22, 6432]),
    ],
)
def test_what_the_flows_say_is_no_problem(probe):
    assert problems(probe) == []


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (
            found("10.0.0.31", open=[22, 6432]),
            ("edge1 (10.0.0.5) to db1 (10.0.0.31), port tcp/22", "accepts", "no flow"),
        ),
        (found("10.0.0.31", refused=[23]), ("port tcp/23: found that packets come through", "run site.yml")),
        (found("10.0.0.31", silent=[6432]), ("port tcp/6432: found no answer", "the flow pooler names it")),
        (found("10.0.0.31", refused=[6432]), ("tcp/6432: found that nothing listens", "start the service")),
        (found("10.0.0.31", unreachable=[6432]), ("tcp/6432: found no way there", "route")),
        (found("10.0.0.31", "udp", refused=[53]), ("udp/53: found that packets come through",)),
        (found("10.0.0.31", "udp", refused=[9094]), ("udp/9094: found that nothing listens",)),
        (found("2001:db8::31", source="2001:db8::5", open=[6432]), ("(2001:db8::5) to db1 (2001:db8::31)", "no flow")),
    ],
)
def test_each_difference_says_source_target_port_found_expected_and_remedy(probe, words):
    (said,) = problems(probe)
    for word in words:
        assert word in said


def test_over_another_address_a_named_port_must_come_through_but_nothing_need_listen():
    assert problems(found("2001:db8::5", source="2001:db8::31", refused=[443]), host="db1") == []
    (said,) = problems(found("2001:db8::5", source="2001:db8::31", silent=[443]), host="db1")
    assert "tcp/443: found no answer" in said


def test_the_floating_address_lets_in_what_its_hosts_do_and_a_service_need_not_listen_there():
    assert problems(found("10.0.0.10", source="10.0.0.31", open=[443], silent=[22]), host="db1") == []
    (said,) = problems(found("10.0.0.10", source="10.0.0.31", silent=[443]), host="db1")
    assert "to floating address (10.0.0.10), port tcp/443: found no answer" in said
    assert problems(found("10.0.0.10", source="10.0.0.31", refused=[443]), host="db1") == []


def test_a_host_that_comes_from_another_address_than_declared_is_held_to_the_declared_one():
    (said,) = problems(found("10.0.0.31", source="10.0.9.9", silent=[6432]))
    assert "found no answer" in said


def test_what_a_host_finds_of_itself_does_not_count():
    # Which of its addresses a host asks itself from says nothing: on one network it is the first one.
    own = found("10.0.0.5", open=[1, 2]), found("10.0.0.10", source="10.0.0.5", open=[1, 2])
    assert problems(*own, found("10.0.0.31", silent=[1])) == []


def test_ports_that_may_be_idle():
    assert problems(found("10.0.0.31", refused=[6432]), idle=["6432"]) == []


@pytest.mark.parametrize(
    ("stranger", "count"),
    [
        ({"address": ""}, 1),  # a stranger gets an answer of ssh: the hole
        ({"address": "192.0.2.7"}, 0),  # an operator behind NAT
    ],
)
def test_strangers_are_known_by_their_address(stranger, count):
    probes = [found("10.0.0.31", source="203.0.113.9", open=[22], silent=[6432])]
    quiet = found("10.0.0.31", open=[6432], silent=[22])
    assert len(problems(quiet, strangers=[{"name": "laptop", **stranger, "probes": probes}])) == count


def test_who_found_the_same_stands_in_one_line():
    strangers = [
        {"name": name, "address": "", "probes": [found("10.0.0.31", source=address, refused=[23])]}
        for name, address in (("one", "203.0.113.1"), ("two", "203.0.113.2"))
    ]
    (said,) = problems(found("10.0.0.31", silent=[22]), strangers=strangers)
    assert said.startswith("from one (203.0.113.1), two (203.0.113.2) to db1 (10.0.0.31), port tcp/23: ")


def test_a_probe_of_an_address_that_was_no_target_is_refused():
    with pytest.raises(AnsibleFilterError, match="probe_problems"):
        problems(found("10.9.9.9", open=[1]))
