# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A failover or a restore leaves a timeline: what was backed up behind that place does not lead to the next one."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from repository import ROOT

sys.path.insert(0, str(ROOT / "roles" / "backup" / "files"))

from mainstay_backup import targets  # noqa: E402
from mainstay_backup.common import Problem  # noqa: E402

NOW = targets.moment("2026-11-24 12:00:00")
OWN = "--recovery-option=recovery_target_timeline=current"


def at(text):
    return targets.moment(f"2026-11-{text}")


def backup(label, lsn, timeline=1, **more):
    stop = at(f"{label[6:8]} {label[9:11]}:{label[11:13]}:10")
    return {"label": label, "type": "full", "stop": stop, "start": stop - 10, "lsn": lsn, "timeline": timeline, **more}


# On the 24th at 09:00 the cluster was restored to the 23rd, 22:00: timeline 2 leaves the first before the third backup.
SUNDAY, MONDAY = backup("20261122-010000F", "0/2000100"), backup("20261123-010000F", "0/5000100")
TUESDAY = backup("20261124-010000F", "0/9000100")
AFTER = backup("20261124-091000F", "0/8000100", 2)
RESTORED = "1\t0/7FFFFA8\tbefore 2026-11-23 22:00:00+00\n"
POINTS = [
    {"name": name, "time": at("24 02:00:00"), "lsn": lsn, "timeline": number, "next_xid": 500, "reason": "by hand"}
    for name, lsn, number in (("before_restore", "0/9800000", 1), ("after_restore", "0/8800000", 2))
]
POINTS[0]["reason"] = f"after {TUESDAY['label']}"


def known(*backups, histories=None, timeline=None, **more):
    """What is known of a repository with these backups and these histories, beside that of the first timeline."""
    texts = {1: "", **({2: RESTORED} if histories is None else histories)}
    given = {"backups": list(backups), "points": POINTS, "wal_until": NOW, "live": True, "xid_status": None}
    newest = max(*texts, *(item["timeline"] for item in backups), 1)
    found = {"histories": set(texts), "history": texts.__getitem__, "newest": newest, "timeline": timeline}
    return SimpleNamespace(**given | found | more)


def plan(text, found, timeline=None):
    made = targets.choose(text, found, NOW, timeline)
    follow = [word for word in made["options"] if "timeline" in word]
    return made["backup"]["label"], follow, made["timeline"]


@pytest.mark.parametrize(
    ("text", "backups", "timeline", "chosen"),
    [
        # The full backup behind the restore has failed: only what was taken before its target leads here.
        ("latest", [SUNDAY, MONDAY, TUESDAY], None, (MONDAY, [], 2)),
        ("latest", [SUNDAY, MONDAY, TUESDAY, AFTER], None, (AFTER, [], 2)),
        ("2026-11-22 15:00", [SUNDAY, MONDAY, TUESDAY, AFTER], None, (SUNDAY, [], 2)),
        # Between the restore's target and the next backup.
        ("2026-11-24 09:05", [SUNDAY, MONDAY, TUESDAY, AFTER], None, (MONDAY, [], 2)),
        ("xid:700", [SUNDAY, MONDAY, TUESDAY], None, (SUNDAY, [], 2)),
        # The line that was left has its own.
        ("latest", [SUNDAY, MONDAY, TUESDAY, AFTER], 1, (TUESDAY, ["--target-timeline=1"], 1)),
        ("2026-11-24 08:00", [SUNDAY, MONDAY, TUESDAY, AFTER], 1, (TUESDAY, ["--target-timeline=1"], 1)),
        (TUESDAY["label"], [SUNDAY, MONDAY, TUESDAY, AFTER], None, (TUESDAY, [OWN], 1)),
        (TUESDAY["label"], [SUNDAY, MONDAY, TUESDAY, AFTER], 1, (TUESDAY, [OWN], 1)),
        ("before_restore", [SUNDAY, MONDAY, TUESDAY, AFTER], None, (TUESDAY, ["--target-timeline=1"], 1)),
        ("after_restore", [SUNDAY, MONDAY, TUESDAY, AFTER], None, (AFTER, ["--target-timeline=2"], 2)),
        ("after_restore", [SUNDAY, MONDAY, TUESDAY], None, (MONDAY, ["--target-timeline=2"], 2)),
    ],
)
def test_after_a_restore_a_target_gets_a_backup_that_leads_to_it(text, backups, timeline, chosen):
    item, follow, number = chosen
    assert plan(text, known(*backups), timeline) == (item["label"], follow, number)


@pytest.mark.parametrize("place", ["0/9000100", "0/9000138", "1/0"])
def test_a_failover_keeps_the_backups_from_before_it(place):
    """Also one at whose very end the timeline was left, as a restore to a backup does."""
    found = known(SUNDAY, MONDAY, TUESDAY, histories={2: f"1\t{place}\tno recovery target specified\n"})
    assert plan("latest", found) == (TUESDAY["label"], [], 2)
    assert plan("2026-11-23 12:00", found) == (MONDAY["label"], [], 2)
    assert targets.reachable(found) == {2: SUNDAY}


def test_a_way_may_have_many_timelines_and_leave_some_out():
    """The second was left by a restore, the third by a failover."""
    other = backup("20261123-120000F", "0/6000100", 2)
    third = backup("20261124-020000F", "0/9500100", 3)
    history = (
        "1\t0/5000200\tbefore 2026-11-23 01:05:00+00\n\n# left by hand\n3\t0/9600000\tno recovery target specified\n"
    )
    found = known(SUNDAY, MONDAY, other, TUESDAY, third, histories={2: RESTORED, 3: history, 4: history})
    assert plan("latest", found) == (third["label"], [], 4)
    assert plan("2026-11-24 01:30", found) == (MONDAY["label"], [], 4)
    assert {number: item["label"] for number, item in targets.reachable(found).items()} == {
        4: SUNDAY["label"],
        2: SUNDAY["label"],
        1: SUNDAY["label"],
    }


def test_a_cluster_that_went_back_from_a_restore_stays_on_its_timeline():
    found = known(SUNDAY, MONDAY, TUESDAY, timeline=1)
    assert plan("latest", found) == (TUESDAY["label"], ["--target-timeline=1"], 1)
    assert plan("latest", found, 2) == (MONDAY["label"], ["--target-timeline=2"], 2)


@pytest.mark.parametrize(
    ("text", "found", "timeline", "message"),
    [
        ("latest", known(TUESDAY), None, "timeline 2: found no backup that leads to it; expected one; take one with"),
        (
            "latest",
            known(TUESDAY),
            None,
            "Left out are backups of timeline 1, which were not taken on the way to timel",
        ),
        ("2026-11-24 08:00", known(TUESDAY, AFTER), None, "before the end of the oldest backup at 2026-11-24 09:10:10"),
        ("2026-11-24 08:00", known(TUESDAY, AFTER), None, r"--timeline \(restore_timeline\) follows theirs"),
        (
            "after_restore",
            known(TUESDAY),
            None,
            "after_restore: found no backup before it; .* Left out are backups of t",
        ),
        (
            "before_restore",
            known(MONDAY, AFTER),
            2,
            "before_restore: found it on timeline 1 at 0/9800000, not on the way",
        ),
        (
            TUESDAY["label"],
            known(TUESDAY, AFTER),
            2,
            "found it on timeline 1 at 0/9000100, not on the way to timeline 2",
        ),
        ("latest", known(MONDAY), 7, "timeline 7: found no backup that leads to it"),
        ("2026-11-24 08:00", known(MONDAY, AFTER, histories={}), None, "or not: its history is not in the repository"),
        ("2026-11-24 11:00", known(TUESDAY, live=False, wal_until=at("24 09:00:00")), 1, "after the last WAL"),
    ],
)
def test_what_no_backup_leads_to_is_refused(text, found, timeline, message):
    with pytest.raises(Problem, match=f"(?s){message}"):
        targets.choose(text, found, NOW, timeline)


def test_a_repository_that_was_begun_later_needs_no_history():
    """PostgreSQL refuses the number of a timeline without one."""
    found = known(AFTER, histories={})
    assert plan("latest", found) == (AFTER["label"], [], 2)
    assert plan("after_restore", found) == (AFTER["label"], ["--target-timeline=current"], 2)


def test_timelines_of_a_former_version_are_other_ones():
    former = backup("20261122-010000F", "0/2000100", 9, former=True)
    found = known(former, TUESDAY, histories={}, newest=1)
    assert plan("latest", found) == (TUESDAY["label"], [], 1)
    assert plan("2026-11-23 12:00", found)[0] == former["label"], "which is refused by its version"
    assert targets.reachable(found) == {1: TUESDAY}


def test_a_timeline_is_a_number():
    assert [targets.numbered(text) for text in ("", None, "12")] == [None, None, 12]
    with pytest.raises(Problem, match="timeline: found 'latest'; expected a number such as 1"):
        targets.numbered("latest")
