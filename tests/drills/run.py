#!/usr/bin/env python3
"""Break the lab's database, or its Redis, under clients' writes, again and again, and print what the clients felt.

    tests/drills/run.py [--times N] [--record] [DRILL...]      all drills of the lab without a name
    tests/drills/run.py --recorded                             breaks nothing: the table of docs/drills.csv
    tests/drills/run.py --scenario NAME DRILL...               on hosts of a molecule scenario, its roles for site.yml

The client goes through the floating address; its own log says what was acknowledged. After every round the cluster must
be whole again by itself, and the client reads everything back. Where a drill promises it, a second client reads through
the read-only entry, and counts as the first. Redis has two clients that write: one through the edge's entry, one that
asks the Sentinels; a cluster of it, which the lab has none of, has one with a session for each part of the slots. It
grows and shrinks once, in one call. After the last round of a drill all WAL must come into the repository, and site.yml
have nothing to change.
`reconnect` has 500 clients on the hosts of the application instead, with a session each: its gap is the time from the
promotion until 95 % of them have written again, and a session that never does counts as failed.
A round fails when its longest gap, its failed statements or its lost rows exceed what is promised.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import acts  # noqa: E402
import disk  # noqa: E402
import observer  # noqa: E402
import redis_acts  # noqa: E402
import redis_cluster_acts  # noqa: E402
import rounds  # noqa: E402
from acts import Broken, wait  # noqa: E402
from observer import Client  # noqa: E402

from tests.lab import ClusterScenario, Lab, Scenario, primary  # noqa: E402

OUTLAST = 10  # seconds that the client writes on after a gap
# Of `reconnect`: sessions that are open, the share of them that the promise is about, seconds until one counts as lost.
SESSIONS, MOST, PATIENCE = 500, 0.95, 90


@dataclass
class Found:
    """What one round came to."""

    gap: float
    written: int
    failed: int
    failed_reads: int | None
    lost: int
    problem: str = ""
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Service:
    """What is broken: the program of its clients, their jobs that write side by side, and when it is whole."""

    program: str
    writes: tuple[str, ...]
    whole: Callable[[Lab], bool]


DATABASE = Service(observer.DATABASE, ("write",), acts.whole)
REDIS = Service(observer.REDIS, ("edge", "sentinel"), redis_acts.whole)
CLUSTER = Service(observer.REDIS, ("cluster",), redis_cluster_acts.whole)


@dataclass
class Drill:
    """What is done, and the most that is promised: seconds without an answer, failed statements (None: no promise).

    `act` takes the lab, and the host that `prepared` yields where there is one.
    """

    act: Callable[..., Callable[[], None] | None]
    gap: float | None
    failed: int | None = None
    reads: bool = False  # a second client reads meanwhile; its gap counts as well
    failed_reads: int | None = None
    prepared: Callable[[Lab], contextlib.AbstractContextManager[str]] | None = None
    service: Service = DATABASE
    round: Callable[[Lab, Drill], Found] = field(default=lambda lab, drill: one_round(lab, drill))


def newest(clients: list[Client]) -> float:
    """When the client that has waited longest was answered last."""
    return min(client.newest for client in clients)


def one_round(lab: Lab, drill: Drill) -> Found:
    problem, service = "", drill.service
    writers = [Client(lab, job, service.program) for job in service.writes]
    readers = [Client(lab, "read")] if drill.reads else []
    try:
        with drill.prepared(lab) if drill.prepared else contextlib.nullcontext() as host:
            subject = (lab, host) if drill.prepared else (lab,)
            with contextlib.ExitStack() as running:
                for client in (*writers, *readers):
                    running.enter_context(client)
                undo = drill.act(*subject)
                broken = time.time()
                try:
                    with contextlib.suppress(*[Broken] if drill.gap else []):  # the gap says so
                        wait("writes are acknowledged again", lambda: newest(writers) > broken + OUTLAST, 120)
                finally:
                    if undo:
                        undo()
                wait("the cluster is whole again by itself", lambda: service.whole(lab), 180)
    except Broken as reason:
        problem = str(reason)
    failed = [failure for each in (*writers, *readers) for failure in each.failed]
    gap = round(max(each.gap for each in (*writers, *readers)), 2)
    keys = [key for each in writers for key in each.keys]
    lost = observer.lost(lab, keys, service.program)
    failed_writes = sum(len(each.failed) for each in writers)
    failed_reads = len(readers[0].failed) if readers else None
    return Found(gap, len(keys), failed_writes, failed_reads, lost, problem, sorted(set(failed))[:4])


def returned(crowds: list[Client], since: float) -> list[float]:
    """Of each session that was answered since then: after how many seconds first, the fastest before the others."""
    writes = [times for crowd in crowds for times in crowd.writes.values()]
    return sorted(min(at for at in times if at > since) - since for times in writes if times[-1] > since)


def reconnect(lab: Lab, drill: Drill) -> Found:
    """All sessions lose their server; the gap is from another member's promotion until most have written again."""
    problem, back = "", []
    hosts = [host for host in lab.hosts if host.startswith("app")]
    crowds = [
        Client(lab, "hold", observer.CROWD, host, SESSIONS // len(hosts) + (number < SESSIONS % len(hosts)))
        for number, host in enumerate(hosts)
    ]
    try:
        with contextlib.ExitStack() as running:
            for crowd in crowds:
                running.enter_context(crowd)
            running.callback(drill.act(lab))
            broken = time.time()
            with contextlib.suppress(Broken):  # the number of those that are back says so
                wait("every session is back", lambda: len(returned(crowds, broken)) == SESSIONS, PATIENCE)
            wait("another member is primary", lambda: bool(primary(lab)), 60)
            back = returned(crowds, acts.promoted(lab))
        wait("the cluster is whole again by itself", lambda: drill.service.whole(lab), 180)
    except Broken as reason:
        problem = str(reason)
    most = int(MOST * SESSIONS)
    gap = round(back[most - 1], 2) if len(back) >= most else float(PATIENCE)
    keys = [key for crowd in crowds for key in crowd.keys]
    reasons = sorted({failure for crowd in crowds for failure in crowd.failed})[:4]
    return Found(gap, len(keys), SESSIONS - len(back), None, observer.lost(lab, keys), problem, reasons)


DRILLS = {
    "switchover": Drill(acts.switchover, gap=2, failed=0),
    "patch": Drill(acts.patch, gap=2, failed=0, reads=True, failed_reads=0),
    "kill": Drill(acts.kill, gap=5),
    "power_off": Drill(acts.power_off, gap=25),
    "power_off_with_etcd": Drill(acts.power_off_with_etcd, gap=25),
    "cut_off": Drill(acts.cut_off, gap=25),
    "lose_replica": Drill(acts.lose_replica, gap=2, failed=0),
    "lose_synchronous": Drill(acts.lose_synchronous, gap=15, failed=0),
    "freeze_synchronous": Drill(acts.freeze_synchronous, gap=15, failed=0),
    "lose_etcd": Drill(acts.lose_etcd, gap=2, failed=0),
    "lose_pooler": Drill(acts.lose_pooler, gap=2, failed=0, reads=True),
    "crash_pooler": Drill(acts.crash_pooler, gap=5),
    "replica_disk_full": Drill(disk.fill, gap=None, prepared=disk.replica_on_small_disk),
    "primary_disk_full": Drill(disk.fill, gap=None, prepared=disk.primary_on_small_disk),
    "reconnect": Drill(acts.power_off, gap=3, failed=0, round=reconnect),
    "all_power": Drill(acts.all_power, gap=None),
    "redis_kill": Drill(redis_acts.kill, gap=5, service=REDIS),
    "redis_freeze": Drill(redis_acts.freeze, gap=5, service=REDIS),
    "redis_power_off": Drill(redis_acts.power_off, gap=5, service=REDIS),
    "redis_cut_off": Drill(redis_acts.cut_off, gap=5, service=REDIS),
    "cluster_grow": Drill(redis_cluster_acts.grow, gap=5, service=CLUSTER),
    "cluster_shrink": Drill(redis_cluster_acts.shrink, gap=5, service=CLUSTER),
    "cluster_kill": Drill(redis_cluster_acts.kill, gap=5, service=CLUSTER),
    "cluster_power_off": Drill(redis_cluster_acts.power_off, gap=5, service=CLUSTER),
}


def kept(drill: Drill, found: Found) -> bool:
    """Whether a round kept what is promised."""
    return (
        not found.problem
        and found.lost == 0
        and (drill.gap is None or found.gap <= drill.gap)
        and (drill.failed is None or found.failed <= drill.failed)
        and (drill.failed_reads is None or (found.failed_reads or 0) <= drill.failed_reads)
    )


def again(lab: Lab) -> tuple[int | None, str]:
    """How many hosts site.yml changes now, if it comes to that, and what went wrong."""
    if not isinstance(lab, Scenario):  # which has no database
        try:
            acts.archive(lab)
        except Broken as reason:
            return None, str(reason)
    run = lab.playbook("site")
    return len(run.changed), run.tail(200) if run.status or run.changed else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drills", nargs="*", metavar="DRILL", help=f"of: {', '.join(DRILLS)}")
    parser.add_argument("--times", type=int, default=10, help="rounds of each drill (10)")
    sites = ["each", "last", "never"]
    parser.add_argument("--site", choices=sites, default="each", help="after which drill site.yml runs (each)")
    parser.add_argument("--record", action="store_true", help="append each round to docs/drills.csv")
    parser.add_argument("--scenario", help="a molecule scenario whose hosts stand, instead of a lab")
    parser.add_argument("--recorded", action="store_true", help="only print the table of all rounds so far")
    given = parser.parse_args()
    if unknown := set(given.drills) - set(DRILLS):
        parser.error(f"found {', '.join(sorted(unknown))}, expected some of {', '.join(DRILLS)}")
    release, promised = os.environ.get("RELEASE", "trixie"), {name: drill.gap for name, drill in DRILLS.items()}
    if given.recorded:
        print(rounds.table(rounds.recorded(release), promised))
        return 0
    chosen = given.drills or [name for name, drill in DRILLS.items() if drill.service is not CLUSTER]
    services = {DRILLS[name].service for name in chosen}
    if given.scenario:
        lab = (ClusterScenario if CLUSTER in services else Scenario)(given.scenario, release)
    else:
        lab = Lab(os.environ.get("LAB", "lab"), release)
    try:
        wait("all is whole before the first drill", lambda: all(each.whole(lab) for each in services), 60)
    except Broken as reason:
        parser.exit(1, f"{reason}\n")
    done: list[rounds.Round] = []
    for name in chosen:
        drill = DRILLS[name]
        for number in range(1, given.times + 1):
            found = drill.round(lab, drill)
            changed = None
            ends = number == given.times and (given.site == "each" or name == chosen[-1])
            if ends and given.site != "never" and not found.problem:
                changed, found.problem = again(lab)
            measured = asdict(found) | {"problem": " ".join(found.problem.split())[:200]}
            reasons = measured.pop("reasons")
            known = {"date": f"{datetime.date.today()}", "release": release, "drill": name}
            done.append(rounds.Round(**known, **measured, kept=kept(drill, found), changed=changed))
            if given.record:
                rounds.record(done[-1])
            print(f"{number}/{given.times}: {done[-1]} {reasons or ''}", flush=True)
            if found.problem:
                print(f"{name}: {found.problem}\n{sum(one.kept for one in done)} passed, 1 failed")
                return 1
    for each in services:
        observer.ask(lab, "drop", program=each.program)
    broken = sum(not found.kept for found in done)
    print(f"\n{rounds.table(done, promised)}\n{len(done) - broken} passed, {broken} failed")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
