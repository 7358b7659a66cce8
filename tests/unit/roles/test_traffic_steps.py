# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The return of traffic stops at what is red, at a host that is lost on the way, and at one bad answer."""

from __future__ import annotations

import re

import pytest
from repository import ROOT, load, render_with, tasks


@pytest.mark.parametrize(
    ("lost", "red", "words"),
    [
        ("nobody", {}, ["nothing"]),
        ("nobody", {"edge1": "edge1: too slow"}, ["edge1: too slow"]),
        ("edge2", {}, ["edge2 cannot be reached any more"]),
        ("edge1", {"edge2": "edge2: too slow"}, ["edge1 cannot be reached any more", "edge2: too slow"]),
    ],
)
def test_a_host_that_is_lost_is_red(lost, red, words):
    done = render_with("traffic.yml", {"lost": lost, "red": red})
    found = re.search(r"red: (.+)\.", done.stdout)
    assert found, done.stdout + done.stderr
    assert sorted(found[1].split("; ")) == words


def test_one_bad_answer_is_enough():
    """A deadline would be time to begin the count again."""
    gates = [
        task for task in tasks(load(ROOT / "roles/traffic/tasks/step.yml")) if "mainstay.platform.health_gate" in task
    ]
    assert [gate["mainstay.platform.health_gate"]["deadline"] for gate in gates] == [0]
