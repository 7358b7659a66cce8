"""Who guesses names and passwords, or floods the edge, is banned by the kernel; operators who do the same are not."""

from __future__ import annotations

import json
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.lab import Lab

CROWD = Path(__file__).with_name("crowd.py").read_text()
HOST, EDGE = "app3", "edge1"
STATISTICS = 8404
TRIES, GUESSES, REFUSALS = 15, 70, 600  # more than a ban takes: of keys, of passwords at the edge, of answers 429
# A ban cuts off a guess that is under way: it would wait for ever.
GUESS_KEYS = """
options="-o ControlPath=none -o BatchMode=yes -o ConnectTimeout=3 -o StrictHostKeyChecking=no"
for name in $(seq TRIES); do
  timeout 5 ssh -F none $options -o UserKnownHostsFile=/dev/null guess$name@ADDRESS true 2>&1 | tail -n 1
done
"""
# Prints the status of each answer, and "refused" for a connection that does not come about.
GUESS_PASSWORDS = """
import base64, ssl, sys, urllib.error, urllib.request
context = ssl._create_unverified_context()
for number in range(int(sys.argv[2])):
    word = base64.b64encode(f"operator:guess{number}".encode()).decode()
    asked = urllib.request.Request(sys.argv[1], headers={"Authorization": f"Basic {word}"})
    try:
        print(urllib.request.urlopen(asked, timeout=5, context=context).status)
    except urllib.error.HTTPError as error:
        print(error.code)
    except OSError:
        print("refused")
"""


@pytest.fixture(scope="module")
def stranger(lab: Lab):
    """Its address, and what runs a command in it."""
    with lab.stranger() as (name, address):

        def run(*command: str, stdin: str = "") -> str:
            words = ["docker", "exec", "-i", name, *command]
            return subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=180).stdout

        yield address, run


@pytest.fixture
def opened(lab: Lab):
    """Rules behind the platform's back: a stranger comes as far as the service. Afterwards nobody is banned."""
    hosts = []

    def open_port(host: str, port: int) -> None:
        hosts.append(host)
        lab.shell(host, f"nft insert rule inet mainstay input tcp dport {port} accept")

    yield open_port
    for host in hosts:
        lab.shell(host, "systemctl restart mainstay-firewall; fail2ban-client unban --all")


def banned(lab: Lab, host: str, jail: str) -> set[str]:
    """Whom fail2ban and the kernel both shut out."""
    words = set(lab.shell(host, f"fail2ban-client get {jail} banip").split())
    table = lab.shell(host, "nft list ruleset | sed -n '/table inet f2b-table/,/^}/p'")
    return {word for word in words if word in table}


def until_banned(lab: Lab, host: str, jail: str, address: str) -> None:
    deadline = time.monotonic() + 30
    while address not in banned(lab, host, jail):
        said = lab.shell(host, f"fail2ban-client status {jail}; tail -n 3 /var/log/fail2ban.log")
        assert time.monotonic() < deadline, f"{address} is not banned by {jail} of {host}: {said}"
        time.sleep(1)


def connects(run, address: str, port: int) -> bool:
    return "yes" in run("bash", "-c", f"timeout 3 bash -c ': </dev/tcp/{address}/{port}' && echo yes")


def here(*command: str, stdin: str = "") -> str:
    """A command of an operator, who is on this machine."""
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=180).stdout


def never_banned(lab: Lab, host: str, jail: str, lines: int = 500) -> None:
    """This machine has failed as often, longer ago than fail2ban takes to ban a stranger."""
    operator = f"{lab.address(lab.hosts[0]).rpartition('.')[0]}.1"
    assert operator not in lab.shell(host, f"fail2ban-client get {jail} banip"), f"{operator} is banned by {jail}"
    said = lab.shell(host, f"tail -n {lines} /var/log/fail2ban.log")
    assert f"[{jail}] Ignore {operator} " in said, f"{jail} did not see the operator fail"


def test_who_guesses_at_ssh_is_banned(lab: Lab, stranger, opened):
    address, run = stranger
    guess = GUESS_KEYS.replace("TRIES", str(TRIES)).replace("ADDRESS", lab.address(HOST))
    opened(HOST, 22)
    assert "Permission denied" in here("bash", "-c", guess)
    assert "Permission denied" in run("bash", "-c", guess)
    until_banned(lab, HOST, "sshd", address)
    assert not connects(run, lab.address(HOST), 22)
    # sshd itself says something else to a source that it keeps away.
    greeting = f"exec 3<>/dev/tcp/{lab.address(HOST)}/22; timeout 5 head -c 4 <&3"
    assert here("bash", "-c", greeting) == "SSH-"
    never_banned(lab, HOST, "sshd")


def ask_statistics(lab: Lab, run) -> list[str]:
    url = f"https://{lab.address(EDGE)}:{STATISTICS}/"
    return run("python3", "-", url, str(GUESSES), stdin=GUESS_PASSWORDS).split()


def test_who_guesses_at_the_statistics_is_banned(lab: Lab, stranger, opened):
    """From outside the networks of operators nobody gets as far as the password."""
    address, run = stranger
    opened(EDGE, STATISTICS)
    assert set(ask_statistics(lab, here)) == {"401"}
    assert ask_statistics(lab, run)[:5] == ["403"] * 5
    until_banned(lab, EDGE, "edge-doors", address)
    assert not connects(run, lab.address(EDGE), STATISTICS) and not connects(run, lab.address(EDGE), 443)
    never_banned(lab, EDGE, "edge-doors")


def test_who_may_see_the_statistics_and_guesses_is_banned_too(lab: Lab, stranger, opened):
    address, run = stranger
    networks = {"haproxy_stats_networks": [f"{address}/32"]}
    wider = lab.playbook("edge", "--limit", EDGE, "--tags", "haproxy", "-e", json.dumps(networks))
    try:
        assert wider.status == 0, wider.tail()
        opened(EDGE, STATISTICS)
        assert ask_statistics(lab, run)[:5] == ["401"] * 5
        until_banned(lab, EDGE, "edge-doors", address)
        assert set(ask_statistics(lab, run)) == {"refused"}
    finally:
        back = lab.playbook("edge", "--limit", EDGE, "--tags", "haproxy")
    assert back.status == 0, back.tail()


def answers(lab: Lab) -> int:
    """What the edge says to an operator's request."""
    context = ssl._create_unverified_context()  # who it is, other tests ask
    try:
        return urllib.request.urlopen(f"https://{lab.address(EDGE)}/health", timeout=10, context=context).status
    except urllib.error.HTTPError as error:
        return error.code


def flood(lab: Lab, run) -> dict[str, int]:
    """What is answered, by status."""
    words = ("python3", "-", "flood", lab.address(EDGE), lab.edge_name, "80", "30")
    return json.loads(run(*words, stdin=CROWD))["statuses"]


def test_a_flood_is_banned(lab: Lab, stranger, opened):
    address, run = stranger
    opened(EDGE, 443)
    found = flood(lab, here)
    assert found.get("429", 0) > REFUSALS, found
    found = flood(lab, run)
    assert found.get("429", 0) > 0, found
    until_banned(lab, EDGE, "edge-crowds", address)
    assert not connects(run, lab.address(EDGE), 443)
    never_banned(lab, EDGE, "edge-crowds", lines=5000)  # each refusal of both has one
    assert answers(lab) in (200, 404, 503)
