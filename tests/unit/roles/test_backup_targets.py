# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What mainstay-backup restores to: a target gets the newest backup before it, or a refusal."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from repository import ROOT

FILES = ROOT / "roles" / "backup" / "files"
sys.path.insert(0, str(FILES))

from mainstay_backup import targets  # noqa: E402
from mainstay_backup.common import Problem  # noqa: E402

NOW = targets.moment("2026-11-21 16:00:00")
# What pgBackRest takes for the end of a backup; --target-timeline it refuses there.
OWN = "--recovery-option=recovery_target_timeline=current"
AT = {name: targets.moment(f"2026-11-{name} 01:00:10") for name in ("15", "18", "21")}


def backup(day, kind, lsn, timeline=1):
    label = f"202611{day}-010000F" if kind == "full" else f"20261115-010000F_202611{day}-010000D"
    stop = AT[day]
    return {"label": label, "type": kind, "start": stop - 10, "stop": stop, "lsn": lsn, "timeline": timeline}


BACKUPS = [backup("15", "full", "0/2000100"), backup("18", "diff", "0/9000100"), backup("21", "full", "1/100")]
POINTS = [
    {"name": "20261118_010012", "time": AT["18"] + 2, "lsn": "0/9000200", "timeline": 1, "next_xid": 500}
    | {"reason": f"after {BACKUPS[1]['label']}"},
    {
        "name": "before_import",
        "time": AT["18"] + 900,
        "lsn": "0/A000000",
        "timeline": 1,
        "next_xid": 600,
        "reason": "by hand",
    },
]


def choose(text, timeline=None, **changes):
    known = {"backups": BACKUPS, "points": POINTS, "wal_until": NOW - 60, "live": True, "xid_status": None}
    known |= {"histories": {1}, "history": lambda _number: "", "newest": 1, "timeline": None, **changes}
    return targets.choose(text, SimpleNamespace(**known), NOW, targets.numbered(timeline))


def options(text, **changes):
    return choose(text, **changes)["options"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("latest", ["--set=20261121-010000F", "--type=default"]),
        (
            "2026-11-19 12:30",
            ["--set=20261115-010000F_20261118-010000D", "--type=time", "--target=2026-11-19 12:30:00.000000+00"]
            + ["--target-action=promote"],
        ),
        (
            "before_import",
            ["--set=20261115-010000F_20261118-010000D", "--type=name", "--target=before_import"]
            + ["--target-action=promote", "--target-timeline=1"],
        ),
        (
            "20261115-010000F",
            ["--set=20261115-010000F", "--type=immediate", "--target-action=promote", OWN],
        ),
        # The time at which a backup began or ended is its name, too.
        (
            "20261115_010000",
            ["--set=20261115-010000F", "--type=immediate", "--target-action=promote", OWN],
        ),
        (
            "xid:550",
            ["--set=20261115-010000F_20261118-010000D", "--type=xid", "--target=550", "--target-action=promote"],
        ),
        # It may have ended before the second backup did.
        ("xid:450", ["--set=20261115-010000F", "--type=xid", "--target=450", "--target-action=promote"]),
    ],
)
def test_a_target_gets_the_newest_backup_before_it(text, expected):
    assert options(text) == expected


def test_a_timeline_that_was_asked_for_wins():
    known = {"histories": {1, 3}, "history": lambda _number: "1\t0/B000000\tno recovery target specified\n"}
    assert "--target-timeline=3" in options("before_import", timeline="3", **known)


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        ("nobody", {}, "found nobody, which nobody knows; expected a restore point or a backup such as"),
        ("20200101_000000", {}, "which nobody knows"),
        ("2026-11-15 01:00:10", {}, "before the end of the oldest backup at 2026-11-15 01:00:10 UTC"),
        ("2026-11-21 16:00:01", {}, "in the future"),
        ("2026-11-21 15:59:30", {"live": False}, "after the last WAL"),
        ("20261117-010000F", {}, "not in the repository; expected one such as 20261115-010000F"),
        ("xid:9", {"xid_status": lambda _xid: "aborted"}, "found transaction 9 aborted; expected a committed one"),
        ("before_import", {"backups": [BACKUPS[2]]}, "found no backup before it"),
        ("before_import", {"backups": [backup("15", "full", "0/2000100", 2)]}, "found no backup before it"),
        ("latest", {"backups": []}, "found no backup"),
        ("rm -rf /", {}, "expected latest, a time such as"),
        ("2026-13-01 10:00", {}, "expected a time such as"),
    ],
)
def test_a_target_that_cannot_be_reached_is_refused(text, changes, message):
    with pytest.raises(Problem, match="(?s)" + message):
        choose(text, **changes)


def test_an_old_transaction_whose_end_is_forgotten_is_taken():
    assert "--target=3" in options("xid:3", xid_status=lambda _xid: None)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-11-21T10:00Z", "2026-11-21 10:00:00"),
        ("2026-11-21 12:00:00+02", "2026-11-21 10:00:00 UTC"),
        ("2026-11-21 04:30:00.5-05:30", "2026-11-21 10:00:00.5"),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(text, same):
    assert targets.parse(text)[0] == "time"
    assert targets.moment(text) == targets.moment(same)
