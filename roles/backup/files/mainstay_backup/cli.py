# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The commands of mainstay-backup."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

from . import drill, dumps, jobs, listing, repository, restoring
from .common import Problem, load_settings, lock, note, said
from .listing import size_text
from .storage import newest

FAILURES = (Problem, OSError, ValueError, subprocess.SubprocessError)


def parser():
    main = argparse.ArgumentParser(prog="mainstay-backup", description="Takes, lists, checks and restores backups.")
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, text):
        return commands.add_parser(name, help=text, description=text)

    take = command("take", "Back up the database cluster, and make a restore point behind it.")
    take.add_argument("kind", nargs="?", choices=["full", "diff", "incr"], default="diff")
    dump = command("dump", "Dump databases, or all of them.")
    dump.add_argument("database", nargs="+", metavar="DATABASE|all")
    listed = command("list", "Say what there is: what, when, how large, how old, restorable to which times.")
    listed.add_argument("--json", action="store_true", help="as JSON; times in seconds since 1970, sizes in bytes")
    point = command("point", "Make a restore point: a name to which the cluster can be restored.")
    point.add_argument("name")
    plan = command("plan", "Say how a restore to a target would go, or why it cannot; playbooks/restore.yml does it.")
    plan.add_argument("target", help="latest, a time, a restore point, a backup, or xid:NUMBER")
    plan.add_argument("--timeline", help="number of the timeline to follow, when the cluster was restored since")
    plan.add_argument("--json", action="store_true")
    cluster = command(
        "restore", "Say how the whole cluster is restored to a target: the controller does it, not this host."
    )
    cluster.add_argument("target", help="as for plan")
    cluster.add_argument("--timeline", help="as for plan")
    restore = command("restore-db", "Make a database from a dump.")
    restore.add_argument("database")
    restore.add_argument(
        "--from", dest="source", required=True, metavar="NAME", help="a dump's name or time, or latest"
    )
    restore.add_argument("--to", metavar="NEWNAME", help="its name; otherwise the database's name and the time")
    restore.add_argument(
        "--plan", action="store_true", help="say as JSON how large it is, or why it cannot be; make nothing"
    )
    restore.add_argument("--replace", metavar="DATABASE", help="put it in place of the live one: type its name again")
    rehearse = command("drill", "Restore the newest backup beside the cluster and compare every row.")
    way = rehearse.add_mutually_exclusive_group()
    way.add_argument("--keep", action="store_true", help="leave the copy, stopped")
    way.add_argument("--check", action="store_true", help="compare the copy that was kept again")
    way.add_argument(
        "--status", action="store_true", help="say how the last one ended; exit code 1 when it failed or is overdue"
    )
    command("redis", "Take a snapshot of Redis.")
    command("files", "Fetch configuration and logs of every host.")
    command("audit", "Fetch the audit logs of every host.")
    command("configuration", "Fetch the configuration of hosts where it differs from the newest archive.")
    command("report", "Write figures of the repository as metrics.")
    command("missing", "Print the commands of what was never taken.")
    for reads in (listed, plan, cluster, rehearse):
        reads.add_argument("--offsite", action="store_true", help="of the repository off site")
    check = command("check", "Decrypt and read the newest files of kinds.")
    check.add_argument("kind", nargs="+", choices=sorted(jobs.PATTERNS))
    return main


def do_take(settings, given):
    """Each repository gets its backup, also when another one has failed."""
    work = {"database": (settings, lambda: repository.take(settings, given.kind))}
    if settings.offsite_key:
        other = repository.offsite(settings)
        work["offsite"] = (other, lambda: repository.back_up(other, given.kind)["stored_bytes"])
    sizes, failed = {}, []
    for kind, (where, take) in work.items():
        try:
            sizes[kind] = jobs.taken(settings, kind, take)
            drill.remember_first(where)
        except FAILURES as error:
            failed.append(f"backup {kind}: {error}")
    if failed:
        raise Problem("; ".join(failed))
    repository.report(settings)
    print(f"{given.kind} backup taken, {size_text(sizes['database'])}")


def do_dump(settings, given):
    made = []

    def work():
        made.extend(dumps.dump(settings, given.database))
        return sum(size for _path, size in made)

    # Some databases alone say nothing about the age of the others' dumps.
    if given.database == ["all"]:
        jobs.taken(settings, "dumps", work, wait=True)  # a deployment may be dumping
    else:
        with lock("dumps", wait=True):  # a deployment need not fail because it is night
            work()
    for path, size in made:
        print(f"{path} {size_text(size)}")


def do_list(settings, given):
    found = listing.collect(settings, files=not given.offsite)
    print(json.dumps(found, indent=1) if given.json else listing.table(found))
    return 1 if found["checks"] else 0


def do_point(settings, given):
    point = repository.add_point(settings, given.name, "by hand")
    print(f"restore point {point['name']} at {point['lsn']}, {said(point['time'])}")


def do_plan(settings, given):
    made = restoring.plan(settings, given.target, given.timeline)
    print(json.dumps(made) if given.json else made["summary"])


def do_restore(settings, given):
    """Every member has to be stopped, which this host cannot do and must not be able to."""
    made = restoring.plan(settings, given.target, given.timeline)
    print(f"this is how it would go: {made['summary']}")
    print("Nothing was done. The controller stops the members and restores them; run there")
    print(restoring.command(settings, made, given.timeline))
    return 2


def do_restore_db(settings, given):
    words = (settings, given.database, given.source, given.to, given.replace)
    if given.plan:
        print(json.dumps(dumps.plan(*words)))
        return
    made, aside = dumps.restore(*words)
    print(f"database {made} is there")
    if aside:
        print(f"the former one is {aside}: drop it when it is not needed")
        print("now run playbooks/data.yml, which gives it its extensions and grants again")


def do_drill(settings, given):
    if given.status:
        text, good = drill.status(settings)
        print(text)
        return 0 if good else 1
    result = drill.drill(settings, keep=given.keep, check_only=given.check)
    print(json.dumps(result, indent=1, sort_keys=True))
    for text in result["problems"]:
        note(f"mainstay-backup: {text}")
    return 1 if result["problems"] else 0


def do_redis(settings, _given):
    jobs.taken(settings, "redis", lambda: jobs.take_redis(settings))


def do_files(settings, _given):
    jobs.taken(settings, "files", lambda: jobs.take_archives(settings, "files"))


def do_audit(settings, _given):
    jobs.taken(settings, "audit", lambda: jobs.take_archives(settings, "audit"))


def do_configuration(settings, _given):
    # Cron and a run of the role may meet.
    jobs.taken(settings, "configuration", lambda: sum(jobs.take_configuration(settings).values()), wait=True)


def do_report(settings, _given):
    repository.report(settings)


def do_missing(settings, _given):
    if settings.stanza and not repository.backups(repository.info(settings)):
        print("take full")
    if settings.stanza and not list(jobs.stored(settings, "dumps")):
        print("dump all")
    wanted = (["redis"] if settings.redis.hosts else []) + (["files", "audit"] if settings.hosts else [])
    for kind in wanted:
        if not all(newest(folder, jobs.PATTERNS[kind]) for folder in jobs.folders(settings, kind)):
            print(kind)


def do_check(settings, given):
    for kind in given.kind:
        for path in jobs.check(settings, kind):
            print(f"{path} reads")


def main(words):
    given = parser().parse_args(words)
    os.umask(0o077)
    try:
        settings = load_settings()
        if getattr(given, "offsite", False):
            settings = repository.offsite(settings)
        status = globals()[f"do_{given.command.replace('-', '_')}"](settings, given)
    except FAILURES as error:
        print(f"mainstay-backup: {error}", file=sys.stderr)
        return 1
    return status or 0
