#!/usr/bin/env python3
"""Break the lab's database under a client's writes, again and again, and print what the client felt.

    tests/drills/run.py [--times N] [--record] [DRILL...]      all drills without a name
    tests/drills/run.py --recorded                             breaks nothing: the table of docs/drills.csv

The client runs in a container of the application on app1 and goes through the floating address; its own log says what
was acknowledged. After every round the cluster must be whole again by itself, and the client reads everything back.
Where a drill promises it, a second client reads through the read-only entry, and counts as the first.
A drill fails when its longest gap, its failed statements or its lost rows exceed what is promised.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import acts  # noqa: E402
import disk  # noqa: E402
import rounds  # noqa: E402
from acts import wait, whole  # noqa: E402

from tests.lab import Lab, primary  # noqa: E402

CLIENT = (Path(__file__).parent / "client.py").read_text()
RATE = 40  # statements per second
OUTLAST = 10  # seconds that the client writes on after a gap
SESSIONS, MOST = 500, 0.95  # of `reconnect`: how many come back, and the share of them that the promise is about


def client(lab: Lab, *arguments: object) -> list[str]:
    inner = ["docker", "exec", "-i", "api-1", "python3", "-u", "-c", CLIENT, *map(str, arguments)]
    return ["docker", "exec", "-i", f"{lab.name}-app1", *inner]


@dataclass
class Client:
    """A client that writes, or reads, from `with` to the end of it."""

    lab: Lab
    job: str
    acknowledged: list[tuple[float, str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def __enter__(self) -> Client:
        command = client(self.lab, self.job, RATE)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        wait(f"the client can {self.job}", lambda: len(self.acknowledged) > RATE, 60)
        return self

    def _read(self) -> None:
        for line in self.process.stdout:
            at, verdict, key, *reason = line.split(maxsplit=3)
            if verdict == "ok":
                self.acknowledged.append((float(at), key))
            else:
                self.failed.append(reason[0].strip() if reason else "")

    def __exit__(self, *_details) -> None:
        self.process.stdin.close()
        self.process.wait(60)
        self.reader.join()

    @property
    def gap(self) -> float:
        """Seconds of the longest time without an acknowledgement, whichever session it was for."""
        times = sorted(at for at, _key in self.acknowledged)
        return max(later - earlier for earlier, later in zip(times, times[1:], strict=False))

    def lost(self) -> list[str]:
        keys = "\n".join(key for _at, key in self.acknowledged)
        done = subprocess.run(client(self.lab, "lost"), input=keys, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()


@dataclass
class Drill:
    """What is done, and the most that is promised: seconds without an answer, failed statements (None: no promise).

    `act` takes the lab, and the host that `prepared` yields where there is one.
    """

    act: Callable[..., Callable[[], None] | None]
    gap: float | None
    failed: int | None = None
    readers: bool = False
    prepared: Callable[[Lab], contextlib.AbstractContextManager[str]] | None = None
    after: Callable[..., None] | None = None  # takes what `act` takes, when the cluster is whole again
    round: Callable[[Lab, Drill], tuple[dict, list[str]]] = field(default=lambda lab, drill: one_round(lab, drill))


def one_round(lab: Lab, drill: Drill) -> tuple[dict, list[str]]:
    with drill.prepared(lab) if drill.prepared else contextlib.nullcontext() as host:
        subject = (lab, host) if drill.prepared else (lab,)
        writes, reads = Client(lab, "write"), Client(lab, "read")
        with writes, reads if drill.readers else contextlib.nullcontext():
            undo = drill.act(*subject)
            broken = time.time()
            wait("writes are acknowledged again", lambda: newest(writes) > broken + OUTLAST, 120)
            if undo:
                undo()
            wait("the cluster is whole again by itself", lambda: whole(lab), 180)
        if drill.after:
            drill.after(*subject)
    clients = [writes, reads] if drill.readers else [writes]
    failed = [failure for each in clients for failure in each.failed]
    return {
        "gap": round(max(each.gap for each in clients), 2),
        "written": len(writes.acknowledged),
        "failed": len(failed),
        "lost": len(writes.lost()),
    }, sorted(set(failed))[:4]


def reconnect(lab: Lab, drill: Drill) -> tuple[dict, list[str]]:
    """Once there is another primary everybody connects at once and writes; the gap is until most of them have."""
    before, undo = primary(lab), drill.act(lab)
    wait("another member is primary", lambda: primary(lab) != before, 60)
    done = subprocess.run(client(lab, "connect", SESSIONS), capture_output=True, text=True, timeout=180, check=True)
    seconds = sorted(map(float, done.stdout.split()))
    undo()
    wait("the cluster is whole again by itself", lambda: whole(lab), 180)
    return {
        "gap": round(seconds[int(MOST * SESSIONS) - 1], 2),
        "written": len(seconds),
        "failed": SESSIONS - len(seconds),
        "lost": 0,
    }, []


DRILLS = {
    "switchover": Drill(acts.switchover, gap=2, failed=0),
    "patch": Drill(acts.patch, gap=2, failed=0, readers=True),
    "kill": Drill(acts.kill, gap=5),
    "power_off": Drill(acts.power_off, gap=25),
    "power_off_with_etcd": Drill(acts.power_off_with_etcd, gap=25),
    "cut_off": Drill(acts.cut_off, gap=25),
    "lose_replica": Drill(acts.lose_replica, gap=2, failed=0),
    "lose_etcd": Drill(acts.lose_etcd, gap=2, failed=0),
    "lose_pooler": Drill(acts.lose_pooler, gap=2, failed=0),
    "replica_disk_full": Drill(disk.fill, gap=None, prepared=disk.replica_on_small_disk, after=disk.read_all),
    "primary_disk_full": Drill(disk.fill, gap=None, prepared=disk.primary_on_small_disk, after=disk.read_all),
    "reconnect": Drill(acts.power_off, gap=3, failed=0, round=reconnect),
    "all_power": Drill(acts.all_power, gap=None),
}


def newest(writes: Client) -> float:
    return writes.acknowledged[-1][0]


def kept(drill: Drill, found: dict) -> bool:
    """Whether a round kept what is promised."""
    return (
        found["lost"] == 0
        and (drill.gap is None or found["gap"] <= drill.gap)
        and (drill.failed is None or found["failed"] <= drill.failed)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drills", nargs="*", metavar="DRILL", help=f"of: {', '.join(DRILLS)}")
    parser.add_argument("--times", type=int, default=10, help="rounds of each drill (10)")
    parser.add_argument("--record", action="store_true", help="append each round to docs/drills.csv")
    parser.add_argument("--recorded", action="store_true", help="only print the table of all rounds so far")
    given = parser.parse_args()
    if unknown := set(given.drills) - set(DRILLS):
        parser.error(f"found {', '.join(sorted(unknown))}, expected some of {', '.join(DRILLS)}")
    release, promised = os.environ.get("RELEASE", "trixie"), {name: drill.gap for name, drill in DRILLS.items()}
    if given.recorded:
        print(rounds.table(rounds.recorded(release), promised))
        return 0
    lab = Lab(os.environ.get("LAB", "lab"), release)
    wait("the cluster is whole before the first drill", lambda: whole(lab), 60)
    done, broken = [], 0
    for name in given.drills or DRILLS:
        drill = DRILLS[name]
        for number in range(given.times):
            found, reasons = drill.round(lab, drill)
            result = rounds.Round(date=f"{datetime.date.today()}", release=release, drill=name, **found)
            if given.record:
                rounds.record(result)
            done.append(result)
            broken += not kept(drill, found)
            verdict = "kept" if kept(drill, found) else f"BROKEN {reasons}"
            print(f"{name} {number + 1}/{given.times}: {json.dumps(found)} {verdict}", flush=True)
    subprocess.run(client(lab, "drop"), check=True, stdin=subprocess.DEVNULL)
    print(f"\n{rounds.table(done, promised)}\n{len(done) - broken} passed, {broken} failed")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
