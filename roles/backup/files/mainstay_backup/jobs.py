# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What cron runs beside the database: snapshots of Redis, configuration and logs of the hosts."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from . import metrics
from .common import Problem, lock, note, run, scratch, stamp
from .storage import expire, newest, read_back, store, thin

READERS = {
    "redis": ["redis-check-rdb"],
    "files": ["tar", "--list", "--gzip", "--file"],
    "dumps": ["pg_restore", "--list"],
}
PATTERNS = {"redis": "redis-*.rdb.enc", "files": "*.tar.gz.enc", "dumps": "*.dump.enc"}


def taken(settings, kind, work):
    """Run a job that gives the bytes it stored; metrics say how it ended."""
    started, size = time.time(), 0
    with lock(kind):
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


def redis_source(settings):
    """A replica that follows its master, or else the master: copying costs the server a fork."""
    master = None
    for address in settings.redis.hosts:
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
        hosts = ", ".join(settings.redis.hosts)
        raise Problem(f"redis: found no server that answers of {hosts}; expected a replica or the master; start Redis")
    return master


def take_redis(settings):
    directory = Path(settings.backup_dir) / "redis"
    with scratch(settings) as work:
        source = redis_source(settings)
        redis_command(settings, source, "--rdb", str(work / "dump.rdb"))
        run([*READERS["redis"], str(work / "dump.rdb")])
        size = store(settings, work / "dump.rdb", directory / f"redis-{stamp()}.rdb.enc")
    for path in thin(directory.glob(PATTERNS["redis"]), time.time()):
        path.unlink()
    expire(directory, settings.keep_days)
    return size


def fetch(settings, host, target):
    """The archive that a host's agent sends; None, or why it is not whole."""
    tls = ["-CAfile", settings.tls_ca, "-cert", settings.tls_cert, "-key", settings.tls_key]
    verify = ["-verify_return_error", "-verify_ip", host.address]
    words = ["openssl", "s_client", "-connect", f"{host.address}:{settings.hosts_port}", "-quiet", *verify, *tls]
    with target.open("wb") as out:
        done = subprocess.run(words, check=False, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)
    if done.returncode != 0:
        return " ".join(done.stderr.decode(errors="replace").split())[-300:]
    try:
        run([*READERS["files"], str(target)])
    except Problem as error:
        return str(error)
    return None


def take_files(settings):
    size, failed = 0, []
    directory = Path(settings.backup_dir) / "files"
    for host in settings.hosts:
        with scratch(settings) as work:
            reason = fetch(settings, host, work / "archive")
            if reason:
                failed.append(host.name)
                note(f"{host.name}: {reason}")
            else:
                size += store(settings, work / "archive", directory / host.name / f"{host.name}-{stamp()}.tar.gz.enc")
    expire(directory, settings.keep_days)
    if failed:
        raise Problem(
            f"files: found no whole archive of {', '.join(failed)}; expected one of each host; the others are stored; "
            "read journalctl -u mainstay-backup-agent there"
        )
    return size


def stored(settings, kind):
    return (Path(settings.backup_dir) / kind).rglob(PATTERNS[kind])


def folders(settings, kind):
    """Directories of a kind of which each must hold at least one file."""
    base = Path(settings.backup_dir) / kind
    if kind == "files":
        return [base / host.name for host in settings.hosts]
    if kind == "dumps":
        return sorted(path for path in base.iterdir() if path.is_dir())
    return [base]


def check(settings, kind):
    """Decrypt and read the newest file of a kind, of each host or database; gives the paths."""
    read = []
    with scratch(settings) as work:
        for folder in folders(settings, kind):
            path = newest(folder, PATTERNS[kind])
            if path is None:
                raise Problem(f"{folder}: found no {PATTERNS[kind]}; expected at least one; run mainstay-backup {kind}")
            read_back(settings, path, READERS[kind], work)
            read.append(path)
    return read
