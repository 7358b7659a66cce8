# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The repository of pgBackRest: what is in it, and taking more."""

from __future__ import annotations

import copy
import json
import shutil
import time
from pathlib import Path

from . import database, metrics
from .common import Problem, as_postgres, lock, note, read_json, run, stamp, write_whole

MISSING = (1, 3)  # pgBackRest's status of a stanza that was never made
EMPTY = 2


def pgbackrest(settings, *words, config=None):
    base = ["pgbackrest", f"--config={config or settings.repository_config}", f"--stanza={settings.stanza}"]
    return run(as_postgres([*base, *words]), cwd="/")


def repo_option(settings):
    return f"--repo={settings.repository_key}"


def is_offsite(settings):
    return settings.repository_key == settings.offsite_key


def offsite(settings):
    """The same settings, for the repository off site; a drill of it has a result of its own."""
    if not settings.offsite_key:
        raise Problem(
            "--offsite: found no repository off site on this host; expected one; set platform_offsite_repository and "
            "run the backup role; of several backup hosts the first has it"
        )
    other = copy.deepcopy(settings)
    other.repository_key = settings.offsite_key
    result = Path(settings.drill.result)
    other.drill.result = str(result.with_stem(f"{result.stem}-offsite"))
    return other


def place(settings):
    """Where a repository is, and the secret that it is encrypted with."""
    if is_offsite(settings):
        return "off site", "cipher_password of platform_offsite_repository"
    return f"{settings.backup_dir}/pgbackrest", "backup_cipher"


def parse(text):
    """pgBackRest's JSON; what a wrong key makes of a file is quoted in it as it is."""
    return json.loads(text, strict=False)


def refusal(stanza, where, secret):
    """Why a repository cannot be used, or None. An empty one can."""
    status = stanza["status"]
    if status["code"] in (0, EMPTY, *MISSING):
        return None
    texts = [item["status"].get("message", "") for item in stanza.get("repo", []) if item["status"]["code"]]
    text = " ".join("".join(char if char.isprintable() else " " for char in "; ".join(texts)).split())
    text = text or status.get("message", "")
    # Another key gives no text, or one that is no text.
    if "CryptoError" in text or ("FormatError" in text and "info file" in text):
        return (
            f"repository {where}: found it not readable with this encryption key ({text[:120]}); expected the key "
            f"that it was made with; put the former secret {secret} back into the vault and run the backup role"
        )
    return f"repository {where}: found {text[:400]}; expected it to answer; read the logs below /var/log/pgbackrest"


def info(settings):
    """What pgBackRest says of the cluster. A repository that cannot be read is a problem, an empty one is not."""
    found = parse(pgbackrest(settings, repo_option(settings), "--output=json", "info"))
    stanza = found[0] if found else {"status": {"code": 1, "message": "missing stanza path"}}
    reason = refusal(stanza, *place(settings))
    if reason:
        raise Problem(reason)
    return stanza


def backups(stanza):
    """Backups that can be restored, oldest first, with what choosing between them needs."""
    versions = {item["id"]: item["version"] for item in stanza.get("db", [])}
    present = max(versions, default=None)
    return [
        {
            "label": item["label"],
            "version": versions.get(item.get("database", {}).get("id")),
            "former": item.get("database", {}).get("id") != present,
            "type": item["type"],
            "start": item["timestamp"]["start"],
            "stop": item["timestamp"]["stop"],
            "lsn": item["lsn"]["stop"],
            "timeline": int(item["archive"]["start"][:8], 16),
            "stored_bytes": item["info"]["repository"].get("delta", 0),
            "database_bytes": item["info"]["size"],
        }
        for item in stanza.get("backup", [])
        if not item.get("error")
    ]


def listed(settings, path):
    return parse(pgbackrest(settings, repo_option(settings), "--output=json", "repo-ls", path))


def archive_path(settings, stanza):
    return f"archive/{settings.stanza}/{stanza['archive'][-1]['id']}"


def archive_entries(settings, stanza):
    """What lies in the archive: folders of segments, and the histories of timelines."""
    return listed(settings, archive_path(settings, stanza)) if stanza.get("archive") else {}


def histories(entries):
    """The timelines whose beginning the repository knows: the first, and those of which PostgreSQL archived it."""
    return {1, *(int(name[:8], 16) for name in entries if name.endswith(".history"))}


def history(settings, stanza, timeline):
    """Which timelines lead to this one, and where each was left, as PostgreSQL wrote it; nothing led to the first."""
    if timeline == 1:
        return ""
    path = f"{archive_path(settings, stanza)}/{timeline:08X}.history"
    try:
        return pgbackrest(settings, repo_option(settings), "repo-get", path)
    except Problem as error:
        raise Problem(
            f"timeline {timeline}: found its history not readable ({error}); expected {path} in the repository, which "
            "says from which backups it can be reached; follow another with --timeline (restore_timeline)"
        ) from None


def arrivals(settings, stanza, folder):
    """When each segment of a folder arrived: {name: time}. The first 16 digits of its 256 segments are its name."""
    path = f"{archive_path(settings, stanza)}/{folder}"
    names = ((name, entry) for name, entry in listed(settings, path).items() if entry["type"] == "file")
    return {name[:24]: entry["time"] for name, entry in names if "-" in name and ".partial" not in name}


def archived_until(settings, stanza, entries, timeline=None):
    """When the newest WAL arrived, or that of one timeline; 0 when there is none."""
    folders = sorted(name for name, entry in entries.items() if entry["type"] == "path" and len(name) == 16)
    newest = [name for name in folders if timeline in (None, int(name[:8], 16))][-2:]
    return max((when for name in newest for when in arrivals(settings, stanza, name).values()), default=0)


# Restore points: PostgreSQL keeps them in the WAL only, where nobody can list them. They meet in a table of the
# cluster, where every backup host finds those of the others. Each host keeps a copy as well: a restore takes the table
# back in time, and the hosts then put back what it has lost.
TABLE = "mainstay.restore_points"
# Days beyond the retention after which a point leads nowhere in any repository.
SLACK = 31


def points_file(settings):
    return Path(settings.backup_dir) / "points.json"


def shared_points(session):
    """The cluster's points; None when it has no table for them."""
    if not session.value(f"select to_regclass('{TABLE}')"):
        return None
    return [row["point"] for row in session.rows(f"select point from {TABLE}")]


def merged(*lists):
    """Points by their time, each name once."""
    by_name = {point["name"]: point for points_ in lists for point in points_ or []}
    return sorted(by_name.values(), key=lambda point: point["time"])


def points(settings, session=None):
    """What this host knows, and with a session what the other backup hosts have told the cluster."""
    return merged(read_json(points_file(settings), []), shared_points(session) if session else None)


def tell(session, point):
    """Nobody waits for a replica here: a host that lost this row puts it back from its copy."""
    text = database.literal(json.dumps(point))
    session.ask(
        "set synchronous_commit = local; "
        f"insert into {TABLE} values ({database.literal(point['name'])}, {text}) on conflict do nothing"
    )


def add_point(settings, name, reason):
    """Make a restore point on the primary and remember where it is.

    The transaction beside it makes the cluster stop at this time, too: PostgreSQL looks at commits only.
    """
    with database.primary(settings) as session:
        if any(point["name"] == name for point in points(settings, session)):
            raise Problem(f"restore point {name}: found it taken; expected a new name; choose another one")
        session.ask("select pg_current_xact_id()")
        lsn = session.value(f"select pg_create_restore_point({database.literal(name)})")
        point = {
            "name": name,
            "time": time.time(),
            "lsn": lsn,
            "timeline": int(session.value(f"select substr(pg_walfile_name('{lsn}'), 1, 8)"), 16),
            "next_xid": int(session.value("select pg_snapshot_xmax(pg_current_snapshot())")),
            "segment": session.value(f"select pg_walfile_name('{lsn}'::pg_lsn - 1)"),
            "reason": reason,
        }
        with lock("points", wait=True):
            write_whole(points_file(settings), json.dumps(merged(points(settings), [point]), indent=1) + "\n")
        if shared_points(session) is None:
            note(f"{TABLE}: found none in the cluster; only this host knows {name}; run the postgresql role")
        else:
            tell(session, point)
    return point


def share_points(settings, known, now=None):
    """Learn the other hosts' points, put back what a restore has lost, forget what lies before the oldest backup."""
    now = time.time() if now is None else now
    oldest = min((item["stop"] for item in known), default=0)
    forgotten = now - (settings.keep_days + SLACK) * 86400
    with database.primary(settings) as session, lock("points", wait=True):
        there = shared_points(session)
        kept = [point for point in merged(points(settings), there) if point["time"] >= oldest]
        write_whole(points_file(settings), json.dumps(kept, indent=1) + "\n")
        if there is None:
            return
        names = {point["name"] for point in there}
        for point in kept:
            if point["name"] not in names and point["time"] >= forgotten:
                tell(session, point)
        session.ask(f"delete from {TABLE} where (point->>'time')::float8 < {forgotten}")


def back_up(settings, kind):
    """A backup; gives what the repository says of it."""
    words = [repo_option(settings), f"--type={kind}", "backup"]
    with database.turn(settings, "backup"):
        run_backup(settings, words)
    return backups(info(settings))[-1]


def run_backup(settings, words):
    try:
        pgbackrest(settings, *words)
    except Problem as error:
        if len(settings.postgres.hosts) == 1:
            raise
        # Without a replica, or when it goes away meanwhile, from the primary.
        note(f"{error}; taking it from the primary")
        pgbackrest(settings, "--no-backup-standby", *words)


def take(settings, kind):
    """A backup, then a restore point behind it, whose name says when. Gives the bytes that were stored."""
    made = back_up(settings, kind)
    point = add_point(settings, stamp(), f"after {made['label']}")
    note(f"backup {made['label']}, restore point {point['name']}")
    return made["stored_bytes"]


def report(settings):
    """Figures of the repository as metrics; restore points meet on the way."""
    known = backups(info(settings))
    full = [item for item in known if item["type"] == "full"]
    usage = shutil.disk_usage(settings.backup_dir)
    write = [
        ("mainstay_backup_oldest_timestamp_seconds", {}, known[0]["stop"] if known else None),
        ("mainstay_backup_full_count", {}, len(full)),
        ("mainstay_backup_full_timestamp_seconds", {}, full[-1]["stop"] if full else None),
        ("mainstay_backup_full_size_bytes", {}, full[-1]["stored_bytes"] if full else None),
        ("mainstay_backup_retention_seconds", {}, settings.keep_days * 86400),
        ("mainstay_backup_free_bytes", {}, usage.free),
        ("mainstay_backup_report_timestamp_seconds", {}, time.time()),
    ]
    metrics.write(settings, "repository", write)
    try:
        share_points(settings, known)
    except Problem as error:
        note(f"restore points of other backup hosts: {error}")
    return known
