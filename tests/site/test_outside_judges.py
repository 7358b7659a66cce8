"""Ports and TLS as strangers judge them: nmap from every tier and from outside, sslyze over every TLS port."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from ansible_collections.mainstay.platform.plugins.plugin_utils._network_proof import named
from scan import NEW, OLD, nmap, scanner, sslyze, tls_facts, weak
from test_tls import SERVICES, first

from tests.lab import ROOT, Lab

TIERS = ("edge", "app", "db", "cache", "ops")
OUTSIDE = "outside"
# A host that scanned a moment ago lets the answers in, and a scan of the port that its own came from, out of the port
# that its own went to, looks like one. So hosts scan from one port, and it is asked from outside alone.
FROM = "40000"
# Fast, for what is filtered answers nothing; so the ports that are named are asked again in peace.
ALL_PORTS = ("-sS", "-p-", "--min-rate=20000", "--max-retries=1", "--min-hostgroup=64")
FROM_A_HOST = ("-g", FROM, "--exclude-ports", FROM)
UDP_SAMPLE = {53, 123, 161}
LISTENS = "ss -Hln{proto} | awk '{{ print $4 }}' | grep -v '^127\\|^\\[::1\\]\\|%lo:' | sed 's/.*://' | sort -nu"
ADDRESSES = "ip -6 -o address show scope global | awk '{ split($4, part, \"/\"); print part[1] }'"
# Says which ports begin with TLS, and which after a question of PostgreSQL; who sends an alert speaks it.
SPEAKS = """
import socket, ssl, struct, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
for port in map(int, sys.argv[2:]):
    for how in ("", "postgres"):
        try:
            with socket.create_connection((sys.argv[1], port), timeout=3) as plain:
                if how:
                    plain.sendall(struct.pack("!ii", 8, 80877103))
                    if plain.recv(1) != b"S":
                        break
                context.wrap_socket(plain).close()
        except (OSError, ssl.SSLError) as error:
            if "ALERT" not in str(error):
                continue
        print(f"{port}/{how}")
        break
"""


@pytest.fixture(scope="module")
def image(lab: Lab) -> str:
    return scanner(lab.env["RELEASE"])


@pytest.fixture(scope="module")
def outside(lab: Lab, image: str) -> str:
    """The address of a host in the lab's network that is nobody's."""
    address = f"{lab.address(lab.hosts[0]).rpartition('.')[0]}.251"
    lab.remove(OUTSIDE)
    place = ("--network", f"mainstay-{lab.name}", "--ip", address)
    lab.docker("run", "--detach", "--name", f"{lab.name}-{OUTSIDE}", *place, image, "sleep", "infinity")
    yield address
    lab.remove(OUTSIDE)


@pytest.fixture(scope="module")
def matrix(lab: Lab, tmp_path_factory) -> dict:
    file = tmp_path_factory.mktemp("matrix") / "matrix.json"
    run = lab.playbook("tests/site/matrix.yml", "-e", f"matrix_file={file}")
    assert run.status == 0, run.tail()
    return json.loads(file.read_text())


def targets(lab: Lab, matrix: dict, apart: str) -> dict[str, dict]:
    """Every address but one host's own, with the groups of its host. The floating address is somebody's own, too."""
    holder = lab.edge_address in lab.shell(apart, "ip -o address") if apart != OUTSIDE else False
    members = matrix["members"]
    found = {
        host["address"]: {"groups": [name for name, hosts in members.items() if host in hosts]}
        for host in members["all"]
        if host["name"] != apart
    }
    return found if holder else found | {lab.edge_address: {"groups": ["all", "edge"]}}


@pytest.mark.parametrize("tier", [*TIERS, OUTSIDE])
def test_what_answers_is_what_the_matrix_names(lab: Lab, image: str, outside: str, matrix: dict, tier: str):
    host = OUTSIDE if tier == OUTSIDE else first(lab, tier)
    source = outside if tier == OUTSIDE else lab.address(host)
    aims = targets(lab, matrix, host)
    wanted = {address: set(named(**matrix, source=source, target=aim, proto="tcp")) for address, aim in aims.items()}
    # Some services listen on the address of their host alone, and the floating one has another.
    states = {address: {"open", "closed"} if address == lab.edge_address else {"open"} for address in aims}
    seen = nmap(image, f"{lab.name}-{host}", *ALL_PORTS, *(() if tier == OUTSIDE else FROM_A_HOST), *aims)
    assert set(seen) == set(aims), "nmap did not scan every host"
    unnamed = {
        f"{address} tcp/{port} {state}"
        for address in seen
        for port, state in seen[address].items()
        if port not in wanted[address] or state not in states[address]
    }
    assert unnamed == set()
    missing = set()
    for address, ports in wanted.items():
        if ports:
            (found,) = nmap(image, f"{lab.name}-{host}", "-sS", "-p", ",".join(map(str, ports)), address).values()
            missing |= {
                f"{address} tcp/{port} {found.get(port)}" for port in ports if found.get(port) not in states[address]
            }
    assert missing == set()
    used = {int(port) for each in lab.hosts for port in lab.shell(each, LISTENS.format(proto="u")).split()}
    words = ("-sU", "-p", ",".join(map(str, sorted(used | UDP_SAMPLE))))
    seen = nmap(image, f"{lab.name}-{host}", *words, *aims)
    assert {address: ports for address, ports in seen.items() if ports} == {}, "a UDP port answers"


def test_ipv6_is_as_closed(lab: Lab, image: str, outside: str, matrix: dict):
    """From outside, to every address of IPv6 that a host has."""
    addresses = {host: lab.shell(host, ADDRESSES).split() for host in lab.hosts}
    if not any(addresses.values()):
        pytest.skip("no host has an address of IPv6")
    for host, own in addresses.items():
        groups = [name for name, hosts in matrix["members"].items() if any(each["name"] == host for each in hosts)]
        for address in own:
            wanted = named(**matrix, source="::", target={"groups": groups}, proto="tcp")
            (ports,) = nmap(image, f"{lab.name}-{OUTSIDE}", "-6", *ALL_PORTS, address).values()
            assert set(ports) <= set(wanted), f"{host} ({address})"


@pytest.fixture(scope="module")
def authority(lab: Lab, tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("authority") / "ca.crt"
    file.write_text(lab.shell(lab.hosts[0], "cat /etc/mainstay/tls/ca.crt") + "\n")
    return file


def speaking(lab: Lab, host: str) -> dict[int, str]:
    """The ports of a host that speak TLS, and what has to be said before."""
    ports = lab.shell(host, LISTENS.format(proto="t")).split()
    lines = lab.shell(host, f"python3 - {lab.address(host)} {' '.join(ports)}", stdin=SPEAKS).split()
    return {int(port): how for port, how in (line.split("/") for line in lines)}


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root enters the network of a host")


@needs_root
@pytest.mark.parametrize("tier", TIERS)
def test_tls_of_every_port_that_speaks_it(lab: Lab, authority: Path, tier: str):
    host = first(lab, tier)
    # What the edge passes on shows the certificate of whoever is behind, by the name that clients ask for.
    name = lab.edge_name if tier == "edge" else host
    ports = speaking(lab, host)
    listed = {port for kind, port, _verifies in SERVICES.values() if first(lab, kind) == host}
    assert listed <= set(ports), "a port of test_tls.py was not found to speak TLS"
    wrong = []
    for port, how in ports.items():
        found = tls_facts(lab, host, port, name, authority, how)
        suites = found["suites"]
        assert any(suites[each] for each in NEW), f"{host}:{port}: sslyze found no suite at all"
        wrong += [f"{host}:{port} accepts {each}" for each in OLD if suites[each]]
        wrong += [f"{host}:{port} accepts {suite}" for each in NEW for suite in suites[each] if weak(suite)]
        wrong += [f"{host}:{port}: {error}" for error in found["chain_errors"]]
        assert found["chains"], f"{host}:{port}: no chain was judged"
    assert wrong == []


@needs_root
def test_a_wrong_name_would_be_seen(lab: Lab, authority: Path):
    host = first(lab, "edge")
    assert tls_facts(lab, host, 443, "elsewhere.example.test", authority)["chain_errors"]


@needs_root
def test_the_edge_is_as_mozilla_recommends(lab: Lab, authority: Path):
    host = first(lab, "edge")
    done = sslyze(
        lab, host, 443, host, authority, "--mozilla_config=intermediate", "--certinfo", "--json_out=/dev/null"
    )
    said = done.stdout.partition("COMPLIANCE AGAINST")[2]
    complaints = {line.split(":")[0].strip(" *") for line in said.splitlines() if line.strip().startswith("* ")}
    assert ("OK - Compliant" in said) != bool(complaints), said[-1500:]
    # How long a certificate holds is an input, which the tests of renewals lengthen; the default is within the year.
    assert complaints <= {"maximum_certificate_lifespan"}, said[-1500:]
    defaults = yaml.safe_load((ROOT / "roles/certificates/defaults/main.yml").read_text())
    assert defaults["certificates_days"] < 366
