# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The restore drill: restores the newest backup beside the live cluster and compares every row with a marker."""

from __future__ import annotations

import json
import re
import shutil
import signal
import time
from pathlib import Path

from . import marker, metrics, repository
from .common import ROOM, Problem, lock, note, read_json, said, stamp, write_whole
from .database import READING, turn
from .scratch_instance import Instance

DAY = 86400
WAL_WAIT = 5  # seconds between two looks for the marker's WAL


def kept_file(settings):
    return Path(settings.work_dir) / "drill-kept.json"


def told_to_end(number, _frame):
    raise Problem(f"drill: found signal {signal.Signals(number).name}; expected to reach the end; run it again")


def drill(settings, keep=False, check_only=False):
    """Run it, write down how it ended, clean up. Gives the result."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, told_to_end)
    instance = Instance(settings)
    with lock("drill"):
        before = read_json(settings.drill.result, {})
        result = {"verdict": "running", "started": time.time(), "problems": [], "stage": "start"}
        result.update({key: before[key] for key in ("last_success", "since") if key in before})
        record(settings, result)
        try:
            if check_only:
                result.update(kept(settings, instance))
            else:
                restore_copy(settings, instance, result)
            examine(settings, instance, result)
        except Problem as error:
            result["problems"].append(f"{result['stage']}: {error}")
        except BaseException as error:
            result["problems"].append(
                f"{result['stage']}: found {error!r}; expected no such thing; this is a fault of the program"
            )
        finally:
            conclude(settings, instance, result, keep)
    return result


def kept(settings, instance):
    state = read_json(kept_file(settings), None)
    if state is None or not instance.exists():
        raise Problem("drill: found no copy that was kept; expected one; run mainstay-backup drill --keep first")
    return state


def stage(settings, result, name):
    result["stage"] = name
    record(settings, {key: value for key, value in result.items() if key != "wanted"})
    note(f"{name} ...")


def restore_copy(settings, instance, result):
    """Marker, its WAL in the repository, restore, replay."""
    instance.remove()
    kept_file(settings).unlink(missing_ok=True)
    known = repository.backups(repository.info(settings))
    if not known:
        raise Problem("repository: found no backup; expected one; take one with mainstay-backup take full")
    backup = known[-1]
    room(settings, backup)
    stage(settings, result, "marker")
    with turn(settings, "marker"):
        found = marker.take(settings)
    point = repository.add_point(settings, f"drill_{stamp()}", "behind the marker of a restore drill")
    stage(settings, result, "wait for the marker's WAL in the repository")
    rpo = wait_for_wal(settings, point)
    stage(settings, result, f"restore of {backup['label']}")
    started = time.time()
    instance.restore(backup["label"], found["lsn"])
    restored = time.time()
    stage(settings, result, f"replay to {found['lsn']}")
    instance.start(settings.drill.deadline)
    result.update(
        backup=backup["label"],
        marker={key: found[key] for key in ("host", "kind", "lsn", "time")},
        rpo_seconds=rpo,
        restore_seconds=round(restored - started, 1),
        replay_seconds=round(time.time() - restored, 1),
        rto_seconds=round(time.time() - started, 1),
    )
    names = ("backup", "marker", "rpo_seconds", "restore_seconds", "replay_seconds", "rto_seconds")
    state = {name: result[name] for name in names}
    write_whole(kept_file(settings), json.dumps({**state, "wanted": found["databases"]}))
    result["wanted"] = found["databases"]


def room(settings, backup):
    free, needed = shutil.disk_usage(settings.drill.dir).free, int(backup["database_bytes"] * ROOM)
    if free < needed:
        raise Problem(
            f"{settings.drill.dir}: found {free // 2**20} MiB free; expected {needed // 2**20} MiB for a copy of the "
            "database; make room, or move platform_drill_dir"
        )


def wait_for_wal(settings, point):
    """Seconds until the marker's WAL was in the repository: nobody hurries it, so this is what a disaster costs."""
    deadline = time.monotonic() + settings.objectives.rpo
    while True:
        arrived = repository.arrivals(settings, repository.info(settings), point["segment"][:16])
        if point["segment"] in arrived:
            return round(max(0.0, arrived[point["segment"]] - point["time"]), 1)
        if time.monotonic() > deadline:
            raise Problem(
                f"WAL {point['segment']}: found it not in the repository after {settings.objectives.rpo} s; expected "
                "it within the RPO; see pg_stat_archiver on the primary"
            )
        time.sleep(WAL_WAIT)


def examine(settings, instance, result):
    """Every row against the marker, every tuple and index by amcheck, every page by its checksum."""
    if not (instance.data / "postmaster.pid").exists():
        stage(settings, result, "start of the copy")
        instance.start(settings.drill.deadline)
    stage(settings, result, "comparison of every table")
    wanted = result.pop("wanted")
    expected = {name: dict(tables) for name, tables in wanted.items()}
    found = copy_figures(instance, expected)
    result["problems"] += marker.compare(expected, found)
    tables = [table for tables in expected.values() for table in tables.values()]
    result["tables"], result["rows"] = len(tables), sum(table["rows"] for table in tables)
    stage(settings, result, "amcheck of every table and index")
    result["problems"] += amcheck(settings, instance)
    stage(settings, result, "checksum of every page")
    instance.stop()
    pages, problems = page_checksums(instance)
    result["pages"] = pages
    result["problems"] += problems
    limits(settings, result)
    result["stage"] = "end"


def copy_figures(instance, expected):
    """The copy's figures, in the marker's ranges of blocks. A table that cannot be read gives the reason."""
    with instance.session() as session:
        names = [row["name"] for row in session.rows(marker.DATABASES)]
    found = {}
    for name in names:
        found[name] = {}
        with instance.session(name) as session:
            session.ask(READING)
            for table in session.rows(marker.TABLES):
                key = f"{table['schema']}.{table['name']}"
                blocks = expected.get(name, {}).get(key, {}).get("chunk_blocks", 1)
                try:
                    found[name][key] = marker.table_figures(session, table["schema"], table["name"], blocks)
                except Problem as error:
                    found[name][key] = str(error)
    return found


def amcheck(settings, instance):
    words = [
        instance.program("pg_amcheck"),
        "--all",
        "--install-missing",
        "--heapallindexed",
        f"--host={instance.home}",
    ]
    try:
        instance.command(*words, f"--port={settings.postgres.port}", "--username=postgres")
    except Problem as error:
        return [f"amcheck: {error}"]
    return []


def page_checksums(instance):
    """Blocks that were looked at, and what is wrong with them."""
    try:
        text = instance.command(instance.program("pg_checksums"), "--check", f"--pgdata={instance.data}")
    except Problem as error:
        return 0, [f"page checksums: {error}"]
    return int(re.search(r"Blocks scanned: +(\d+)", text).group(1)), []


def limits(settings, result):
    for name, limit in (("rto", settings.objectives.rto), ("rpo", settings.objectives.rpo)):
        if result[f"{name}_seconds"] > limit:
            result["problems"].append(
                f"{name.upper()}: found {result[f'{name}_seconds']} s; expected at most {limit} s; see docs/backup.md"
            )


def conclude(settings, instance, result, keep):
    """The result as JSON and as metrics, then no trace of the copy."""
    result.pop("wanted", None)
    result.update(finished=time.time(), verdict="fail" if result["problems"] else "pass")
    result["seconds"] = round(result["finished"] - result["started"], 1)
    if result["verdict"] == "pass":
        result["last_success"] = result["finished"]
    record(settings, result)
    if keep and instance.exists():
        if (instance.data / "postmaster.pid").exists():
            instance.stop()
        note(f"kept: {instance.data}; look at it again with mainstay-backup drill --check")
    else:
        instance.remove()
        kept_file(settings).unlink(missing_ok=True)


def record(settings, result):
    write_whole(settings.drill.result, json.dumps(result, indent=1, sort_keys=True) + "\n", 0o644)
    done = result["verdict"] in ("pass", "fail")
    values = {
        "mainstay_drill_started_timestamp_seconds": result.get("started"),
        "mainstay_drill_finished_timestamp_seconds": result.get("finished"),
        "mainstay_drill_last_result": int(result["verdict"] == "pass") if done else None,
        "mainstay_drill_last_success_timestamp_seconds": result.get("last_success"),
        "mainstay_drill_due_timestamp_seconds": due(settings, result),
        "mainstay_drill_rto_seconds": result.get("rto_seconds"),
        "mainstay_drill_rpo_seconds": result.get("rpo_seconds"),
        "mainstay_drill_tables": result.get("tables"),
        "mainstay_drill_rows": result.get("rows"),
    }
    offsite = repository.is_offsite(settings)
    labels = {"repository": "offsite"} if offsite else {}
    rows = [(name, labels, value) for name, value in values.items()]
    metrics.write(settings, "drill_offsite" if offsite else "drill", rows)


def due(settings, result):
    """When the next one must have passed."""
    begin = result.get("last_success") or result.get("since")
    return begin + settings.objectives.drill_age_days * DAY if begin else None


def remember_first(settings):
    """From the first backup on a drill is due some time."""
    if not Path(settings.drill.result).exists():
        record(settings, {"verdict": "none", "since": time.time(), "problems": []})


def judge(settings, result, running, now):
    """One line about the last drill, and whether it is good."""
    if not result:
        return "no drill has run, and no backup was taken yet", True
    limit = due(settings, result)
    if result["verdict"] == "fail":
        more = f" and {len(result['problems']) - 1} more" if len(result["problems"]) > 1 else ""
        return f"drill of {said(result['finished'])} failed: {result['problems'][0]}{more}", False
    if result["verdict"] == "running" and not running:
        return (
            f"drill of {said(result['started'])} was killed during {result['stage']}; run mainstay-backup drill",
            False,
        )
    if limit and now > limit:
        return (
            f"drill: found none that passed in {settings.objectives.drill_age_days} days; it was due {said(limit)}",
            False,
        )
    if result["verdict"] != "pass":
        return f"no drill has passed yet; the first is due by {said(limit)}", True
    return (
        f"drill of {said(result['finished'])}: {result['rows']} rows of {result['tables']} tables as marked, "
        f"{result['pages']} pages whole, RTO {result['rto_seconds']} s, RPO {result['rpo_seconds']} s",
        True,
    )


def status(settings):
    try:
        with lock("drill"):
            running = False
    except Problem:
        running = True
    return judge(settings, read_json(settings.drill.result, None), running, time.time())
