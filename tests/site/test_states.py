"""A run on a cluster that is paused, degraded or failing over waits or refuses, and makes nothing worse."""

from __future__ import annotations

import json
import time

from tests.lab import Lab, Run, cluster, primary, replica, sql, until

PATRONICTL = "patronictl -c /etc/patroni/config.yml"
# A parameter that needs a restart of every member; what is not well is not waited for long.
RESTART = ("--tags", "etcd,postgresql", "-e", json.dumps({"postgresql_settings": {"wal_buffers": "5MB"}}))
SOON = ("-e", json.dumps({"postgresql_deadline": 45, "etcd_deadline": 45}))


def starts(lab: Lab, hosts: list[str]) -> list[str]:
    """When each server was started: a restart shows."""
    ask = "runuser -u postgres -- psql -XAtc 'select pg_postmaster_start_time()'"
    return [lab.shell(host, ask) for host in hosts]


def members(lab: Lab) -> list[str]:
    return sorted(member["Member"] for member in cluster(lab))


def streaming(lab: Lab) -> bool:
    states = sorted(member["State"] for member in cluster(lab))
    return states == ["running", "streaming", "streaming"]


def whole_again(lab: Lab) -> None:
    deadline = time.monotonic() + 180
    while not streaming(lab):
        assert time.monotonic() < deadline, cluster(lab)
        time.sleep(1)
    back = lab.playbook("data")  # a refused run may have written what it could not bring to life
    assert back.status == 0, back.tail()
    again = lab.playbook("data")
    assert again.status == 0, again.tail()
    assert again.changed == {}, again.tail(200)


def reason(run: Run) -> str:
    """Why a run refused: what it said when it failed, in one line."""
    assert run.status != 0, run.tail()
    return " ".join(run.output.partition("fatal: ")[2].split())


def test_a_paused_cluster_is_refused(lab: Lab):
    before, started = primary(lab), starts(lab, members(lab))
    lab.shell(before, f"{PATRONICTL} pause --wait")
    try:
        run = lab.playbook("data", *RESTART, *SOON)
        switch = lab.playbook("switchover", *SOON)
        dry = lab.playbook("switchover", "--check", *SOON)
    finally:
        lab.shell(before, f"{PATRONICTL} resume --wait")
    for refused in (run, switch, dry):
        assert "paused" in reason(refused), refused.tail()
    assert primary(lab) == before
    assert starts(lab, members(lab)) == started
    whole_again(lab)


def test_a_degraded_cluster_restarts_nothing(lab: Lab):
    before, lost = primary(lab), replica(lab)
    others = [host for host in members(lab) if host != lost]
    started = starts(lab, others)
    lab.docker("kill", f"{lab.name}-{lost}")
    try:
        run = lab.playbook("data", "--limit", f"all:!{lost}", *RESTART, *SOON)
        assert lab.address(lost) in reason(run) or f"member {lost}: found" in reason(run), run.tail()
        assert primary(lab) == before
        assert starts(lab, others) == started
    finally:
        lab.docker("start", f"{lab.name}-{lost}")
    whole_again(lab)


def test_a_run_in_the_middle_of_a_failover_lets_it_happen(lab: Lab):
    before = primary(lab)
    others = [host for host in members(lab) if host != before]
    started = starts(lab, others)
    lab.docker("kill", f"{lab.name}-{before}")
    try:
        run = lab.playbook("data", "--limit", f"all:!{before}", *RESTART, *SOON)
        after = primary(lab)
        assert after != before
        assert lab.address(before) in reason(run) or f"member {before}: found" in reason(run), run.tail()
        assert starts(lab, others) == started
    finally:
        lab.docker("start", f"{lab.name}-{before}")
    whole_again(lab)
    assert primary(lab) == after


# More than Patroni keeps (wal_keep_size), and nothing that a slot holds. The second checkpoint removes it.
MUCH_WAL = "select pg_logical_emit_message(false, 'much', 'wal'); select pg_switch_wal();" * 12
FORGET = "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '{}'; checkpoint;"
RESTORED = "cat /var/log/postgresql/*.csv | grep -c 'restored log file' || true"


def test_a_replica_whose_wal_is_gone_from_the_primary_reads_the_repository(lab: Lab):
    host = replica(lab)
    before = int(lab.shell(host, RESTORED))
    lab.shell(host, "systemctl stop patroni")
    try:
        sql(lab, MUCH_WAL + FORGET.format(host) * 2)
    finally:
        lab.shell(host, "systemctl start patroni")
    until(f"{host} streams again", lambda: streaming(lab), 120)
    assert int(lab.shell(host, RESTORED)) > before
