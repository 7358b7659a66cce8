# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges answers and series of answers of a service. Pure but for the clock given; private to this collection."""

from __future__ import annotations

import json
import math
import re

KEPT = 200  # attempts of the timeline that are returned


def one_line(value, width=200):
    """Any value as one short line."""
    text = " ".join(str(value).split())
    return text if len(text) <= width else text[: width - 4] + " ..."


def same(found, expected):
    """Equality that does not care whether an option turned a number or a boolean into text."""
    return found == expected or str(found).lower() == str(expected).lower()


def at_path(document, path):
    """The value at "a.b.0.c" of a JSON document; KeyError names the part that is missing."""
    for part in path.split("."):
        try:
            document = document[int(part)] if isinstance(document, list) else document[part]
        except (KeyError, IndexError, TypeError, ValueError):
            raise KeyError(part) from None
    return document


def http_problems(answer, expect):
    """What is wrong with an HTTP answer {status, headers, text}; empty when nothing is."""
    problems = []
    if answer["status"] not in expect["status"]:
        wanted = " or ".join(str(code) for code in expect["status"])
        problems.append(f"status {answer['status']}, expected {wanted}")
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    for name, pattern in (expect.get("headers") or {}).items():
        value = headers.get(name.lower())
        if value is None or not re.search(str(pattern), value):
            problems.append(f"header {name} {value!r}, expected {pattern!r}")
    problems += text_problems(answer["text"], expect.get("text"))
    if expect.get("json"):
        problems += json_problems(answer["text"], expect["json"])
    return problems


def text_problems(text, patterns):
    """One problem for every regular expression that is not found."""
    return [
        f"text {one_line(text, 80)!r}, expected {pattern!r}"
        for pattern in patterns or []
        if not re.search(pattern, text)
    ]


def json_problems(text, expected):
    """One problem for every path whose value differs."""
    try:
        document = json.loads(text)
    except ValueError:
        return [f"text {one_line(text, 80)!r}, expected JSON"]
    problems = []
    for path, value in expected.items():
        try:
            found = at_path(document, path)
        except KeyError as error:
            problems.append(f"no {error.args[0]!r} in the JSON, expected {path} = {value!r}")
            continue
        if not same(found, value):
            problems.append(f"{path} = {one_line(found, 80)!r}, expected {value!r}")
    return problems


def p95(values):
    """The 95th percentile by nearest rank; None without values."""
    ordered = sorted(values)
    return ordered[math.ceil(0.95 * len(ordered)) - 1] if ordered else None


def run_series(ask, goal, clock, sleep):
    """Ask until `successes` good answers in a row span `window` seconds within the latency budget, or time is over.

    `ask()` gives (good, found). `goal` holds successes, window, pause, p95_ms and deadline. With a deadline of 0
    the first bad answer ends the series.
    """
    start = clock()
    pause = goal["window"] / max(1, goal["successes"] - 1) if goal["window"] else goal["pause"]
    timeline = []
    longest = 0
    while True:
        began = clock()
        good, found = ask()
        ended = clock()
        timeline.append(
            {"at": round(began - start, 3), "good": good, "ms": round((ended - began) * 1000, 1), "found": found}
        )
        streak = streak_of(timeline)
        longest = max(longest, len(streak))
        late = ended - start >= goal["deadline"]
        if reached(streak, goal) or (late and (goal["deadline"] or not good or len(streak) >= goal["successes"])):
            return outcome(timeline, longest, goal, ended - start)
        sleep(pause if good else min(1, pause))


def streak_of(timeline):
    """The good answers since the last bad one."""
    streak = []
    for row in reversed(timeline):
        if not row["good"]:
            break
        streak.insert(0, row)
    return streak


def reached(streak, goal):
    """Whether the last answers are enough. A slow one leaves the view once there are `successes` newer ones."""
    last = streak[-goal["successes"] :]
    if len(last) < goal["successes"]:
        return False
    return not goal["p95_ms"] or p95([row["ms"] for row in last]) <= goal["p95_ms"]


def outcome(timeline, longest, goal, seconds):
    """What a series showed, as the module returns it."""
    streak = streak_of(timeline)
    last = [row["ms"] for row in streak[-goal["successes"] :]]
    return {
        "healthy": reached(streak, goal),
        "attempts": len(timeline),
        "good": sum(1 for row in timeline if row["good"]),
        "streak": len(streak),
        "longest_streak": longest,
        "p95_ms": p95(last),
        "seconds": round(seconds, 1),
        "timeline": timeline[-KEPT:],
    }


def explain(what, result, goal):
    """Why a series was not enough: what was seen last, what was expected."""
    wanted = f"{goal['successes']} good answers in a row"
    if goal["window"]:
        wanted += f" over {goal['window']:g} s"
    if goal["p95_ms"]:
        wanted += f" with a 95th percentile of at most {goal['p95_ms']:g} ms"
    seen = result["timeline"][-1]
    found = seen["found"]
    if seen["good"] and result["streak"] >= goal["successes"]:
        found = f"a 95th percentile of {result['p95_ms']:g} ms, last answer {found}"
    return (
        f"{what}: found {found}; expected {wanted}; {result['good']} of {result['attempts']} answers in "
        f"{result['seconds']:g} s were good, at most {result['longest_streak']} in a row; see timeline in this result"
    )
