# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the load of the tests on the site says of its answers, above all when there are none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "site"))
import load  # noqa: E402


def ended(answers, seconds=20.0):
    """A load that has ended, with answers (due, seconds, what was wrong)."""
    made = load.Load.__new__(load.Load)
    made.answers, made.begun, made.ended = [(100 + due, *rest) for due, *rest in answers], 100.0, 100.0 + seconds
    return made


def steady(begin, end, wrong=""):
    return [(begin + number / load.RATE, 0.01, wrong) for number in range(int((end - begin) * load.RATE))]


@pytest.mark.parametrize(
    ("answers", "since", "gap"),
    [
        (steady(0, 20), 0, 0.03),
        (steady(0, 8) + steady(11, 20), 0, 3),
        (steady(0, 8), 0, 12),
        (steady(5, 20), 0, 5),
        (steady(0, 8) + steady(8, 20, "502"), 0, 12),
        (steady(0, 8) + steady(12, 20), 10, 2),
        ([], 0, 20),
    ],
)
def test_a_gap_reaches_to_both_ends(answers, since, gap):
    assert ended(answers).gap(since) == pytest.approx(gap, abs=0.05)


def test_a_percentile_is_of_the_answers_of_its_time():
    made = ended(steady(0, 10) + [(due, 0.5, "") for due, *_rest in steady(10, 20)])
    assert (made.p95(0, 10), made.p95(10, 1e9)) == (0.01, 0.5)


@pytest.mark.parametrize("answers", [[], steady(0, 8)])
def test_too_few_answers_prove_nothing(answers):
    with pytest.raises(AssertionError, match="found 0 answers from 10 s on"):
        ended(answers).p95(10, 1e9)
    made = ended(answers)
    made.stop, made.threads, made.patience = load.threading.Event(), [], 0
    with pytest.raises(AssertionError, match="answers from 0 s on"):
        made.__exit__(None, None, None)


def test_a_load_goes_on_until_enough_were_asked(monkeypatch):
    monkeypatch.setattr(load, "RATE", 1000)
    made = ended(steady(0, 1))
    made.stop, made.patience = load.threading.Event(), 0.1
    more = load.threading.Timer(0.1, made.answers.extend, [steady(1, 1.1)])
    more.start()
    made.reach(1100)
    assert len(made.answers) == 1100
    with pytest.raises(AssertionError, match="found 1100 answers in the time for 1200"):
        made.reach(1200)
