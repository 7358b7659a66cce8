# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils._health import (
    at_path,
    explain,
    http_problems,
    p95,
    run_series,
    same,
)

ANSWER = {
    "status": 200,
    "headers": {"Strict-Transport-Security": "max-age=1"},
    "text": '{"status": "ok", "checks": [{"up": true}]}',
}
GOAL = {"successes": 1, "window": 0, "pause": 0.5, "p95_ms": 0, "deadline": 0}


@pytest.mark.parametrize(
    "expect, problem",
    [
        ({}, None),
        ({"status": [301, 302]}, "status 200, expected 301 or 302"),
        ({"headers": {"strict-transport-security": "max-age="}}, None),
        ({"headers": {"Server": "."}}, "header Server None"),
        ({"text": ["ok", "up.*true"]}, None),
        ({"text": ["nowhere"]}, "expected 'nowhere'"),
        ({"json": {"status": "ok", "checks.0.up": "True"}}, None),
        ({"json": {"status": "bad"}}, "status = 'ok', expected 'bad'"),
        ({"json": {"checks.3.up": True}}, "no '3' in the JSON"),
    ],
)
def test_http_problems(expect, problem):
    found = http_problems(ANSWER, {"status": [200], **expect})
    assert found == [] if problem is None else len(found) == 1 and problem in found[0]


def test_http_problems_of_text_that_is_no_json():
    assert "expected JSON" in http_problems({**ANSWER, "text": "<html>"}, {"status": [200], "json": {"a": 1}})[0]


@pytest.mark.parametrize(
    "found, expected, equal", [(True, "true", True), (3, "3", True), ("a", "b", False), (None, "", False)]
)
def test_same_ignores_the_type_of_an_option(found, expected, equal):
    assert same(found, expected) is equal


def test_at_path_names_the_missing_part():
    with pytest.raises(KeyError, match="c"):
        at_path({"a": {"b": {}}}, "a.b.c")


@pytest.mark.parametrize("values, expected", [([], None), ([5], 5), (list(range(1, 101)), 95), ([1, 1, 9], 9)])
def test_p95_is_by_nearest_rank(values, expected):
    assert p95(values) == expected


class Service:
    """Answers from a script of (good, seconds); its clock moves with answers and sleeps. The last one repeats."""

    def __init__(self, *script):
        self.script = list(script)
        self.now = 0.0

    def ask(self):
        good, seconds = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        self.now += seconds
        return good, "fine" if good else "broken"

    def run(self, **goal):
        return run_series(self.ask, {**GOAL, **goal}, lambda: self.now, self.sleep)

    def sleep(self, seconds):
        self.now += seconds


GOOD, BAD, SLOW = (True, 0.01), (False, 0.01), (True, 0.4)


@pytest.mark.parametrize(
    "script, goal, healthy, attempts",
    [
        ([GOOD], {}, True, 1),
        ([BAD], {}, False, 1),
        ([BAD, GOOD], {}, False, 1),
        ([BAD, GOOD], {"deadline": 5}, True, 2),
        ([GOOD], {"successes": 3}, True, 3),
        ([GOOD, GOOD, BAD, GOOD], {"successes": 3}, False, 3),
        ([GOOD, GOOD, BAD, GOOD], {"successes": 3, "deadline": 10}, True, 6),
        ([SLOW, SLOW, GOOD], {"successes": 3, "p95_ms": 100, "deadline": 10}, True, 5),
        ([SLOW], {"successes": 3, "p95_ms": 100}, False, 3),
        ([SLOW], {"successes": 60, "window": 60}, True, 60),
        ([GOOD, BAD, GOOD], {"successes": 60, "window": 60}, False, 2),
    ],
)
def test_series(script, goal, healthy, attempts):
    result = Service(*script).run(**goal)
    assert (result["healthy"], result["attempts"]) == (healthy, attempts)


def test_series_spans_its_window():
    result = Service((True, 0)).run(successes=6, window=10)
    assert (result["attempts"], result["seconds"]) == (6, 10)


def test_series_ends_at_its_deadline():
    result = Service(BAD).run(deadline=3)
    assert not result["healthy"]
    assert 3 <= result["seconds"] < 4


def test_timeline_and_explanation_say_what_was_seen_last():
    result = Service(GOOD, BAD).run(successes=2)
    assert [row["found"] for row in result["timeline"]] == ["fine", "broken"]
    text = explain("http x", result, {**GOAL, "successes": 2, "window": 5})
    assert text.startswith("http x: found broken; expected 2 good answers in a row over 5 s; 1 of 2 answers")


def test_explanation_of_slow_answers_names_the_budget():
    goal = {**GOAL, "p95_ms": 100}
    text = explain("http x", Service(SLOW).run(p95_ms=100), goal)
    assert "found a 95th percentile of 400 ms" in text and "of at most 100 ms" in text
