"""The authority is replaced under the writes of two clients, of the application and of the database; nothing fails."""

from __future__ import annotations

import ssl

import pytest
from client import Client, Writer
from test_rotation import Direct, kill_in

from tests.lab import Lab, Run

FILE = "/etc/mainstay/tls/ca.crt"
ETCD = "etcdctl --endpoints https://{host}:2379 --cacert {ca} --cert {place}.crt --key {place}.key endpoint health 2>&1"
OWN = "/etc/mainstay/tls/host"
FORMER = "/root/former"


def authorities(lab: Lab) -> set[str]:
    """What the hosts trust; one text when they agree."""
    return {lab.shell(host, f"cat {FILE}") for host in lab.hosts}


def well(run: Run) -> None:
    assert run.status == 0, run.tail()


def renew_trust(lab: Lab, client: Client) -> None:
    """As a client from outside does, which was given the file."""
    client.context = ssl.create_default_context(cadata=lab.shell(lab.hosts[0], f"cat {FILE}"))


def rotated(lab: Lab, before: str) -> None:
    """The hosts agree on another authority, and a certificate of the former one opens nothing."""
    (after,) = authorities(lab)
    assert after.count("BEGIN CERTIFICATE") == 1 and after != before
    closed(lab)


def closed(lab: Lab) -> None:
    """What a database host had before lets nobody in, what it has now does, and the platform is well."""
    host = next(host for host in lab.hosts if host.startswith("db"))
    ask = {"ca": FILE, "host": host}
    assert "is healthy" in lab.shell(host, ETCD.format(place=OWN, **ask))
    assert "is unhealthy" in lab.shell(host, ETCD.format(place=FORMER, **ask), check=False)
    run = lab.playbook("site")
    well(run)
    assert run.changed == {}, run.tail(200)


@pytest.fixture
def before(lab: Lab) -> str:
    """The authority that is to go, and a certificate of it kept aside."""
    (text,) = authorities(lab)
    for host in lab.hosts:
        if host.startswith("db"):
            lab.shell(host, f"cp {OWN}.crt {FORMER}.crt && cp {OWN}.key {FORMER}.key")
    return text


def test_the_authority_is_replaced_under_writes(lab: Lab, before: str):
    client = Client(lab)
    with Writer(client) as writer, Direct(lab) as direct:
        writer.until(5, 30)
        kill_in(lab, ["Have a new authority trusted"], "trust_authority")
        well(lab.playbook("trust_authority"))
        (both,) = authorities(lab)
        assert both.startswith(before) and both.count("BEGIN CERTIFICATE") == 2
        renew_trust(lab, client)
        # A plain run goes neither on nor back.
        run = lab.playbook("site")
        well(run)
        assert run.changed == {}, run.tail(200)
        assert authorities(lab) == {both}
        well(lab.playbook("rotate_authority"))
        writer.until(5, 30)
    print(f"{len(writer.acknowledged)} writes by the API, longest gap {writer.longest_gap:.1f} s")
    print(f"{len(direct.keys)} writes through the read-write entry, longest gap {direct.longest_gap:.1f} s")
    assert (writer.failures, direct.failed) == ([], [])
    assert direct.lost() == []
    rotated(lab, before)


SIGN = "Have every certificate signed by the new authority"


@pytest.mark.parametrize("plays", [[SIGN], [SIGN, "Build the edge"], ["Leave the former authority"]])
def test_a_rotation_that_is_killed_is_finished_by_the_next(lab: Lab, before: str, plays: list[str]):
    well(lab.playbook("trust_authority"))
    client = Client(lab)
    with Writer(client) as writer, Direct(lab) as direct:
        kill_in(lab, plays, "rotate_authority")
        well(lab.playbook("site"))  # leaves a platform that works, wherever the rotation is
        well(lab.playbook("rotate_authority"))
        renew_trust(lab, client)
        writer.until(5, 30)
    assert (writer.failures, direct.failed) == ([], [])
    assert direct.lost() == []
    rotated(lab, before)


def test_a_run_without_all_hosts_is_refused(lab: Lab, before: str):
    run = lab.playbook("trust_authority", "--limit", f"!{lab.hosts[0]}")
    assert run.status != 0
    assert f"found a run without {lab.hosts[0]}" in " ".join(run.output.split())
    assert authorities(lab) == {before}


def test_a_revoked_certificate_opens_nothing_and_its_host_gets_another(lab: Lab, before: str):
    host = next(host for host in lab.hosts if host.startswith("db"))
    client = Client(lab)
    with Writer(client) as writer, Direct(lab) as direct:
        well(lab.playbook("revoke_certificates", "-e", f"revoke_host={host}"))
        writer.until(5, 30)
    assert (writer.failures, direct.failed) == ([], [])
    assert authorities(lab) == {before}
    assert lab.shell(host, f"cat {OWN}.key") != lab.shell(host, f"cat {FORMER}.key")
    closed(lab)


def test_a_name_that_got_no_certificate_is_not_revoked(lab: Lab, before: str):
    run = lab.playbook("revoke_certificates", "-e", "revoke_host=nobody")
    assert run.status != 0 and run.changed == {}
    assert "revoke_host: found nobody; expected names of hosts" in " ".join(run.output.split())
