# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What to restore to, and from which backup. Pure: every refusal is made here, from what was read before."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from types import SimpleNamespace

from .common import Problem, said, stamp

LABEL = re.compile(r"\d{8}-\d{6}F(_\d{8}-\d{6}[DI])?")
STAMP = re.compile(r"\d{8}_\d{6}")
TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?\s*(Z|UTC|[+-]\d\d(:?\d\d)?)?")


def parse(text):
    """The operator's word as (kind, value): latest, xid, backup, time or name."""
    text = text.strip()
    if text == "latest":
        return "latest", None
    if re.fullmatch(r"xid:\d+", text):
        return "xid", int(text[4:])
    if LABEL.fullmatch(text):
        return "backup", text
    if TIME.fullmatch(text):
        return "time", moment(text)
    if not re.fullmatch(r"[\w.-]{1,63}", text):
        raise Problem(
            f"target: found {text!r}; expected latest, a time such as '2026-11-21 15:30:00' (UTC unless it says "
            "otherwise), the name of a restore point or backup, or xid:NUMBER"
        )
    return "name", text


def moment(text):
    """Seconds since the epoch of a time; UTC when no zone is given."""
    zone = re.search(r"(Z|UTC|[+-]\d\d(:?\d\d)?)$", text[16:])
    plain = text[: len(text) - len(zone.group(1))].strip() if zone else text
    offset = "+0000" if not zone or zone.group(1) in ("Z", "UTC") else (zone.group(1).replace(":", "") + "00")[:5]
    plain = plain.replace("T", " ")
    if plain.count(":") == 1:
        plain += ":00"
    if "." not in plain:
        plain += ".0"
    try:
        return datetime.strptime(plain + offset, "%Y-%m-%d %H:%M:%S.%f%z").timestamp()
    except ValueError as error:
        raise Problem(f"target: found {text!r} ({error}); expected a time such as '2026-11-21 15:30:00'") from None


def place(lsn):
    """A place in the WAL as a number."""
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def choose(text, known, now, timeline=None):
    """A plan for the target: which backup, which options of pgBackRest, or a Problem that says why not.

    `known` has backups, points, wal_until (when the newest WAL arrived), live (whether a primary answers) and
    xid_status (a function, when live).
    """
    kind, value = parse(text)
    if not known.backups:
        raise Problem("repository: found no backup; expected at least one; take one with mainstay-backup take full")
    plan = CHOICES[kind](value, known, now)
    if timeline:
        plan.timeline = timeline
    options = [f"--set={plan.backup['label']}", f"--type={plan.type}"]
    options += [f"--target={plan.target}"] if plan.target else []
    options += ["--target-action=promote"] if plan.type != "default" else []
    options += [f"--target-timeline={plan.timeline}"] if plan.timeline else []
    return {
        "kind": kind,
        "target": text,
        "description": plan.description,
        "backup": plan.backup,
        "options": options,
    }


def plan_(backup, kind, target, description, timeline=None):
    return SimpleNamespace(backup=backup, type=kind, target=target, description=description, timeline=timeline)


def latest(_value, known, _now):
    return plan_(known.backups[-1], "default", None, "the newest transaction in the repository")


def at_time(value, known, now):
    oldest = known.backups[0]["stop"]
    if value > now:
        raise Problem(f"target: found the time {said(value)}, in the future; expected one up to now, {said(now)}")
    if value <= oldest:
        raise Problem(
            f"target: found the time {said(value)}, before the end of the oldest backup at {said(oldest)}; "
            "expected a later one; see mainstay-backup list"
        )
    if not known.live and value > known.wal_until:
        raise Problem(
            f"target: found the time {said(value)}, after the last WAL, which arrived at {said(known.wal_until)}, "
            "and no primary that could send more; expected an earlier one; take latest"
        )
    backup = [item for item in known.backups if item["stop"] < value][-1]
    text = datetime.fromtimestamp(value, timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f+00")
    return plan_(backup, "time", text, f"the last transaction up to {said(value)}")


def at_name(value, known, now):
    for point in known.points:
        if point["name"] == value:
            return at_point(point, known)
    if STAMP.fullmatch(value):
        for backup in known.backups:
            if value in (stamp(backup["stop"]), stamp(backup["start"])) or value.replace("_", "-") in backup["label"]:
                return at_backup(backup["label"], known, now)
    names = ", ".join([point["name"] for point in known.points][-3:] + [item["label"] for item in known.backups][-3:])
    raise Problem(f"target: found {value}, which nobody knows; expected a restore point or a backup such as {names}")


def at_point(point, known):
    there = [
        item
        for item in known.backups
        if place(item["lsn"]) <= place(point["lsn"]) and item["timeline"] <= point["timeline"]
    ]
    if not there:
        raise Problem(f"restore point {point['name']}: found no backup before it; expected one; choose a later point")
    text = f"restore point {point['name']} of {said(point['time'])}"
    return plan_(there[-1], "name", point["name"], text, point["timeline"])


def at_backup(value, known, _now):
    for backup in known.backups:
        if backup["label"] == value:
            text = f"the end of backup {value} at {said(backup['stop'])}"
            return plan_(backup, "immediate", None, text, "current")
    labels = ", ".join(item["label"] for item in known.backups[-5:])
    raise Problem(f"target: found backup {value} not in the repository; expected one such as {labels}")


def at_xid(value, known, _now):
    if known.xid_status is not None:
        status = known.xid_status(value)
        if status not in ("committed", None):  # nothing is remembered of old ones
            raise Problem(f"target: found transaction {value} {status}; expected a committed one")
    # A transaction that began after a backup's restore point ended after the backup.
    began = {point["reason"].removeprefix("after "): point["next_xid"] for point in known.points}
    before = [item for item in known.backups if began.get(item["label"], value + 1) <= value]
    backup = (before or known.backups[:1])[-1]
    return plan_(backup, "xid", str(value), f"transaction {value}, and nothing after it")


CHOICES = {"latest": latest, "time": at_time, "name": at_name, "backup": at_backup, "xid": at_xid}
