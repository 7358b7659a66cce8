# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What to restore to, and from which backup. Pure: every refusal is made here, from what was read before."""

from __future__ import annotations

import math
import re
from datetime import datetime, timezone
from types import SimpleNamespace

from .common import Problem, said, stamp

LABEL = re.compile(r"\d{8}-\d{6}F(_\d{8}-\d{6}[DI])?")
STAMP = re.compile(r"\d{8}_\d{6}")
# With --type=immediate pgBackRest refuses --target-timeline, and before 2.40 PostgreSQL would follow the newest.
OWN = "--recovery-option=recovery_target_timeline=current"
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


def numbered(text):
    """The number of a timeline; None when nobody named one."""
    if text and not re.fullmatch(r"[1-9]\d*", text):
        raise Problem(f"timeline: found {text!r}; expected a number such as 1; see mainstay-backup list")
    return int(text) if text else None


def way(known, number=None):
    """A timeline, the place up to which each one before it is on the way to it, and how pgBackRest is told.

    A failover or a restore leaves a timeline at some place and goes on under the next number. What the former one
    holds behind that place is not on the way: from a backup taken there no WAL leads to the next.
    """
    named = number or known.timeline
    number = named or known.newest
    history = known.history(number) if number in known.histories else ""
    ends = {int(parent): place(lsn) for parent, lsn in re.findall(r"^(\d+)\s+([\dA-F]+/[\dA-F]+)", history, re.M)}
    # A number that has no history is refused by PostgreSQL, and only its own backups are on the way.
    word = named if named in known.histories else "current"
    follow = f"--target-timeline={word}" if named else None
    return SimpleNamespace(number=number, ends={**ends, number: math.inf}, follow=follow)


def on_way(line, item):
    """Whether a backup or a restore point is on the way. Since a major upgrade timelines count anew."""
    return item.get("former", False) or place(item["lsn"]) <= line.ends.get(item["timeline"], -1)


def leading(known, line):
    """The backups on the way to a timeline, oldest first."""
    found = [item for item in known.backups if on_way(line, item)]
    if not found:
        raise Problem(
            f"timeline {line.number}: found no backup that leads to it; expected one; take one with mainstay-backup "
            f"take full{apart(known, line)}"
        )
    return found


def apart(known, line):
    """What a refusal adds when there are backups that are not on the way."""
    others = sorted({item["timeline"] for item in known.backups if not on_way(line, item)})
    if not others:
        return ""
    why = f"were not taken on the way to timeline {line.number}"
    if line.number not in known.histories:
        why = f"may lead to timeline {line.number} or not: its history is not in the repository"
    names = ", ".join(map(str, others))
    return f". Left out are backups of timeline {names}, which {why}; --timeline (restore_timeline) follows theirs"


def reachable(known):
    """{timeline: the oldest backup on the way to it}: the newest one, and those that some backup alone leads to."""
    newest, own = way(known), [item for item in known.backups if not item.get("former")]
    numbers = [newest.number, *(item["timeline"] for item in own if not on_way(newest, item))]
    lines = [way(known, number) for number in dict.fromkeys(numbers)]
    return {line.number: item for line in lines for item in reversed(own) if on_way(line, item)}


def choose(text, known, now, timeline=None):
    """A plan for the target: which backup, which options of pgBackRest, or a Problem that says why not.

    `known` has backups, points, wal_until (when the newest WAL arrived), live (whether a primary answers that could
    send more) and xid_status (a function, when live); histories (the timelines whose beginning the repository knows),
    history (a function that reads one), newest (the newest timeline) and timeline (the one to follow, when not that).
    """
    kind, value = parse(text)
    if not known.backups:
        raise Problem("repository: found no backup; expected at least one; take one with mainstay-backup take full")
    plan = CHOICES[kind](value, known, now, timeline)
    options = [f"--set={plan.backup['label']}", f"--type={plan.type}"]
    options += [f"--target={plan.target}"] if plan.target else []
    options += ["--target-action=promote"] if plan.type != "default" else []
    options += [plan.line.follow] if plan.line.follow else []
    return {
        "kind": kind,
        "target": text,
        "description": plan.description,
        "timeline": plan.line.number,
        "backup": plan.backup,
        "options": options,
    }


def plan_(backup, kind, target, description, line):
    return SimpleNamespace(backup=backup, type=kind, target=target, description=description, line=line)


def latest(_value, known, _now, timeline):
    line = way(known, timeline)
    return plan_(leading(known, line)[-1], "default", None, "the newest transaction in the repository", line)


def at_time(value, known, now, timeline):
    line = way(known, timeline)
    there = leading(known, line)
    oldest = there[0]["stop"]
    if value > now:
        raise Problem(f"target: found the time {said(value)}, in the future; expected one up to now, {said(now)}")
    if value <= oldest:
        raise Problem(
            f"target: found the time {said(value)}, before the end of the oldest backup at {said(oldest)}; "
            f"expected a later one; see mainstay-backup list{apart(known, line)}"
        )
    if not known.live and value > known.wal_until:
        raise Problem(
            f"target: found the time {said(value)}, after the last WAL, which arrived at {said(known.wal_until)}, "
            "and no primary that could send more; expected an earlier one; take latest"
        )
    backup = [item for item in there if item["stop"] < value][-1]
    text = datetime.fromtimestamp(value, timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f+00")
    return plan_(backup, "time", text, f"the last transaction up to {said(value)}", line)


def at_name(value, known, now, timeline):
    for point in known.points:
        if point["name"] == value:
            return at_point(point, known, timeline)
    if STAMP.fullmatch(value):
        for backup in known.backups:
            if value in (stamp(backup["stop"]), stamp(backup["start"])) or value.replace("_", "-") in backup["label"]:
                return at_backup(backup["label"], known, now, timeline)
    names = ", ".join([point["name"] for point in known.points][-3:] + [item["label"] for item in known.backups][-3:])
    raise Problem(f"target: found {value}, which nobody knows; expected a restore point or a backup such as {names}")


def must_be_on_way(line, item, name):
    """A target that names its own place cannot be had on any other timeline."""
    if not on_way(line, item):
        raise Problem(
            f"{name}: found it on timeline {item['timeline']} at {item['lsn']}, not on the way to timeline "
            f"{line.number}; expected it there; leave --timeline (restore_timeline) out"
        )


def at_point(point, known, timeline):
    line = way(known, timeline or point["timeline"])
    must_be_on_way(line, point, f"restore point {point['name']}")
    there = [item for item in known.backups if on_way(line, item) and place(item["lsn"]) <= place(point["lsn"])]
    if not there:
        raise Problem(
            f"restore point {point['name']}: found no backup before it; expected one; choose a later point"
            f"{apart(known, line)}"
        )
    text = f"restore point {point['name']} of {said(point['time'])}"
    return plan_(there[-1], "name", point["name"], text, line)


def at_backup(value, known, _now, timeline):
    for backup in known.backups:
        if backup["label"] == value:
            if timeline:
                must_be_on_way(way(known, timeline), backup, f"backup {value}")
            text = f"the end of backup {value} at {said(backup['stop'])}"
            return plan_(backup, "immediate", None, text, SimpleNamespace(number=backup["timeline"], follow=OWN))
    labels = ", ".join(item["label"] for item in known.backups[-5:])
    raise Problem(f"target: found backup {value} not in the repository; expected one such as {labels}")


def at_xid(value, known, _now, timeline):
    if known.xid_status is not None:
        status = known.xid_status(value)
        if status not in ("committed", None):  # nothing is remembered of old ones
            raise Problem(f"target: found transaction {value} {status}; expected a committed one")
    line = way(known, timeline)
    there = leading(known, line)
    # A transaction that began after a backup's restore point ended after the backup.
    began = {point["reason"].removeprefix("after "): point["next_xid"] for point in known.points}
    before = [item for item in there if began.get(item["label"], value + 1) <= value]
    backup = (before or there[:1])[-1]
    return plan_(backup, "xid", str(value), f"transaction {value}, and nothing after it", line)


CHOICES = {"latest": latest, "time": at_time, "name": at_name, "backup": at_backup, "xid": at_xid}
