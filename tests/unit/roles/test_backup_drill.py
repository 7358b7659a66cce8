# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restore drill concludes: the copy against its marker, and the state of drills."""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace

import pytest
from repository import ROOT

FILES = ROOT / "roles" / "backup" / "files"
sys.path.insert(0, str(FILES))

from mainstay_backup import drill, marker, targets  # noqa: E402

DAY = 86400
NOW = targets.moment("2026-11-21 16:00:00")


def table(rows=3, checksum=30, chunks=None, size=1):
    return {"rows": rows, "checksum": checksum, "chunk_blocks": size, "chunks": chunks or {"0": [2, 10], "1": [1, 20]}}


def test_an_equal_copy_has_no_problem():
    assert marker.compare({"db": {"public.a": table()}}, {"db": {"public.a": table()}}) == []


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            {"public.a": table(checksum=31, chunks={"0": [2, 10], "1": [1, 21]})},
            "table public.a: found 3 rows .* in blocks 1$",
        ),
        (
            {"public.a": table(rows=2, checksum=10, chunks={"0": [2, 10]})},
            "found 2 rows .* expected 3 rows .* in blocks 1$",
        ),
        ({}, "database db, table public.a: found none in the copy; expected it"),
        ({"public.a": "invalid page in block 7"}, r"not readable \(invalid page in block 7\); expected 3 rows"),
        ({"public.a": table(), "public.b": table()}, "table public.b: found it in the copy only"),
    ],
)
def test_a_copy_that_differs_says_where(found, message):
    (problem,) = marker.compare({"db": {"public.a": table()}}, {"db": found})
    assert re.search(message, problem)


def test_whole_databases_are_compared_and_ranges_named():
    wanted = {"a": {}, "b": {"public.t": table(chunks={"0": [2, 10], "3": [1, 20]}, size=8)}}
    found = {"b": {"public.t": table(checksum=29, chunks={"0": [2, 9], "3": [1, 20]}, size=8)}, "c": {}}
    problems = marker.compare(wanted, found)
    assert problems[0] == "database a: found none in the copy; expected it"
    assert problems[1] == "database c: found it in the copy only; expected none"
    assert problems[2].endswith("they differ in blocks 0-7")


SETTINGS = SimpleNamespace(objectives=SimpleNamespace(drill_age_days=35, rto=900, rpo=300))
PASSED = {"verdict": "pass", "finished": NOW, "last_success": NOW, "rows": 9, "tables": 2, "pages": 5}
PASSED |= {"rto_seconds": 4.0, "rpo_seconds": 30.0, "problems": []}


@pytest.mark.parametrize(
    ("result", "running", "days", "good", "words"),
    [
        (None, False, 0, True, "no backup was taken yet"),
        ({"verdict": "none", "since": NOW, "problems": []}, False, 34, True, "the first is due by 2026-12-26"),
        ({"verdict": "none", "since": NOW, "problems": []}, False, 36, False, "it was due 2026-12-26"),
        (PASSED, False, 34, True, "9 rows of 2 tables as marked, 5 pages whole, RTO 4.0 s, RPO 30.0 s"),
        (PASSED, False, 36, False, "it was due"),
        ({"verdict": "fail", "finished": NOW, "problems": ["x", "y"]}, False, 0, False, "failed: x and 1 more"),
        (
            {"verdict": "running", "started": NOW, "stage": "marker", "problems": []},
            False,
            0,
            False,
            "was killed during marker",
        ),
        (
            {"verdict": "running", "started": NOW, "last_success": NOW, "problems": []},
            True,
            1,
            True,
            "no drill has passed yet",
        ),
    ],
)
def test_the_state_of_drills_is_said_honestly(result, running, days, good, words):
    text, verdict = drill.judge(SETTINGS, result, running, NOW + days * DAY)
    assert verdict is good
    assert words in text


def test_a_drill_beyond_the_objectives_fails():
    result = {"rto_seconds": 901, "rpo_seconds": 299, "problems": []}
    drill.limits(SETTINGS, result)
    assert result["problems"] == ["RTO: found 901 s; expected at most 900 s; see docs/backup.md"]
