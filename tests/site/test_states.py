"""A run on a cluster that is paused, degraded or failing over waits or refuses, and makes nothing worse."""

from __future__ import annotations

import json
import time

from tests.lab import Lab, cluster, primary, replica

PATRONICTL = "patronictl -c /etc/patroni/config.yml"
# A parameter that needs a restart of every member.
RESTART = json.dumps({"postgresql_settings": {"wal_buffers": "5MB"}})


def starts(lab: Lab, hosts: list[str]) -> list[str]:
    """When each server was started: a restart shows."""
    ask = "runuser -u postgres -- psql -XAtc 'select pg_postmaster_start_time()'"
    return [lab.shell(host, ask) for host in hosts]


def members(lab: Lab) -> list[str]:
    return sorted(member["Member"] for member in cluster(lab))


def whole_again(lab: Lab) -> None:
    deadline = time.monotonic() + 180
    while lab.playbook("verify", "--limit", "postgresql").status != 0:
        assert time.monotonic() < deadline, "the cluster is not whole again"
    back = lab.playbook("data")  # a refused run may have written what it could not bring to life
    assert back.status == 0, back.tail()
    again = lab.playbook("data")
    assert again.status == 0, again.tail()
    assert again.changed == {}, again.tail(200)


def test_a_paused_cluster_is_refused(lab: Lab):
    before, started = primary(lab), starts(lab, members(lab))
    lab.shell(before, f"{PATRONICTL} pause --wait")
    try:
        run = lab.playbook("data", "-e", RESTART)
        switch = lab.playbook("switchover")
    finally:
        lab.shell(before, f"{PATRONICTL} resume --wait")
    for refused in (run, switch):
        assert refused.status != 0
        assert "paused" in refused.output, refused.tail()
    assert primary(lab) == before
    assert starts(lab, members(lab)) == started
    whole_again(lab)


def test_a_degraded_cluster_restarts_nothing(lab: Lab):
    before, lost = primary(lab), replica(lab)
    others = [host for host in members(lab) if host != lost]
    started = starts(lab, others)
    lab.docker("kill", f"{lab.name}-{lost}")
    try:
        run = lab.playbook("data", "-e", RESTART)
        assert run.status != 0
        assert lost in run.output
        assert primary(lab) == before
        assert starts(lab, others) == started
    finally:
        lab.docker("start", f"{lab.name}-{lost}")
    whole_again(lab)


def test_a_run_in_the_middle_of_a_failover_lets_it_happen(lab: Lab):
    before = primary(lab)
    lab.docker("kill", f"{lab.name}-{before}")
    try:
        run = lab.playbook("data", "--limit", f"all:!{before}")
        after = primary(lab)
        assert after != before
        assert run.status == 0 or "expected" in run.output, run.tail()
        assert run.changed == {}, run.tail(200)
    finally:
        lab.docker("start", f"{lab.name}-{before}")
    whole_again(lab)
    assert primary(lab) == after
