"""How it is counted which of many sessions have come back, and when."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.lab import Lab

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "drills"))
import observer  # noqa: E402
import run  # noqa: E402

LINES = """
100.0 ok a 0
100.5 ok b 1
101.0 failed c server closed the connection
120.5 ok d 1
121.0 ok e 0
125.0 ok f 1
"""


@pytest.fixture
def crowd(monkeypatch):
    """What is heard of a program that says these lines; its writes are those of sessions 0 and 1."""
    monkeypatch.setattr(observer, "command", lambda *_words, **_host: ["echo", LINES.strip()])
    with observer.Client(Lab("lab", "trixie"), "crowd", sessions=2) as heard:
        pass
    return heard


def test_each_session_counts_from_its_first_write_since_the_promotion(crowd):
    assert run.returned([crowd], 120.0) == [0.5, 1.0]


def test_a_session_that_never_wrote_again_is_missing(crowd):
    assert run.returned([crowd], 122.0) == [3.0]
    assert run.returned([crowd], 126.0) == []


def test_every_write_is_looked_for_at_the_end_and_a_failed_one_says_why(crowd):
    assert crowd.keys == ["a", "b", "d", "e", "f"]
    assert crowd.failed == ["server closed the connection"]
