# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What there is to restore from: what, when, how large, how old, and to which times."""

from __future__ import annotations

import time

from . import repository
from .common import Problem, said
from .jobs import PATTERNS, stored


def size_text(number):
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def age_text(seconds):
    days, rest = divmod(int(max(0, seconds)), 86400)
    hours, rest = divmod(rest, 3600)
    return f"{days} d {hours} h" if days else f"{hours} h {rest // 60} min"


def stored_files(settings):
    """Every encrypted file with its kind."""
    found = []
    for kind in PATTERNS:
        for path in stored(settings, kind):
            status = path.stat()
            row = {"kind": kind, "name": path.name, "time": status.st_mtime, "bytes": status.st_size}
            found.append({**row, "of": path.parent.name})
    return sorted(found, key=lambda row: (row["kind"], row["time"]))


def database_rows(settings, found):
    """Backups, restore points and the window of the database, and what is wrong with its repository."""
    try:
        stanza = repository.info(settings)
    except Problem as error:
        found["checks"].append(str(error))
        return
    backups = repository.backups(stanza)
    found["checks"] += [
        f"backup {item['label']}: found page checksum errors; expected none; check the server's disk"
        for item in stanza.get("backup", [])
        if item.get("error")
    ]
    until = repository.archived_until(settings, stanza)
    if backups and until:
        found["restorable"] = {"from": backups[0]["stop"], "to": until}
    else:
        found["checks"].append("repository: found no backup with WAL; expected one; run mainstay-backup take full")
    found["backups"] = [
        {"kind": f"database {item['type']}", "name": item["label"], "time": item["stop"], "bytes": item["stored_bytes"]}
        for item in backups
    ]
    found["points"] = repository.points(settings)


def collect(settings, files=True):
    found = {"backups": [], "points": [], "files": [], "restorable": None, "checks": []}
    if files:
        found["files"] = stored_files(settings)
    if settings.stanza:
        database_rows(settings, found)
    return found


def shortened(files):
    """Files, but of the thousands of audit logs the oldest and the newest of each host."""
    last = {(item["kind"], item["of"]): item for item in files}
    first = {(item["kind"], item["of"]): item for item in reversed(files)}
    ends = [*first.values(), *last.values()]
    return [item for item in files if item["kind"] != "audit" or item in ends]


def table(found, now=None):
    """The same for people."""
    now = time.time() if now is None else now
    rows = [("WHAT", "NAME", "WHEN", "SIZE", "AGE")]
    for item in [*found["backups"], *shortened(found["files"])]:
        age = age_text(now - item["time"])
        rows.append((item["kind"], item["name"], said(item["time"]), size_text(item["bytes"]), age))
    for point in found["points"]:
        rows.append(("restore point", point["name"], said(point["time"]), "", age_text(now - point["time"])))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    window = found["restorable"]
    if window:
        lines.append(f"The database can be restored to any time from {said(window['from'])} to {said(window['to'])}.")
    lines += [f"PROBLEM: {text}" for text in found["checks"]]
    return "\n".join(lines)
