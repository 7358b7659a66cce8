"""Hosts die under a client's hands: writes resume without a hand moved, and a later run changes nothing."""

from __future__ import annotations

import time

from client import Client, Writer

from tests.lab import Lab, primary, redis_master, until


def test_an_entry_is_written_and_read_back_from_a_replica(lab: Lab):
    client = Client(lab)
    entry = client.write()
    found = client.settled_within(entry, 30)
    assert found["memo"] == "drill"
    assert found["read_from"]["replica"] is (lab.name != "small")


def there(client: Client, entries: list[str]) -> None:
    """The last ones can be read; as slowly as the edge lets one client read."""
    for entry in entries[-20:]:
        client.ask("GET", f"/api/v1/entries/{entry}")
        time.sleep(0.6)


def back_and_quiet(lab: Lab, *hosts: str) -> None:
    """Start the hosts again; a run on the whole platform then changes nothing."""
    lab.docker("start", *(f"{lab.name}-{host}" for host in hosts))
    until("every gate passes again", lambda: lab.playbook("verify").status == 0, 180)
    run = lab.playbook("site")
    assert run.status == 0, run.tail()
    assert run.changed == {}, run.tail(200)


def test_the_primarys_host_dies(lab: Lab):
    before = primary(lab)
    client = Client(lab)
    with Writer(client) as writer:
        writer.until(5, 30)
        lab.docker("kill", f"{lab.name}-{before}")
        writer.until(10, 60)
    after = primary(lab)
    print(f"primary {before} -> {after}: longest gap {writer.longest_gap:.1f} s, {len(writer.failures)} failed writes")
    assert after != before
    there(client, writer.acknowledged)
    back_and_quiet(lab, before)
    assert primary(lab) == after


def test_the_redis_masters_host_dies(lab: Lab):
    before = redis_master(lab)
    client = Client(lab)
    client.settled_within(client.write(), 30)
    with Writer(client) as writer:
        writer.until(5, 30)
        lab.docker("kill", f"{lab.name}-{before}")
        began = time.monotonic()
        while redis_master(lab) == before:
            assert time.monotonic() - began < 30, "the Sentinels named no other master"
            time.sleep(0.3)
        named = time.monotonic() - began
        writer.until(10, 60)
    after = redis_master(lab)
    gap = f"longest gap {writer.longest_gap:.1f} s, {len(writer.failures)} failed writes"
    print(f"redis master {before} -> {after}: named after {named:.1f} s, {gap}")
    client.settled_within(writer.acknowledged[-1], 60)
    back_and_quiet(lab, before)
    assert redis_master(lab) == after


def test_every_host_boots(lab: Lab):
    """All of them are shut down in order, at once, as a platform is that moves; nobody starts a service by hand."""
    client = Client(lab)
    with Writer(client) as writer:
        writer.until(5, 30)
        lab.docker("stop", "--time", "120", *(f"{lab.name}-{host}" for host in lab.hosts))
        stopped = time.monotonic()
        lab.docker("start", *(f"{lab.name}-{host}" for host in lab.hosts))
        writer.until(10, 240)
    first = next(moment for moment in writer.times if moment > stopped)
    print(f"every host: writes again {first - stopped:.1f} s after the last had stopped")
    there(client, writer.acknowledged)
    back_and_quiet(lab, *lab.hosts)
