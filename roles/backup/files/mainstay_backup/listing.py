# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What there is to restore from: what, when, how large, how old, and to which times."""

from __future__ import annotations

import time

from . import restoring, targets
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
    known = restoring.known(settings, None)
    found["checks"] += [
        f"backup {item['label']}: found page checksum errors; expected none; check the server's disk"
        for item in known.stanza.get("backup", [])
        if item.get("error")
    ]
    found["backups"] = [
        {"kind": f"database {item['type']}", "name": item["label"], "time": item["stop"], "bytes": item["stored_bytes"]}
        for item in known.backups
    ]
    found["points"] = known.points
    oldest = targets.reachable(known)
    newest = oldest.pop(known.newest, None)
    found["left"] = [
        {"timeline": number, "from": item["stop"], "to": known.archived_until(number)}
        for number, item in sorted(oldest.items())
    ]
    if newest and known.wal_until:
        found["restorable"] = {"from": newest["stop"], "to": known.wal_until}
    else:
        which = f" that leads to timeline {known.newest}, the newest" if oldest else ""
        found["checks"].append(
            f"repository: found no backup with WAL{which}; expected one; run mainstay-backup take full"
        )


def collect(settings, files=True):
    found = {"backups": [], "points": [], "files": [], "restorable": None, "left": [], "checks": []}
    if files:
        found["files"] = stored_files(settings)
    if settings.stanza:
        try:
            database_rows(settings, found)
        except Problem as error:
            found["checks"].append(str(error))
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
    lines += [
        f"With --timeline {item['timeline']} (restore_timeline), which was left: from {said(item['from'])} to "
        f"{said(item['to'])}."
        for item in found.get("left", [])
    ]
    lines += [f"PROBLEM: {text}" for text in found["checks"]]
    return "\n".join(lines)
