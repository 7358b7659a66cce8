"""The network is what the flows say, seen by every host and from outside; a rule more or less is found."""

from __future__ import annotations

import json
import sys

import pytest

from tests.lab import Lab, Run

EXTRA = 4444
TABLE = "inet mainstay"


@pytest.fixture(scope="module")
def strangers(lab: Lab):
    """A host in the lab's network that is nobody's, and this machine, from where operators come."""
    with lab.stranger() as (name, _address):
        yield [
            {"name": name, "connection": "community.docker.docker"},
            {"name": "controller", "connection": "local", "python": sys.executable},
        ]


def prove(lab: Lab, strangers: list[dict]) -> Run:
    ports = [EXTRA, 2375]
    wanted = {"network_proof_outside": strangers, "network_proof_tcp_ports": ports, "network_proof_random_ports": 10}
    return lab.playbook("prove_network", "-e", json.dumps(wanted))


def said(run: Run) -> str:
    """What a proof that failed says, in one line; wrapped texts are joined."""
    assert run.status != 0, run.tail()
    return " ".join(run.output.partition("fatal: ")[2].split())


def test_the_network_is_what_the_flows_say(lab: Lab, strangers):
    run = lab.playbook("prove_network", "-e", json.dumps({"network_proof_outside": strangers}))
    assert run.status == 0, run.tail()
    assert run.changed == {}
    assert f"from {len(lab.hosts)} hosts and 2 outside; 0 differences" in " ".join(run.output.split())


def test_a_rule_that_was_added_by_hand_is_found(lab: Lab, strangers):
    host = lab.hosts[-1]
    lab.shell(host, f"nft insert rule {TABLE} input tcp dport {EXTRA} accept")
    try:
        found = said(prove(lab, strangers))
    finally:
        lab.shell(host, "systemctl restart mainstay-firewall")
    assert f"to {host} ({lab.address(host)}), port tcp/{EXTRA}: found that packets come through" in found
    assert "expected no answer, for no flow names it; run site.yml" in found
    assert "; 1 differences" in found, "another port answers too"
    assert f"{lab.name}-outside (" in found and "controller (" in found


def test_a_rule_that_was_removed_by_hand_is_found(lab: Lab, strangers):
    """Not that of ssh, by which the proof comes."""
    host = next(host for host in lab.hosts if host.startswith("db"))
    handle = f"nft -a list chain {TABLE} input | sed -n '/comment \"host metrics\"/ s/.*# handle //p'"
    lab.shell(host, f"nft delete rule {TABLE} input handle $({handle})")
    try:
        found = said(prove(lab, strangers))
    finally:
        lab.shell(host, "systemctl restart mainstay-firewall")
    assert f"from {lab.backup_host} (" in found
    assert f"to {host} ({lab.address(host)}), port tcp/9100: found no answer" in found
    assert "the flow host metrics names it" in found and "; 1 differences" in found


def test_and_what_was_done_is_undone(lab: Lab, strangers):
    run = prove(lab, strangers)
    assert run.status == 0, run.tail()
