"""The edge under a load of its clients: reloads, lost hosts, crowds, patches, and traffic that stops and returns."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from pathlib import Path

import pytest
from client import Client
from load import Load, unlimited

from tests.lab import LOG, ROOT, Lab, running, until

CROWD = Path(__file__).with_name("crowd.py").read_text()
LIMIT = {"requests": 100, "window": 10, "entries": 100000}
EDGES = ("edge1", "edge2")


@pytest.fixture(scope="module", autouse=True)
def room(lab: Lab):
    """The load is not limited, everybody else is, at 10 requests a second. Afterwards all is as the inventory says."""
    settings = {"haproxy_rate_limit": LIMIT, **unlimited(lab)}
    run = lab.playbook("edge", "-e", json.dumps(settings))
    assert run.status == 0, run.tail()
    yield settings
    run = lab.playbook("site")
    assert run.status == 0, run.tail()


def holder(lab: Lab) -> str:
    """The host that has the floating address; it must be one."""
    ask = f"ip -brief address show to {lab.edge_address}"
    found = [host for host in EDGES if running(lab, host) and lab.shell(host, ask)]
    assert len(found) == 1, f"{lab.edge_address} is held by {found or 'nobody'}"
    return found[0]


def other(host: str) -> str:
    return next(edge for edge in EDGES if edge != host)


def serves(lab: Lab, host: str) -> bool:
    """Whether its HAProxy and its keepalived are as they should be, by keepalived's own check."""
    asked = "/etc/keepalived/check-edge && systemctl is-active --quiet keepalived haproxy && echo well"
    return running(lab, host) and lab.shell(host, asked, check=False) == "well"


def fingerprint(lab: Lab, host: str) -> str:
    """Of the certificate that this edge shows."""
    ask = f"openssl s_client -connect {lab.address(host)}:443 </dev/null 2>/dev/null | openssl x509 -noout -fingerprint"
    return lab.shell(host, ask)


def test_reloads_and_a_renewed_certificate_cost_no_request(lab: Lab, room: dict):
    before = {host: fingerprint(lab, host) for host in EDGES}
    read = "openssl x509 -in /etc/mainstay/tls/host.crt -noout -enddate | cut -d= -f2 | xargs -I@ date -d @ +%s"
    left = max((int(lab.shell(host, read)) - time.time()) // 86400 for host in EDGES)
    renewed = {"certificates_renew_days": int(left) + 1, "certificates_days": int(left) + 30}
    stop, reloads = threading.Event(), []

    def reload() -> None:
        while not stop.wait(2):
            for host in EDGES:
                lab.shell(host, "systemctl reload haproxy")
                reloads.append(host)

    looping = threading.Thread(target=reload)
    with Load(lab) as load:
        looping.start()
        try:
            hosts = lab.playbook("hosts", "--tags", "certificates", "--limit", "edge", "-e", json.dumps(renewed))
            edge = lab.playbook("edge", "-e", json.dumps(room))
            time.sleep(20)
        finally:
            stop.set()
            looping.join()
    load.report(f"{len(reloads)} reloads and a renewed certificate")
    assert hosts.status == 0, hosts.tail()
    assert edge.status == 0, edge.tail()
    assert all(fingerprint(lab, host) != before[host] for host in EDGES)
    assert len(reloads) >= 10 and load.failed == [] and load.lost == []
    # Workers ask by connections that the edge keeps for longer than they are idle: a reload leaves these, too.
    assert load.repeated == 0


def power_off(lab: Lab, host: str) -> None:
    lab.shell(host, "ip link set eth0 down")
    lab.docker("kill", f"{lab.name}-{host}")


def killed(lab: Lab, host: str) -> None:
    """SIGKILL, and nobody starts it again."""
    lab.shell(host, "systemctl kill --signal KILL haproxy; systemctl stop haproxy")


def stopped(lab: Lab, host: str) -> None:
    lab.shell(host, "systemctl kill --signal STOP haproxy")


RETURNS = {
    power_off: lambda lab, host: lab.docker("start", f"{lab.name}-{host}"),
    killed: lambda lab, host: lab.shell(host, "systemctl start haproxy"),
    stopped: lambda lab, host: lab.shell(host, "systemctl kill --signal CONT haproxy"),
}


@pytest.mark.parametrize("act", RETURNS, ids=lambda act: act.__name__)
def test_the_address_moves_once(lab: Lab, act):
    """In time when its holder is lost, and not again when that one returns."""
    first = holder(lab)
    until(f"{other(first)} could take over", lambda: serves(lab, other(first)), 30)
    # A connection to the lost holder never answers: a client has to give up by itself.
    with Load(lab, patience=2, workers=200) as load:
        act(lab, first)
        until("another host holds the address", lambda: other(first) == _holder_or_none(lab, first), 15)
        time.sleep(10)
        moved = load.gap()
        back = load.now()
        RETURNS[act](lab, first)
        until(f"{first} is well again", lambda: serves(lab, first), 120)
        time.sleep(15)
    load.report(f"{act.__name__}: without an answer {moved:.2f} s, then {load.gap(back):.2f} s at its return")
    # While a host starts, the others of a lab get less of the processors that they share.
    assert moved < 3 and load.gap(back) < 3 and load.lost == []
    assert holder(lab) == other(first)


def _holder_or_none(lab: Lab, lost: str) -> str | None:
    ask = f"ip -brief address show to {lab.edge_address}"
    return other(lost) if lab.shell(other(lost), ask) else None


def test_a_haproxy_that_dies_is_back_at_once(lab: Lab):
    """SIGKILL alone: systemd starts it again before the address would move."""
    first = holder(lab)
    with Load(lab, patience=2, workers=200) as load:
        lab.shell(first, "systemctl kill --signal KILL haproxy")
        time.sleep(10)
    load.report("killed and started again")
    assert load.gap() < 3 and load.lost == [] and serves(lab, first)


def crowd(lab: Lab, host: str, *words: object) -> subprocess.Popen:
    command = ["docker", "exec", "-i", f"{lab.name}-{host}", "python3", "-", *map(str, words)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write(CROWD)
    process.stdin.close()
    return process


def said(process: subprocess.Popen) -> dict:
    answer = process.stdout.read()
    assert process.wait(60) == 0, answer
    return json.loads(answer)


def test_two_thousand_slow_clients_bother_nobody(lab: Lab):
    """500 from each of four hosts, as many as one source may have."""
    hosts = ("app1", "app2", "app3", "cache1")
    with Load(lab) as load:
        crowds = [crowd(lab, host, "slow", lab.edge_address, lab.edge_name, 500, 60) for host in hosts]
        found = [said(process) for process in crowds]
    load.report(f"slow clients {found}")
    assert sum(each["most"] for each in found) >= 1800 and load.failed == [] and load.lost == []
    assert load.p95(25, 75) < max(2 * load.p95(0, 15), 0.2)


def test_a_source_that_asks_too_often_is_told_and_others_work(lab: Lab):
    """Ten times its limit for half a minute."""
    with Load(lab) as load:
        found = said(
            crowd(lab, "app1", "flood", lab.edge_address, lab.edge_name, 10 * LIMIT["requests"] / LIMIT["window"], 30)
        )
    load.report(f"a flood {found}")
    passed = sum(count for status, count in found["statuses"].items() if status != "429")
    assert found["statuses"]["429"] > 2000 and found["silent"] == 0 and passed <= 4 * LIMIT["requests"]
    assert load.failed == [] and load.lost == [] and load.p95(15, 45) < max(2 * load.p95(0, 15), 0.2)


AGE = r"""set -e
for package in haproxy keepalived; do
    version=$(dpkg-query -W -f '${Version}' "$package")
    sed -i "/^Package: $package\$/,/^\$/ s/^Version: .*/Version: $version~drill/" /var/lib/dpkg/status
done
apt-get check"""


def test_patches_hand_the_address_over(lab: Lab, room: dict):
    """dpkg is told that what it has is older, as in the drill of the database hosts: new packages come and run."""
    first, aged = holder(lab), r"dpkg-query -W -f '${Version}\n' haproxy keepalived | grep '~drill$' || true"
    for host in EDGES:
        lab.shell(host, AGE)
    patch = ("patch", "--limit", "edge", "-e", json.dumps(room))
    with Load(lab, patience=2, workers=200) as load:
        run = lab.playbook(*patch)
    load.report(f"patched, {first} handed over")
    assert run.status == 0, run.tail()
    assert holder(lab) == other(first) and load.gap() < 3
    # What was under way to the former holder at that moment is cut, and nothing else.
    assert len(load.failed) <= 0.002 * len(load.answers), load.failed[:3]
    assert load.lost == []
    assert not any(lab.shell(host, aged) for host in EDGES)
    run = lab.playbook(*patch)
    assert (run.status, run.changed) == (0, {}), run.tail()


def met(lab: Lab, host: str = "cache1") -> tuple[int, str]:
    """What a client on this host meets, who asks for a page."""
    ask = (
        f"python3 -c \"import http.client, ssl; c = http.client.HTTPSConnection('{lab.edge_address}', "
        "context=ssl._create_unverified_context()); c.request('GET', '/health', headers={'Accept': 'text/html'}); "
        'a = c.getresponse(); print(a.status, a.read().decode())"'
    )
    status, _, text = lab.shell(host, ask).partition(" ")
    return int(status), text


def test_traffic_stops_and_returns_by_steps(lab: Lab, room: dict):
    """Operators and the application itself work on meanwhile, and no other run changes what was said."""
    admit = ["-e", json.dumps({"traffic_steps": [25, 50], "traffic_hold": 5})]
    assert met(lab)[0] == 200
    try:
        run = lab.playbook("traffic", "-e", "traffic_admit=0", *admit)
        assert run.status == 0, run.tail()
        status, text = met(lab)
        assert status == 503 and "<h1>Maintenance</h1>" in text, (status, text)
        assert Client(lab).ask("GET", "/health") and met(lab, "app3")[0] == 200
        run = lab.playbook("edge", "-e", json.dumps(room))
        assert (run.status, run.changed) == (0, {}), run.tail()
        lab.shell("edge1", "systemctl restart haproxy")
        lab.shell("edge2", "systemctl reload haproxy")
        assert met(lab)[0] == 503
    finally:
        run = lab.playbook("traffic", "-e", "traffic_admit=100", *admit)
    assert run.status == 0, run.tail()
    assert met(lab)[0] == 200
    run = lab.playbook("traffic", "-e", "traffic_admit=100", *admit)
    assert (run.status, run.changed) == (0, {}), run.tail()


def test_an_edge_that_is_lost_while_clients_return_has_the_other_step_back(lab: Lab):
    admit = {"traffic_admit": 100, "traffic_steps": [25, 50], "traffic_hold": 5}
    command = ["ansible-playbook", "-i", str(lab.inventory), "playbooks/traffic.yml", "-e", json.dumps(admit)]
    run = lab.playbook("traffic", "-e", "traffic_admit=0")
    assert run.status == 0, run.tail()
    try:
        with LOG.open("w") as log:
            rise = subprocess.Popen(command, cwd=ROOT, env=lab.env, stdout=log, stderr=subprocess.STDOUT)
        # What comes next is that the second step is told to the edges.
        until("the first step is good", lambda: "step | Assert that nothing was red" in LOG.read_text(), 900)
        lab.shell("edge2", "systemctl stop ssh; pkill sshd || true")
        assert rise.wait(900) != 0
        said = " ".join(LOG.read_text(errors="replace").split())
        assert "50 % of the clients: found edge2 cannot be reached any more. 0 % are admitted" in said, said[-4000:]
        assert lab.shell("edge1", "cat /etc/haproxy/admitted.map") == "clients 0"
    finally:
        lab.shell("edge2", "systemctl start ssh")
        run = lab.playbook("traffic", "-e", json.dumps(admit))
    assert run.status == 0, run.tail()
