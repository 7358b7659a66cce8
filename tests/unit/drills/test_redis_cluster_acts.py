"""When the drills take a cluster of Redis for whole, and how long a client's part of it was not served."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.lab import ClusterScenario

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "drills"))
import observer  # noqa: E402
import redis_cluster_acts  # noqa: E402

HOSTS = ("one", "two", "three", "four", "five", "six")
ADDRESSES = {host: f"172.30.118.{number}" for number, host in enumerate((*HOSTS, "seven", "eight"), 11)}
STATE = "cluster_state:ok\ncluster_slots_ok:16384"


def node(host, flags="master", link="connected"):
    slots = "0-5460" if flags.endswith("master") and host in HOSTS[:3] else ""
    return f"id-{host} {ADDRESSES[host]}:6379@16379 {flags} - 0 0 1 {link} {slots}"


def well(*hosts):
    """What the nodes of a cluster that is well answer."""
    known = "\n".join(node(host, "master" if host in HOSTS[:3] else "slave") for host in hosts)
    answers = {(host, "cluster nodes"): known for host in hosts} | {(host, "cluster info"): STATE for host in hosts}
    roles = {
        host: "master\n120" if host in HOSTS[:3] else "slave\n172.30.118.11\n6379\nconnected\n120" for host in hosts
    }
    return answers | {(host, "role"): role for host, role in roles.items()}


@pytest.fixture
def judged(monkeypatch):
    lab = ClusterScenario("redis_cluster", "trixie")

    def judge(answers):
        monkeypatch.setattr(redis_cluster_acts, "redis_cli", lambda _lab, host, *words: answers[host, " ".join(words)])
        return lab

    return judge


def test_a_cluster_that_is_well_is_whole(judged):
    assert redis_cluster_acts.whole(judged(well(*HOSTS)))


def test_a_cluster_that_grew_is_whole_with_the_new_hosts(judged):
    lab = judged(well(*ADDRESSES))
    assert not redis_cluster_acts.whole(lab)
    lab.overlay = lab.more
    assert redis_cluster_acts.whole(lab)


@pytest.mark.parametrize(
    "fault",
    [
        {("two", "cluster info"): "cluster_state:fail\ncluster_slots_ok:16384"},
        {("two", "cluster info"): "cluster_state:ok\ncluster_slots_ok:10923"},
        {("two", "cluster nodes"): "\n".join(node(host) for host in HOSTS[:-1])},
        {("two", "cluster nodes"): "\n".join([*(node(host) for host in HOSTS[1:]), node("one", "slave,fail?")])},
        {("two", "cluster nodes"): "\n".join([*(node(host) for host in HOSTS[1:]), node("one", link="disconnected")])},
        {("six", "role"): "slave\n172.30.118.13\n6379\nconnect\n-1"},
    ],
)
def test_a_fault_is_not(judged, fault):
    assert not redis_cluster_acts.whole(judged(well(*HOSTS) | fault))


def test_the_master_that_is_broken_has_slots_and_not_the_client(judged):
    assert redis_cluster_acts.master(judged(well(*HOSTS))) == "two"


@pytest.mark.parametrize(
    ("lines", "gap"),
    [
        ("100 ok a 0\n100.5 ok b 1\n101 ok c 0\n102 ok d 0\n103.5 ok e 1\n104 ok f 0", 3),
        ("100 ok a\n100.5 ok b\n101 ok c\n102 ok d\n103.5 ok e\n104 ok f", 1.5),
    ],
)
def test_a_gap_is_that_of_the_session_that_waited_longest(monkeypatch, lines, gap):
    monkeypatch.setattr(observer, "command", lambda *_words, **_host: ["echo", lines])
    monkeypatch.setattr(observer.Client, "_answered", lambda _self: True)
    client = observer.Client(ClusterScenario("redis_cluster", "trixie"), "cluster")
    with client:
        client.reader.join()
    client.ended = 104.5
    assert client.gap == gap
