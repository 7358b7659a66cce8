"""What `postgresql_synchronous` means for a write: off waits for nobody, on for whom there is, strict always."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab import PSQL, Lab, cluster, primary, sql, until

TABLE = "written_while_alone"
NOTICED = 30  # seconds in which Patroni has noticed that replicas are gone, or are back
WAITS = 15  # seconds after which a write that has not returned counts as one that waits


def whole(lab: Lab) -> bool:
    return all(member["State"] in ("running", "streaming") for member in cluster(lab)) and len(cluster(lab)) == 3


def named(lab: Lab) -> str:
    """Whom the primary waits for, as PostgreSQL was told."""
    return sql(lab, "show synchronous_standby_names")


def states(lab: Lab) -> list[str]:
    answer = sql(lab, "select sync_state from pg_stat_replication order by 1")
    return answer.split()


def run(lab: Lab, *arguments: str):
    done = lab.playbook("data", "--tags", "postgresql", *arguments)
    assert done.status == 0, done.tail()
    return done


@contextmanager
def mode(lab: Lab, value: str) -> Iterator[None]:
    """The cluster with this setting; afterwards with that of the inventory, where a second run changes nothing."""
    try:
        run(lab, "-e", f"postgresql_synchronous={value}")
        assert run(lab, "-e", f"postgresql_synchronous={value}").changed == {}
        yield
    finally:
        run(lab)
        again = run(lab)
    assert again.changed == {}, again.tail(200)


@contextmanager
def without_replicas(lab: Lab) -> Iterator[list[str]]:
    """Both replicas stopped; their hosts, and so the consensus store, stay."""
    replicas = [member["Member"] for member in cluster(lab) if member["Role"] != "Leader"]
    try:
        for host in replicas:
            lab.shell(host, "systemctl stop patroni")
        yield replicas
    finally:
        for host in replicas:
            lab.shell(host, "systemctl start patroni")
        until("every replica streams again", lambda: whole(lab), 180)


@pytest.fixture
def table(lab: Lab) -> Iterator[None]:
    if len(cluster(lab)) < 3:
        pytest.skip("two replicas are needed")
    sql(lab, f"create table if not exists {TABLE} (n int primary key)")
    yield
    sql(lab, f"drop table {TABLE}")


class Write:
    """One row, by a session that waits as long as it must."""

    def __init__(self, lab: Lab, host: str, number: int):
        command = f'{PSQL} -c "insert into {TABLE} values ({number})"'
        self.began = time.monotonic()
        words = ["docker", "exec", f"{lab.name}-{host}", "bash", "-c", command]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def seconds(self, within: float) -> float | None:
        """How long it took; nothing when it still waits."""
        try:
            output, _nothing = self.process.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            return None
        assert self.process.returncode == 0 and not output, output
        return time.monotonic() - self.began


def test_off_waits_for_nobody(lab: Lab, table):
    with mode(lab, "off"):
        until("no replica is waited for", lambda: named(lab) == "", NOTICED)
        assert states(lab) == ["async", "async"]
        assert not [member for member in cluster(lab) if member["Role"] == "Sync Standby"]
        with without_replicas(lab):
            seconds = Write(lab, primary(lab), 1).seconds(WAITS)
            assert seconds is not None, "a write waits"
    print(f"off, both replicas stopped: a write took {seconds:.1f} s")


def test_on_goes_on_when_no_replica_is_left(lab: Lab, table):
    with mode(lab, "on"):
        until("one replica is waited for", lambda: named(lab) != "" and states(lab) == ["async", "sync"], NOTICED)
        with without_replicas(lab):
            host = primary(lab)
            seconds = Write(lab, host, 2).seconds(NOTICED)
            assert seconds is not None, "a write waits"
            until("nobody is waited for", lambda: named(lab) == "", NOTICED)
        until("one replica is waited for again", lambda: states(lab) == ["async", "sync"], NOTICED)
    print(f"on, both replicas stopped: a write took {seconds:.1f} s")


def test_strict_waits_until_a_replica_is_back(lab: Lab, table):
    with mode(lab, "strict"):
        until("one replica is waited for", lambda: "sync" in states(lab), NOTICED)
        with without_replicas(lab) as replicas:
            host = primary(lab)
            write = Write(lab, host, 3)
            assert write.seconds(WAITS) is None, "a write did not wait"
            assert named(lab) != ""
            waiting = "select count(*) from pg_stat_activity where wait_event = 'SyncRep' and query like 'insert into%'"
            assert sql(lab, waiting, host) == "1"
            lab.shell(replicas[0], "systemctl start patroni")
            seconds = write.seconds(180)
            assert seconds is not None, "a write waits though a replica is back"
            # Its WAL is on the replica's disk when it returns; it is to be read a moment later.
            there = f"select n from {TABLE} where n = 3"
            until("the replica has it", lambda: sql(lab, there, replicas[0]) == "3", NOTICED)
    print(f"strict, both replicas stopped: a write waited {seconds:.1f} s, until one was back")
