"""What a timer runs: nothing due changes nothing, what is due is renewed under writes, and a killed run is finished."""

from __future__ import annotations

import json
import time

from client import Client, Writer
from test_rotation import Direct, kill_in
from test_survival import back_and_quiet

from tests.lab import Lab, Run

FILE = "/etc/mainstay/tls/host.crt"
# The most tasks that a host may see when nothing is due.
FEW = 10


def well(run: Run) -> None:
    assert run.status == 0, run.tail()


def certificates(lab: Lab) -> dict[str, str]:
    return {host: lab.shell(host, f"cat {FILE}") for host in lab.hosts}


def all_due(lab: Lab) -> tuple[str, str]:
    """Arguments with which every certificate is due once: the new ones hold for longer."""
    read = f'date -d "$(openssl x509 -in {FILE} -noout -enddate | cut -d= -f2)" +%s'
    left = max((int(lab.shell(host, read)) - time.time()) // 86400 for host in lab.hosts)
    return "-e", json.dumps({"certificates_renew_days": int(left) + 1, "certificates_days": int(left) + 30})


def nothing_is_due(lab: Lab) -> None:
    before = certificates(lab)
    run = lab.playbook("renew_certificates")
    well(run)
    assert run.changed == {} and "no certificate is due" in run.output, run.tail()
    assert max(counts["ok"] for counts in run.recap.values()) <= FEW, run.tail()
    assert certificates(lab) == before


def test_nothing_due_changes_nothing_and_costs_little(lab: Lab):
    nothing_is_due(lab)


def test_what_is_due_is_renewed_under_writes(lab: Lab):
    before = certificates(lab)
    client = Client(lab)
    with Writer(client) as writer, Direct(lab) as direct:
        writer.until(5, 30)
        well(lab.playbook("renew_certificates", *all_due(lab)))
        writer.until(5, 30)
    print(f"{len(writer.acknowledged)} writes by the API, {len(direct.keys)} through the read-write entry")
    assert (writer.failures, direct.failed) == ([], [])
    assert direct.lost() == []
    after = certificates(lab)
    assert all(after[host] != before[host] for host in lab.hosts)
    nothing_is_due(lab)
    run = lab.playbook("site")
    well(run)
    assert run.changed == {}, run.tail(200)


def test_a_renewal_that_is_killed_is_finished_by_the_next(lab: Lab):
    kill_in(lab, ["Build the consensus store"], "renew_certificates", *all_due(lab))
    made = certificates(lab)
    run = lab.playbook("renew_certificates")
    well(run)
    assert "shows a former one" in run.output, run.tail()
    assert certificates(lab) == made
    nothing_is_due(lab)


def test_a_lost_host_keeps_nobody_from_renewing(lab: Lab):
    lost = [host for host in lab.hosts if host.startswith("app")][-1]
    before, due = certificates(lab), all_due(lab)
    lab.docker("kill", f"{lab.name}-{lost}")
    try:
        run = lab.playbook("renew_certificates", *due)
    finally:
        back_and_quiet(lab, lost)
    assert run.status != 0 and run.recap[lost]["unreachable"] == 1, run.tail()
    assert run.recap[lab.hosts[0]]["failed"] == 0
    after = certificates(lab)
    assert [host for host in lab.hosts if after[host] == before[host]] == [lost]
    well(lab.playbook("renew_certificates", *due))
    nothing_is_due(lab)
