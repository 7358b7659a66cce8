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

from tests.lab import Lab, cluster, primary, running  # noqa: E402

CLIENT = (Path(__file__).parent / "client.py").read_text()
RATE = 40  # statements per second
RESULTS = ROOT / ".cache" / "drills.json"
DATABASE_HOSTS = ("db1", "db2", "db3")


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


def wait(what: str, holds: Callable[[], bool], seconds: float) -> float:
    """Seconds until it holds; it must, before the deadline."""
    began = time.monotonic()
    while True:
        try:
            if holds():
                return time.monotonic() - began
        except (AssertionError, subprocess.CalledProcessError, StopIteration, ValueError):
            pass  # nobody could answer yet
        if time.monotonic() - began > seconds:
            raise SystemExit(f"drill: expected within {seconds:g} s that {what}; it is not so")
        time.sleep(0.5)


def whole(lab: Lab) -> bool:
    """One primary, every other member streams from it, and every member of etcd answers."""
    members = cluster(lab)
    leaders = [member for member in members if member["Role"] == "Leader" and member["State"] == "running"]
    streaming = [member for member in members if member["State"] == "streaming"]
    host = leaders[0]["Member"]
    lab.shell(host, f"{etcdctl(lab)} endpoint health --cluster")
    return len(leaders) == 1 and len(streaming) == len(DATABASE_HOSTS) - 1


def etcdctl(lab: Lab) -> str:
    endpoints = ",".join(f"https://{lab.address(host)}:2379" for host in DATABASE_HOSTS if running(lab, host))
    tls = "--cacert /etc/mainstay/tls/ca.crt --cert /etc/mainstay/tls/host.crt --key /etc/mainstay/tls/host.key"
    return f"ETCDCTL_API=3 etcdctl {tls} --endpoints {endpoints}"


def replica(lab: Lab) -> str:
    return next(member["Member"] for member in cluster(lab) if member["Role"] != "Leader")


def playbook(lab: Lab, name: str, *arguments: str) -> None:
    run = lab.playbook(name, *arguments)
    if run.status != 0:
        raise SystemExit(f"drill: playbooks/{name}.yml failed:\n{run.tail()}")


def switchover(lab: Lab) -> None:
    playbook(lab, "switchover")


# dpkg is told that what it has is a little older. So apt fetches, unpacks and configures the packages for real, and the
# services run on with files that are gone. What the drill lacks are releases that differ in what they do, and a reboot.
AGE = r"""set -e
servers=$(dpkg-query -W -f '${Package}\n' 'postgresql-[0-9]*' | grep -xE 'postgresql-[0-9]+')
for package in etcd-server patroni pgbouncer $servers; do
    version=$(dpkg-query -W -f '${Version}' "$package")
    sed -i "/^Package: $package\$/,/^\$/ s/^Version: .*/Version: $version~drill/" /var/lib/dpkg/status
done
apt-get check"""
AGED = r"dpkg-query -W -f '${Package} ${Version}\n' | grep '~drill$' || true"
STARTED = "systemctl show --value -p ExecMainStartTimestampMonotonic etcd patroni pgbouncer"


def patch(lab: Lab) -> None:
    """Every database host has upgrades; they come in, everything runs them, and a second run finds nothing to do."""
    for host in DATABASE_HOSTS:
        lab.shell(host, AGE)
    first, before = primary(lab), {host: lab.shell(host, STARTED).split() for host in DATABASE_HOSTS}
    playbook(lab, "patch")
    second, again = primary(lab), lab.playbook("patch")
    for host in DATABASE_HOSTS:
        aged, old = lab.shell(host, AGED), set(before[host]) & set(lab.shell(host, STARTED).split())
        if aged or old:
            raise SystemExit(f"drill: expected upgrades that run on {host}; found {aged or 'services of before'}")
    if first == second or again.status != 0 or again.changed or primary(lab) != second:
        raise SystemExit(
            f"drill: expected one switchover from {first}, and nothing in a second run; found the primary {second}, "
            f"then {primary(lab)}, status {again.status}, changed {again.changed}:\n{again.tail()}"
        )


def kill(lab: Lab) -> None:
    """SIGKILL of the primary's postgres: Patroni starts it again, or a replica takes over."""
    lab.shell(primary(lab), "pkill -KILL -o -x postgres")


def power_off(lab: Lab) -> Callable[[], None]:
    host = primary(lab)
    lab.docker("kill", f"{lab.name}-{host}")
    return lambda: lab.docker("start", f"{lab.name}-{host}")


def power_off_with_etcd(lab: Lab) -> Callable[[], None]:
    """The primary's host leads etcd too: the state that the platform avoids is made by hand first."""
    host = primary(lab)
    member = f"$({etcdctl(lab)} member list | awk -F', ' '$3 == \"{host}\" {{print $1}}')"
    lab.shell(host, f"systemctl stop mainstay-etcd-leader.timer; {etcdctl(lab)} move-leader {member} || true")
    return power_off(lab)


def cut_off(lab: Lab) -> Callable[[], None]:
    """The primary's host loses the other database hosts; the edge, and with it every client, still reaches it."""
    host = primary(lab)
    peers = ", ".join(lab.address(peer) for peer in DATABASE_HOSTS if peer != host)
    lab.shell(
        host,
        "nft -f - <<< 'table inet drill {"
        f" chain from_peers {{ type filter hook input priority -300; ip saddr {{ {peers} }} drop; }}"
        f" chain to_peers {{ type filter hook output priority -300; ip daddr {{ {peers} }} drop; }} }}'",
    )
    return lambda: lab.shell(host, "nft delete table inet drill")


def lose_replica(lab: Lab) -> Callable[[], None]:
    host = replica(lab)
    lab.docker("kill", f"{lab.name}-{host}")
    return lambda: lab.docker("start", f"{lab.name}-{host}")


def lose_etcd(lab: Lab) -> Callable[[], None]:
    host = primary(lab)
    lab.shell(host, "systemctl kill --signal KILL etcd; systemctl stop etcd")
    return lambda: lab.shell(host, "systemctl start etcd")


def lose_pooler(lab: Lab) -> Callable[[], None]:
    host = replica(lab)
    lab.shell(host, "systemctl kill --signal KILL pgbouncer; systemctl stop pgbouncer")
    return lambda: lab.shell(host, "systemctl start pgbouncer")


def all_power(lab: Lab) -> Callable[[], None]:
    hosts = [f"{lab.name}-{host}" for host in DATABASE_HOSTS]
    lab.docker("kill", *hosts)
    lab.docker("start", *hosts)
    return lambda: None


@dataclass
class Drill:
    """What is done, and the most that is promised: seconds without an answer, failed statements (None: no promise)."""

    act: Callable[[Lab], Callable[[], None] | None]
    gap: float | None
    failed: int | None = None
    readers: bool = False
    most: int = 100  # rounds, of one that takes long


DRILLS = {
    "switchover": Drill(switchover, gap=2, failed=0),
    "patch": Drill(patch, gap=2, failed=0, readers=True, most=2),
    "kill": Drill(kill, gap=5),
    "power_off": Drill(power_off, gap=25),
    "power_off_with_etcd": Drill(power_off_with_etcd, gap=25),
    "cut_off": Drill(cut_off, gap=25),
    "lose_replica": Drill(lose_replica, gap=2, failed=0),
    "lose_etcd": Drill(lose_etcd, gap=2, failed=0),
    "lose_pooler": Drill(lose_pooler, gap=2, failed=0),
    "all_power": Drill(all_power, gap=None),
}
OUTLAST = 10  # seconds that the client writes on after a gap


def one_round(lab: Lab, drill: Drill) -> dict:
    writes, reads = Client(lab, "write"), Client(lab, "read")
    with writes, reads if drill.readers else contextlib.nullcontext():
        undo = drill.act(lab)
        broken = time.time()
        wait("writes are acknowledged again", lambda: newest(writes) > broken + OUTLAST, 120)
        if undo:
            undo()
        wait("the cluster is whole again by itself", lambda: whole(lab), 180)
    clients = [writes, reads] if drill.readers else [writes]
    failed = [reason for each in clients for reason in each.failed]
    return {
        "gap": round(max(each.gap for each in clients), 2),
        "written": len(writes.acknowledged),
        "failed": len(failed),
        "lost": len(writes.lost()),
        "reasons": sorted(set(failed))[:4],
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
            rounds.append(one_round(lab, drill))
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
