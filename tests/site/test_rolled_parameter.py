"""A setting that needs a restart, by a plain run under writes: replicas first, one switchover, nothing fails."""

from __future__ import annotations

import json

import pytest
from test_rotation import Direct
from test_states import members, starts

from tests.lab import Lab, cluster, primary

# wal_buffers is read at a start only, and a replica may have another value than its primary.
SETTING, VALUE = "wal_buffers", "5MB"
LONGEST = 2.0  # seconds without a write


def used(lab: Lab, host: str) -> str:
    return lab.shell(host, f"runuser -u postgres -- psql -XAtqc 'show {SETTING}'")


def timeline(lab: Lab) -> int:
    return next(int(member["TL"]) for member in cluster(lab) if member["Role"] == "Leader")


def rolled(lab: Lab, *arguments: str) -> str:
    """Run under writes, and judge all that a rolling restart promises; gives the value in use before."""
    hosts, before, was = members(lab), primary(lab), timeline(lab)
    started, value = dict(zip(hosts, starts(lab, hosts), strict=True)), used(lab, before)
    with Direct(lab) as client:
        run = lab.playbook("data", *arguments)
    assert run.status == 0, run.tail()
    now = dict(zip(hosts, starts(lab, hosts), strict=True))
    print(f"{len(client.keys)} writes, longest gap {client.longest_gap:.2f} s, {len(client.failed)} failed statements")
    print(f"primary {before} -> {primary(lab)}, restarted in the order {sorted(hosts, key=now.get)}")
    assert all(now[host] > started[host] for host in hosts), "not every member has restarted"
    assert max(hosts, key=now.get) == before, "the former primary was not the last to restart"
    assert primary(lab) != before and timeline(lab) == was + 1, "expected one switchover"
    assert len({used(lab, host) for host in hosts}) == 1
    assert client.failed == []
    assert client.lost() == []
    assert client.longest_gap < LONGEST
    again = lab.playbook("data", *arguments)
    assert again.status == 0, again.tail()
    assert again.changed == {}, again.tail(200)
    assert dict(zip(hosts, starts(lab, hosts), strict=True)) == now, "a second run restarted a member"
    return value


def test_a_setting_is_rolled_and_rolled_back(lab: Lab):
    if len(members(lab)) < 3:
        pytest.skip("one member has nobody to hand over to")
    before = rolled(lab, "-e", json.dumps({"postgresql_settings": {SETTING: VALUE}}))
    assert before != VALUE and used(lab, primary(lab)) == VALUE
    rolled(lab)
    assert used(lab, primary(lab)) == before
