"""How the drills' figures are put together for the published table."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "drills"))
import rounds  # noqa: E402
import run  # noqa: E402


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2.0], [2.0, 2.0, 2.0, 2.0]),
        ([3.0, 1.0, 2.0], [1.0, 2.0, 3.0, 3.0]),
        ([float(n) for n in range(1, 21)], [1.0, 10.5, 19.0, 20.0]),
    ],
)
def test_a_distribution_has_least_median_p95_and_most(values, expected):
    assert rounds.distribution(values) == expected


def test_what_is_recorded_is_read_back_and_added_up(tmp_path, monkeypatch):
    monkeypatch.setattr(rounds, "RECORD", tmp_path / "drills.csv")
    found = [
        rounds.Round("2026-11-25", "trixie", "kill", 3.1, 900, 4, None, 0, True),
        rounds.Round("2026-11-26", "trixie", "kill", 4.5, 1100, 0, 7, 1, False, "", 0),
    ]
    for one in found:
        rounds.record(one)
    rounds.record(rounds.Round("2026-11-26", "bookworm", "kill", 9.9, 1, 1, None, 1, False))
    assert rounds.recorded("trixie") == found
    *_head, row = rounds.table(found, {"switchover": 2.0, "kill": 5.0, "all_power": None}).splitlines()
    assert row == "| `kill` | 1 of 2 | 5 s | 3.10 | 3.80 | 4.50 | 4.50 | 0 to 4 | 7 to 7 | 1 of 2,000 | changed=0 |"


def test_the_published_table_is_that_of_the_recorded_rounds():
    promised = {name: drill.gap for name, drill in run.DRILLS.items()}
    assert rounds.table(rounds.recorded("trixie"), promised) in (rounds.RECORD.parent / "drills.md").read_text()
