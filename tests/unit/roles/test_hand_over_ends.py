# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The end of a hand-over of the primary: edges ask again before anybody waits, a killed one is ended by the next."""

from __future__ import annotations

import jinja2
import pytest
from repository import ROOT, load, tasks

SERVER = "mainstay.platform.haproxy_server"
RELEASE = list(tasks(load(ROOT / "roles/switchover/tasks/release.yml")))
WRITERS, READERS = "writers", "readers"


def position(task_list, found):
    return next(number for number, task in enumerate(task_list) if found(task))


def test_every_edge_asks_again_before_one_is_waited_for():
    asks = position(RELEASE, lambda task: "health" in task.get(SERVER, {}))
    knows = position(RELEASE, lambda task: task.get("register") == "__switchover_present")
    waits = position(RELEASE, lambda task: "wait_up" in task.get(SERVER, {}))
    serves = position(RELEASE, lambda task: task.get(SERVER, {}).get("state") == "ready")
    assert "wait_up" not in RELEASE[asks][SERVER]
    assert asks < knows < waits < serves
    # Whoever is drained comes back by itself when the run is killed while it waits.
    assert "expires" in RELEASE[waits][SERVER]


@pytest.mark.parametrize(
    ("leads", "up"),
    [
        ("db1", {(WRITERS, "db1"): True, (READERS, "db2"): True}),
        ("db2", {(WRITERS, "db1"): False, (READERS, "db2"): False}),
    ],
)
def test_who_leads_now_decides_who_is_to_be_up(leads, up):
    """From db1 to db2: the switch failed, or is over, whatever the run knows of it."""
    (asked,) = [task[SERVER]["wait_up"] for task in RELEASE if "wait_up" in task.get(SERVER, {})]
    template = jinja2.Environment(autoescape=True).from_string(asked)
    for (backend, server), wanted in up.items():
        place = ({"name": "edge1"}, {"backend": backend, "server": server})
        told = {"__switchover_place": place, "platform_edge_writers": WRITERS, "__switchover_leads": [leads]}
        assert template.render(told) == str(wanted)


def test_a_killed_hand_over_is_ended_from_any_host():
    assert "inventory_hostname" not in (ROOT / "roles/switchover/tasks/finish.yml").read_text()


def test_patching_ends_it_before_it_asks_the_first_host():
    entries = load(ROOT / "roles/patch/tasks/main.yml")
    ends = position(entries, lambda task: task.get("ansible.builtin.include_role", {}).get("tasks_from") == "settle")
    assert ends < position(entries, lambda task: "loop" in task)
    assert "patch_steps == 'switchover'" in entries[ends]["when"]
