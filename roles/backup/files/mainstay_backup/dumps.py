# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Logical dumps of single databases, and a database made from one."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

from .common import ROOM, Problem, failure, lock, note, scratch, stamp
from .database import cluster_conninfo, identifier, literal, primary
from .jobs import PATTERNS, READERS
from .storage import decrypting, expire, newest, pipe, read_back, store

SUFFIX = ".dump.enc"
# In a table of contents: the platform's own schema and what is in it, but for the memory of which scripts have run.
PLATFORM = re.compile(r"\d+; \d+ \d+ (?!TABLE DATA mainstay scripts )[A-Z ]+ (?:mainstay|- (?:SCHEMA )?mainstay) ")
# The schema and the name of what the dump makes; those of what somebody is given a right to, and its kind between them.
OBJECT = re.compile(r"(?m)^\d+; \d+ \d+ (?!ACL )[A-Z ]+ (?!- )(\S+) (.+) \S+$")
GRANT = re.compile(r"\d+; \d+ \d+ ACL (?!- )(\S+) ([A-Z]+) (.+) \S+$")
# What pg_dump makes may depend on settings of the role; what it needs is time.
PATIENT = {**os.environ, "PGOPTIONS": "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0"}


def folder(settings, name):
    return Path(settings.backup_dir) / "dumps" / name


def databases(session):
    return session.ask("select datname from pg_database where datallowconn and not datistemplate order by 1")


def dump(settings, wanted):
    """Dump databases by their names, or ["all"]; gives [(path, bytes)]."""
    with primary(settings) as session:
        there = databases(session)
    every = wanted == ["all"]
    names = [name for name in there if name != "postgres"] if every else wanted
    unknown = sorted(set(names) - set(there))
    if unknown:
        raise Problem(f"database {', '.join(unknown)}: found none of that name; expected some of {', '.join(there)}")
    made = [dump_one(settings, name) for name in names]
    if every:
        expire_dropped(settings)
    return made


def expire_dropped(settings):
    """Dumps of databases that are gone, when all others have a new one. An empty folder would be missed as a dump."""
    base = Path(settings.backup_dir) / "dumps"
    expire(base, settings.keep_days)
    for path in base.iterdir():
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def dump_one(settings, name):
    if not re.fullmatch(r"[\w.-]+", name):
        raise Problem(f"database {name!r}: found a name that no file can have; expected letters, digits, '_', '.', '-'")
    target = folder(settings, name) / f"{name}-{stamp()}{SUFFIX}"
    where = cluster_conninfo(settings, settings.postgres.dump_role, name, wanted="primary")
    size = store(settings, ["pg_dump", "--format=custom", "--no-password", "--dbname", where], target, env=PATIENT)
    with scratch(settings) as work:
        read_back(settings, target, READERS["dumps"], work)
    expire(folder(settings, name), settings.keep_days)
    return target, size


def find(settings, name, given):
    """The dump that a word means: latest, a file's name, or its time as 20231201_120000."""
    base = folder(settings, name)
    if given == "latest":
        path = newest(base, PATTERNS["dumps"])
    else:
        path = next(
            (item for item in base.glob(PATTERNS["dumps"]) if given in (item.name, item.name[: -len(SUFFIX)])), None
        )
        path = path or next(iter(base.glob(f"*-{given}{SUFFIX}")), None)
    if path is None:
        there = ", ".join(sorted(item.name for item in base.glob(PATTERNS["dumps"]))[-5:]) or "there is none"
        raise Problem(f"dump {given} of {name}: found no such file; expected one of: {there}")
    return path


@contextlib.contextmanager
def prepared(settings, name, given, to, replace):
    """What a restore needs, when everything that could refuse was asked. Nothing is made."""
    path = find(settings, name, given)
    if replace and replace != name:
        raise Problem(f"--replace: found {replace}; expected {name}, the name of the database that is replaced")
    if replace and to:
        raise Problem("--to and --replace: found both; expected one of them")
    moment = stamp()
    target = to or f"{name}_{moment}"
    with lock("restore-db"), scratch(settings) as work:
        read_back(settings, path, READERS["dumps"], work)
        with primary(settings, role=settings.postgres.restore_role) as session:
            if replace and not exists(session, name):
                raise Problem(
                    f"database {name}: found none to replace; expected it; say --to {name} instead of --replace"
                )
            if exists(session, target):
                raise Problem(
                    f"database {target}: found it there already; expected a new name; drop it, or choose --to"
                )
            size = live_size(settings, name) or text_size(settings, path)
            aside = f"{name}_before_{moment}"
            yield SimpleNamespace(path=path, target=target, aside=aside, work=work, session=session, bytes=size)


def plan(settings, name, given, to, replace):
    """What would be made, and how large it is; the members' disks are the controller's to look at."""
    with prepared(settings, name, given, to, replace) as made:
        return {"database": made.target, "dump": made.path.name, "needed_bytes": made.bytes}


def restore(settings, name, given, to, replace):
    """Make a database from a dump. In place of the live one only when its name was typed again."""
    with prepared(settings, name, given, to, replace) as made:
        session, target = made.session, made.target
        note(
            f"{target} takes {made.bytes // 2**20} MiB; every member needs {int(made.bytes * ROOM) // 2**20} MiB for it"
        )
        create(session, name, target)
        try:
            left_out = fill(settings, made.path, target, made.work)
        except BaseException:
            session.ask(f"drop database {identifier(target)}")
            raise
        for text in left_out:
            note(f"left out, because only a superuser can make it: {text}")
        if replace:
            return swap(session, name, target, made.aside)
    return target, None


def live_size(settings, name):
    """Bytes of the live database, which a copy will hardly exceed; None when it is gone."""
    with primary(settings) as session:
        size = session.value(f"select pg_database_size(oid) from pg_database where datname = {literal(name)}")
    return int(size) if size else None


def text_size(settings, path):
    """Bytes that a dump has as text: what is known of a database that is gone."""
    restored = ["pg_restore", "--file=-"]
    with (
        subprocess.Popen(decrypting(settings, path), stdout=subprocess.PIPE) as plain,
        subprocess.Popen(restored, stdin=plain.stdout, stdout=subprocess.PIPE) as text,
    ):
        plain.stdout.close()  # so that the first ends when the second does
        size = sum(map(len, iter(lambda: text.stdout.read(2**20), b"")))
    if text.returncode != 0:
        raise Problem(failure(restored, text.returncode, "the dump does not read to its end"))
    return size


def exists(session, name):
    return session.value(f"select 1 from pg_database where datname = {literal(name)}") is not None


def create(session, name, target):
    """A database with the owner of the one that was dumped; of the template it has what belongs to the superuser."""
    owner = session.value(f"select pg_get_userbyid(datdba) from pg_database where datname = {literal(name)}")
    session.ask(
        f"create database {identifier(target)} template template1" + (f" owner {identifier(owner)}" if owner else "")
    )


def bare(tag):
    """A name as both an object's line and its grants' have it: they differ in quotes and in a routine's arguments."""
    return tag.replace('"', "").partition("(")[0]


def subject(line):
    """The schema and the name of what a line gives a right to; None when it does not."""
    if not (grant := GRANT.match(line)):
        return None
    schema, kind, tag = grant.groups()
    return schema, bare(tag.rpartition(".")[0] if kind == "COLUMN" else tag)


def untrusted(listed, trusted):
    """A dump's table of contents without what only a superuser could restore.

    That is extensions that are not trusted, grants on what belongs to an extension, and what the template has.
    """
    kept, left_out, own = [], [], {(schema, bare(tag)) for schema, tag in OBJECT.findall(listed)}
    for line in listed.splitlines():
        entry = re.match(r"\d+; \d+ \d+ (?:EXTENSION - (\S+)|COMMENT - EXTENSION (\S+))", line)
        name = entry and (entry.group(1) or entry.group(2)).strip('"')
        granted = subject(line)
        # A comment on any extension belongs to its owner, who is the superuser.
        if name and (name not in trusted or entry.group(2)):
            if entry.group(1):
                left_out.append(f"extension {name}")
        elif not PLATFORM.match(line) and (granted is None or granted in own):
            kept.append(line)
    return "\n".join(kept) + "\n", left_out


def fill(settings, path, target, work):
    """Restore everything in one transaction: a failure leaves nothing."""
    where = cluster_conninfo(settings, settings.postgres.restore_role, target, wanted="primary")
    with primary(settings) as session:
        trusted = set(session.ask("select distinct name from pg_available_extension_versions where trusted"))
    plain = work / "dump"
    with plain.open("wb") as out:
        subprocess.run(decrypting(settings, path), stdout=out, check=True)
    listed = subprocess.run(["pg_restore", "--list", str(plain)], capture_output=True, text=True, check=True).stdout
    text, left_out = untrusted(listed, trusted)
    contents = work / "contents"
    contents.write_text(text, encoding="utf-8")
    words = ["pg_restore", "--exit-on-error", "--single-transaction", "--no-password", f"--use-list={contents}"]
    pipe(["cat", str(plain)], [*words, "--dbname", where], stdout=subprocess.DEVNULL, second_env=PATIENT)
    return left_out


def swap(session, live, fresh, aside):
    """Put the fresh database in place of the live one, which stays under another name."""
    session.ask(f"alter database {identifier(live)} allow_connections false")
    try:
        session.ask(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            f"where datname = {literal(live)} and pid <> pg_backend_pid()"
        )
        rename(session, live, aside)
        try:
            session.ask(f"alter database {identifier(fresh)} rename to {identifier(live)}")
        except Problem:
            rename(session, aside, live)
            raise
    except BaseException:
        session.ask(f"alter database {identifier(live)} allow_connections true")
        raise
    session.ask(f"alter database {identifier(aside)} allow_connections true")
    return live, aside


def rename(session, old, new):
    """Sessions that were told to end may take a moment."""
    deadline = time.monotonic() + 10
    while True:
        try:
            session.ask(f"alter database {identifier(old)} rename to {identifier(new)}")
            return
        except Problem:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
