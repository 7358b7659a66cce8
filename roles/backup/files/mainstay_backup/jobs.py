# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What cron runs beside the database: snapshots of Redis, configuration and logs of the hosts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from . import metrics
from .common import Problem, lock, note, read_json, run, scratch, stamp, write_whole
from .storage import expire, expire_replaced, newest, read_back, store, thin

READERS = {
    "redis": ["redis-check-rdb"],
    "dumps": ["pg_restore", "--list"],
}
PATTERNS = {"redis": "redis-*.rdb.enc", "dumps": "*.dump.enc"}
# Of a snapshot of several files, each says in its name how many there are.
PART = re.compile(r"-(\d+)of(\d+)\.")
SLOTS = 16384  # into so many parts a cluster of Redis divides all keys
# What the hosts' agents send.
ARCHIVES = ("files", "audit", "configuration")
PATIENCE = {"fingerprint": 60, "configuration": 300}  # seconds; what holds logs gets an hour
READERS |= dict.fromkeys(ARCHIVES, ["tar", "--list", "--gzip", "--file"])
PATTERNS |= dict.fromkeys(ARCHIVES, "*.tar.gz.enc")


def taken(settings, kind, work, wait=False):
    """Run a job that gives the bytes it stored; metrics say how it ended."""
    started, size = time.time(), 0
    with lock(kind, wait):
        try:
            size = work()
        except BaseException:
            metrics.report_job(settings, kind, False, size, started)
            raise
        metrics.report_job(settings, kind, True, size, started)
    return size


def redis_command(settings, address, *words):
    redis = settings.redis
    tls = ["--tls", "--cacert", settings.tls_ca, "--cert", settings.tls_cert, "--key", settings.tls_key]
    base = ["redis-cli", "-h", address, "-p", str(redis.port), "--user", redis.user, "--no-auth-warning", *tls]
    env = {**os.environ, "REDISCLI_AUTH": Path(redis.password_file).read_text(encoding="utf-8").strip()}
    return run([*base, *words], env=env, timeout=3600)


def redis_source(settings, hosts):
    """A replica that follows its master, or else the master: copying costs the server a fork."""
    master = None
    for address in hosts:
        try:
            lines = redis_command(settings, address, "INFO", "replication").split()
        except Problem as error:
            note(str(error))
            continue
        if {"role:slave", "master_link_status:up"} <= set(lines):
            return address
        if "role:master" in lines:
            master = address
    if master is None:
        hosts = ", ".join(hosts)
        raise Problem(f"redis: found no server that answers of {hosts}; expected a replica or the master; start Redis")
    return master


def redis_nodes(settings):
    """The lines of CLUSTER NODES, as words, of a node that answers."""
    for address in settings.redis.hosts:
        try:
            return [line.split() for line in redis_command(settings, address, "CLUSTER", "NODES").splitlines()]
        except Problem as error:
            note(str(error))
    hosts = ", ".join(settings.redis.hosts)
    raise Problem(f"redis: found no node that answers of {hosts}; expected one; start Redis")


def redis_groups(settings):
    """The servers that have the same data, for each part of them: all hosts, or of a cluster those of each master."""
    if not settings.redis.cluster:
        return [settings.redis.hosts]
    nodes = redis_nodes(settings)
    held, groups = 0, []
    for master in nodes:
        bounds = [word.split("-") for word in master[8:] if not word.startswith("[")]
        if bounds:
            held += sum(int(each[-1]) - int(each[0]) + 1 for each in bounds)
            group = [node for node in nodes if node[3] == master[0] and "fail" not in node[2].split(",")] + [master]
            groups.append([node[1].split("@")[0].rpartition(":")[0] for node in group])
    if held != SLOTS:
        raise Problem(
            f"redis: found {held} of {SLOTS} slots with a master; expected all of them, or a snapshot lacks data; "
            "run verify.yml, which names the nodes that are missing"
        )
    return sorted(groups)


def take_redis(settings):
    """A file of each part of the data. None is stored before all are there."""
    directory = Path(settings.backup_dir) / "redis"
    with scratch(settings) as work:
        groups = redis_groups(settings)
        names = [f"-{number}of{len(groups)}" if settings.redis.cluster else "" for number in range(1, len(groups) + 1)]
        for name, hosts in zip(names, groups, strict=True):
            redis_command(settings, redis_source(settings, hosts), "--rdb", str(work / f"dump{name}.rdb"))
            run([*READERS["redis"], str(work / f"dump{name}.rdb")])
        base = f"redis-{stamp()}"
        size = sum(store(settings, work / f"dump{name}.rdb", directory / f"{base}{name}.rdb.enc") for name in names)
    for path in thin(directory.glob(PATTERNS["redis"]), time.time()):
        path.unlink()
    expire(directory, settings.keep_days)
    return size


def ask(settings, host, wanted, out):
    """Write what a host's agent sends for a word; None, or why it sent nothing."""
    tls = ["-CAfile", settings.tls_ca, "-cert", settings.tls_cert, "-key", settings.tls_key]
    verify = ["-verify_return_error", "-verify_ip", host.address]
    words = ["openssl", "s_client", "-connect", f"{host.address}:{settings.hosts_port}", "-quiet", *verify, *tls]
    seconds = PATIENCE.get(wanted, 3600)  # a host that vanishes in the middle says nothing more
    given = {"input": f"{wanted}\n".encode(), "stdout": out, "stderr": subprocess.PIPE, "timeout": seconds}
    try:
        done = subprocess.run(words, check=False, **given)
    except subprocess.TimeoutExpired:
        return f"found no end of its answer; expected one within {seconds} s; see whether {host.address} is there"
    return None if done.returncode == 0 else " ".join(done.stderr.decode(errors="replace").split())[-300:]


def fetch(settings, host, kind, target):
    """An archive of a host; None, or why it is not whole."""
    with target.open("wb") as out:
        reason = ask(settings, host, kind, out)
    if reason is None:
        try:
            run([*READERS[kind], str(target)])
        except Problem as error:
            reason = str(error)
    return reason


def archive(settings, host, kind):
    """Store an archive of a host; gives the bytes, 0 when there is none."""
    with scratch(settings) as work:
        reason = fetch(settings, host, kind, work / "archive")
        if reason:
            note(f"{host.name}: {reason}")
            return 0
        target = Path(settings.backup_dir) / kind / host.name / f"{host.name}-{stamp()}.tar.gz.enc"
        return store(settings, work / "archive", target)


def incomplete(kind, failed):
    return Problem(
        f"{kind}: found no whole archive of {', '.join(failed)}; expected one of each host; the others are stored; "
        "read journalctl -u mainstay-backup-agent there"
    )


def take_archives(settings, kind):
    """One of each host: files, which are configuration and new logs, or audit logs. Gives the bytes."""
    sizes = {host.name: archive(settings, host, kind) for host in settings.hosts}
    expire(Path(settings.backup_dir) / kind, settings.audit_keep_days if kind == "audit" else settings.keep_days)
    failed = [name for name, size in sizes.items() if not size]
    if failed:
        raise incomplete(kind, failed)
    return sum(sizes.values())


def fingerprint(settings, host):
    """What stays the same while a host's configuration does; None when it does not answer."""
    with tempfile.TemporaryFile() as out:
        reason = ask(settings, host, "fingerprint", out)
        out.seek(0)
        found = re.fullmatch(rb"([0-9a-f]{64})\s+-\s*", out.read(100))
    if found is None:
        note(f"{host.name}: {reason or 'found no fingerprint; expected one; run the backup_agent role'}")
        return None
    return found[1].decode()


def take_configuration(settings):
    """An archive of each host whose configuration differs from its newest one; gives the bytes by name.

    The fingerprint is older than the archive: what changes between the two is found the next time.
    """
    base = Path(settings.backup_dir) / "configuration"
    sizes, failed = {}, []
    for host in settings.hosts:
        expire_replaced(base / host.name, settings.keep_days)
        known = base / host.name / "fingerprint"
        found = fingerprint(settings, host)
        same = found and found == read_json(known, None) and newest(known.parent, PATTERNS["configuration"])
        if same:
            continue
        size = archive(settings, host, "configuration") if found else 0
        if not size:
            failed.append(host.name)
            continue
        write_whole(known, json.dumps(found) + "\n")
        note(f"{host.name}: its configuration differs from the newest archive; taken")
        sizes[host.name] = size
    if failed:
        raise incomplete("configuration", failed)
    return sizes


def stored(settings, kind):
    return (Path(settings.backup_dir) / kind).rglob(PATTERNS[kind])


def folders(settings, kind):
    """Directories of a kind of which each must hold at least one file."""
    base = Path(settings.backup_dir) / kind
    if kind in ARCHIVES:
        return [base / host.name for host in settings.hosts]
    if kind == "dumps":
        return sorted(path for path in base.iterdir() if path.is_dir())
    return [base]


def whole(path, kind):
    """All files of the snapshot that a file belongs to."""
    part = PART.search(path.name)
    if part is None:
        return [path]
    found = sorted(path.parent.glob(f"{path.name[: part.start()]}-*of*"))
    if len(found) != int(part[2]):
        raise Problem(
            f"{path}: found {len(found)} of {part[2]} files of its snapshot; expected all; run mainstay-backup {kind}"
        )
    return found


def check(settings, kind):
    """Decrypt and read the newest files of a kind, of each host or database; gives the paths."""
    read = []
    with scratch(settings) as work:
        for folder in folders(settings, kind):
            latest = newest(folder, PATTERNS[kind])
            if latest is None:
                raise Problem(f"{folder}: found no {PATTERNS[kind]}; expected at least one; run mainstay-backup {kind}")
            for path in whole(latest, kind):
                read_back(settings, path, READERS[kind], work)
                read.append(path)
    return read
