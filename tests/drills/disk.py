"""A disk that runs full under PostgreSQL: a small file system of its own, for as long as a drill takes.

Loop devices belong to the machine, so the file system is made there and mounted into the host from outside.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.parse
from collections.abc import Iterator

from acts import Broken, playbook, wait, whole

from tests.lab import ROOT, Lab, make_synchronous, replica, sql

IMAGE = ROOT / ".cache" / "drill-disk.img"
DATA = "/var/lib/postgresql"
CHECKSUMS = f"/usr/lib/postgresql/*/bin/pg_checksums --check -D {DATA}/*/*"
ROOM = 2000  # MB beside the data: enough for the bulk and its WAL, once the filler is gone
REMOVE = "drop table if exists drill_bulk;"
BULK = f"{REMOVE} create table drill_bulk as select repeat('x', 1000) from generate_series(1, 400000)"


def machine(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.strip()


def inside(lab: Lab, host: str, *command: str) -> str:
    """Run in the host's mounts, with the machine's right to its devices."""
    process = lab.docker("inspect", "--format", "{{.State.Pid}}", f"{lab.name}-{host}").strip()
    return machine("nsenter", "--target", process, "--mount", *command)


@contextlib.contextmanager
def small_disk(lab: Lab, host: str) -> Iterator[None]:
    """The member's data lie on it from `with` to the end of it; the member streams again on both occasions."""
    aside = f"{DATA}.aside"
    used = int(lab.shell(host, f"du -sm {DATA} | cut -f1"))
    machine("truncate", "--size", f"{used + ROOM}M", str(IMAGE))
    machine("mkfs.ext4", "-q", "-F", "-m", "0", str(IMAGE))
    device = machine("losetup", "--find", "--show", str(IMAGE))
    try:
        lab.shell(host, f"systemctl stop patroni && mv {DATA} {aside} && mkdir {DATA}")
        lab.shell(host, f"mknod {device} b 7 {device.removeprefix('/dev/loop')}")
        inside(lab, host, "mount", device, DATA)
        lab.shell(host, f"cp -a {aside}/. {DATA}/ && chown --reference={aside} {DATA} && systemctl start patroni")
        wait(f"{host} streams from its small disk", lambda: whole(lab), 120)
        yield
    finally:
        # What is back is older than the cluster, as after a long absence: the member catches up.
        lab.shell(host, "systemctl stop patroni")
        damage = lab.shell(host, f"{CHECKSUMS} >/dev/null 2>/root/checksums || cat /root/checksums")
        lab.shell(host, f"umount {DATA} && rmdir {DATA} && mv {aside} {DATA}; rm -f {device}")
        machine("losetup", "--detach", device)
        IMAGE.unlink()
        lab.shell(host, "systemctl start patroni")
        wait(f"{host} streams from its own disk", lambda: whole(lab), 180)
        sql(lab, REMOVE)
    if damage:
        raise Broken(f"expected every page of the full disk whole; found {damage}")


@contextlib.contextmanager
def replica_on_small_disk(lab: Lab) -> Iterator[str]:
    host = replica(lab)
    with small_disk(lab, host):
        yield host


@contextlib.contextmanager
def primary_on_small_disk(lab: Lab) -> Iterator[str]:
    with replica_on_small_disk(lab) as host:
        make_synchronous(lab, host)
        playbook(lab, "switchover", "-e", f"switchover_candidate={host}")
        yield host


# A host has no curl.
ASK = """import ssl, sys, urllib.request
trust = ssl.create_default_context(cafile="/etc/mainstay/tls/ca.crt")
print(urllib.request.urlopen(sys.argv[1], context=trust, timeout=10).read().decode())
"""


def firing(lab: Lab, alert: str, host: str) -> bool:
    query = urllib.parse.quote(f'ALERTS{{alertname="{alert}",alertstate="firing",instance="{host}"}}')
    url = f"https://{lab.address('ops1')}:9090/api/v1/query?query={query}"
    answer = lab.shell("ops1", f"python3 - '{url}'", stdin=ASK)
    return bool(json.loads(answer)["data"]["result"])


def fill(lab: Lab, host: str) -> None:
    """Nothing is left on the host's disk, and there are 400 MB to store; space comes back once the alert fires."""
    lab.shell(host, f"cat /dev/zero > {DATA}/filler 2> /dev/null || true")
    sql(lab, BULK, check=False)
    wait(f"the alert DiskFull names {host}", lambda: firing(lab, "DiskFull", host), 240)
    lab.shell(host, f"rm {DATA}/filler")
