#!/usr/bin/env python3
"""Break the lab's database under a client's writes, again and again, and print what the client felt.

    tests/drills/run.py [--times N] [DRILL...]      all drills without a name

The client runs in a container of the application on app1 and goes through the floating address; its own log says what
was acknowledged. After every round the cluster must be whole again by itself, and the client reads everything back.
Where a drill promises it, a second client reads through the read-only entry, and counts as the first.
A drill fails when its longest gap, its failed statements or its lost rows exceed what is promised.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
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
from acts import wait, whole  # noqa: E402

from tests.lab import Lab, primary  # noqa: E402

CLIENT = (Path(__file__).parent / "client.py").read_text()
RATE = 40  # statements per second
OUTLAST = 10  # seconds that the client writes on after a gap
SESSIONS, MOST = 500, 0.95  # of `reconnect`: how many come back, and the share of them that the promise is about
RESULTS = ROOT / ".cache" / "drills.json"


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
    most: int = 100  # rounds, of one that takes long
    prepared: Callable[[Lab], contextlib.AbstractContextManager[str]] | None = None
    after: Callable[..., None] | None = None  # takes what `act` takes, when the cluster is whole again
    round: Callable[[Lab, Drill], dict] = field(default=lambda lab, drill: one_round(lab, drill))


def one_round(lab: Lab, drill: Drill) -> dict:
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
        "reasons": sorted(set(failed))[:4],
    }


def reconnect(lab: Lab, drill: Drill) -> dict:
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
        "reasons": [],
    }


DRILLS = {
    "switchover": Drill(acts.switchover, gap=2, failed=0),
    "patch": Drill(acts.patch, gap=2, failed=0, readers=True, most=2),
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


def distribution(values: list[float]) -> str:
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return f"{ordered[0]:6.2f} {statistics.median(ordered):6.2f} {p95:6.2f} {ordered[-1]:6.2f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drills", nargs="*", metavar="DRILL", help=f"of: {', '.join(DRILLS)}")
    parser.add_argument("--times", type=int, default=10, help="rounds of each drill (10)")
    given = parser.parse_args()
    if unknown := set(given.drills) - set(DRILLS):
        parser.error(f"found {', '.join(sorted(unknown))}, expected some of {', '.join(DRILLS)}")
    lab = Lab(os.environ.get("LAB", "lab"), os.environ.get("RELEASE", "trixie"))
    wait("the cluster is whole before the first drill", lambda: whole(lab), 60)
    results, broken = {}, 0
    for name in given.drills or DRILLS:
        drill, rounds = DRILLS[name], []
        times = min(given.times, drill.most)
        for number in range(times):
            rounds.append(drill.round(lab, drill))
            verdict = "kept" if kept(drill, rounds[-1]) else "BROKEN"
            broken += verdict == "BROKEN"
            print(f"{name} {number + 1}/{times}: {json.dumps(rounds[-1])} {verdict}", flush=True)
        results[name] = rounds
    subprocess.run(client(lab, "drop"), check=True, stdin=subprocess.DEVNULL)
    RESULTS.write_text(json.dumps(results, indent=1))
    print(
        f"\n{'drill':22} {'promised':>8}   {'min':>6} {'median':>6} {'p95':>6} {'max':>6}   failed/round  lost/written"
    )
    for name, rounds in results.items():
        promised = "-" if DRILLS[name].gap is None else f"{DRILLS[name].gap:g} s"
        failed = statistics.mean(found["failed"] for found in rounds)
        lost, written = (sum(found[key] for found in rounds) for key in ("lost", "written"))
        gaps = distribution([found["gap"] for found in rounds])
        print(f"{name:22} {promised:>8}   {gaps}   {failed:12.1f}  {lost}/{written}")
    total = sum(len(rounds) for rounds in results.values())
    print(f"{total - broken} passed, {broken} failed")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
