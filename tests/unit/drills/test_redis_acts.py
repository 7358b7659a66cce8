"""When the drills take a group of Redis for whole."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.lab import Scenario

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "drills"))
import redis_acts  # noqa: E402

ONE, TWO, THREE = (f"172.30.117.{number}" for number in (11, 12, 13))
WELL = {
    ("one", "role"): f"master\n120\n{TWO}\n6379\n119\n{THREE}\n6379\n120",
    ("two", "role"): f"slave\n{ONE}\n6379\nconnected\n120",
    ("three", "role"): f"slave\n{ONE}\n6379\nconnected\n120",
    **{(host, "sentinel get-master-addr-by-name redis"): f"{ONE}\n6379" for host in ("one", "two", "three")},
    **{
        (host, "sentinel ckquorum redis"): "OK 3 usable Sentinels. Quorum and failover authorization is reachable"
        for host in ("one", "two", "three")
    },
}


def judged(monkeypatch, answers):
    monkeypatch.setattr(redis_acts, "redis_master", lambda _lab: "one")
    monkeypatch.setattr(redis_acts, "redis_cli", lambda _lab, host, *words, **_port: answers[host, " ".join(words)])
    return redis_acts.whole(Scenario("redis", "trixie"))


def test_a_group_that_is_well_is_whole(monkeypatch):
    assert judged(monkeypatch, WELL)


@pytest.mark.parametrize(
    "fault",
    [
        {("one", "role"): f"master\n120\n{TWO}\n6379\n119"},
        {("two", "role"): "master\n120"},
        {("two", "role"): f"slave\n{ONE}\n6379\nconnect\n-1"},
        {("two", "role"): f"slave\n{THREE}\n6379\nconnected\n120"},
        {("one", "role"): f"slave\n{TWO}\n6379\nconnected\n120"},
        {("three", "sentinel get-master-addr-by-name redis"): f"{TWO}\n6379"},
        {("three", "sentinel ckquorum redis"): "OK 2 usable Sentinels."},
        {("three", "sentinel ckquorum redis"): "NOQUORUM 1 usable Sentinels."},
    ],
)
def test_a_fault_is_not(monkeypatch, fault):
    assert not judged(monkeypatch, WELL | fault)
