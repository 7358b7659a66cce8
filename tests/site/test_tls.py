"""Strangers are not believed: a server under another name or authority, a client with a foreign certificate."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from openssl import self_signed

from tests.lab import Lab

PROBE = (Path(__file__).parent / "probe.py").read_text()
TLS, FOREIGN = "/etc/mainstay/tls", "/root/foreign"
AUTHORITY, OWN = f"{TLS}/ca.crt", (f"{TLS}/host.crt", f"{TLS}/host.key")
STRANGER = (f"{FOREIGN}/stranger.crt", f"{FOREIGN}/stranger.key")
# Where it runs, and its port. The third says whether every client must show a certificate.
SERVICES = {
    "PostgreSQL": ("db", 5432, False),
    "PgBouncer": ("db", 6432, False),
    "Patroni": ("db", 8008, False),
    "etcd": ("db", 2379, True),
    "etcd's peers": ("db", 2380, True),
    "etcd's metrics": ("db", 2381, True),
    "Redis": ("cache", 6379, False),
    "Sentinel": ("cache", 26379, False),
    "the edge": ("edge", 443, False),
    "the backup repository": ("ops", 8432, True),
}
# It finishes the handshake with anybody, and lets a client do what its certificate's name may: nothing, without one.
AUTHORIZES_LATER = "the backup repository"
VERIFIES = {name: where for name, where in SERVICES.items() if where[2] or name == "Patroni"}


def first(lab: Lab, kind: str) -> str:
    return next((host for host in lab.hosts if host.startswith(kind)), lab.hosts[0])


@pytest.fixture(scope="module")
def foreign(lab: Lab, tmp_path_factory):
    """An authority of somebody else, with a certificate for a client, on every host that is asked."""
    place = tmp_path_factory.mktemp("foreign")
    self_signed(place, "stranger", "-subj", "/CN=stranger")
    hosts = {first(lab, kind) for kind, _port, _verifies in SERVICES.values()}
    for host in hosts:
        lab.shell(host, f"install -d -m 0755 {FOREIGN}")
        for name in ("stranger.crt", "stranger.key"):
            lab.shell(host, f"cat > {FOREIGN}/{name}", stdin=(place / name).read_text())
    yield
    for host in hosts:
        lab.shell(host, f"rm -r {FOREIGN}")


def probe(lab: Lab, service: str, name: str = "", authority: str = AUTHORITY, own: tuple[str, ...] = ()) -> str:
    """Ask the service from its own host, whose firewall lets it."""
    kind, port, _verifies = SERVICES[service]
    host = first(lab, kind)
    words = [lab.address(host), str(port), name or host, authority, *own]
    return lab.shell(host, f"python3 - {' '.join(words)}", stdin=PROBE)


@pytest.mark.parametrize("service", SERVICES)
def test_a_client_of_the_platform_is_let_in(lab: Lab, foreign, service: str):
    """Else the refusals below prove nothing."""
    assert probe(lab, service, own=OWN if SERVICES[service][2] else ()) == "let in"


@pytest.mark.parametrize("service", SERVICES)
def test_a_server_under_another_name_is_not_believed(lab: Lab, foreign, service: str):
    said = probe(lab, service, "elsewhere.example.test", own=OWN)
    assert said.startswith("refused by the client: Hostname mismatch"), said


@pytest.mark.parametrize("service", SERVICES)
def test_a_client_that_trusts_another_authority_goes_away(lab: Lab, foreign, service: str):
    said = probe(lab, service, authority=STRANGER[0], own=OWN)
    assert said.startswith("refused by the client: ") and "certificate" in said, said


@pytest.mark.parametrize("service", VERIFIES)
def test_a_client_with_a_foreign_certificate_is_refused(lab: Lab, foreign, service: str):
    said = probe(lab, service, own=STRANGER)
    assert said.startswith("refused by the server: "), said


@pytest.mark.parametrize("service", [name for name, where in SERVICES.items() if where[2] and name != AUTHORIZES_LATER])
def test_a_client_without_a_certificate_is_refused(lab: Lab, foreign, service: str):
    said = probe(lab, service)
    assert said.startswith("refused by the server: "), said


@pytest.mark.parametrize("service", SERVICES)
def test_a_handshake_is_short(lab: Lab, service: str):
    """A server that asks for certificates says whose: not of every authority that the system trusts, 15 KB a login."""
    kind, port, _verifies = SERVICES[service]
    host = first(lab, kind)
    start = "-starttls postgres" if service in ("PostgreSQL", "PgBouncer") else ""
    own = f"-cert {OWN[0]} -key {OWN[1]} -CAfile {AUTHORITY}"
    said = lab.shell(host, f"openssl s_client -connect {lab.address(host)}:{port} {start} {own} </dev/null 2>&1", False)
    read = re.search(r"SSL handshake has read (\d+) bytes", said)
    assert read and 0 < int(read[1]) < 5000, said[-1000:]


def test_libpq_refuses_it_too(lab: Lab, foreign):
    """As the application, the poolers and the replicas connect: verify-full."""
    host = first(lab, "db")
    for port in (5432, 6432):
        entry = f"hostaddr={lab.address(host)} port={port} dbname=postgres user=mainstay_monitoring sslmode=verify-full"
        for words, reason in (
            (f"host=elsewhere.example.test sslrootcert={AUTHORITY}", "does not match host name"),
            (f"host={host} sslrootcert={STRANGER[0]}", "certificate verify failed"),
        ):
            said = lab.shell(host, f"psql -wXc 'select 1' -d '{entry} {words}' 2>&1 || true")
            assert reason in said, said
