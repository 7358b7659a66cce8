# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Patching takes the primary last, leaves alone what needs nothing, and goes the same way for every host."""

from __future__ import annotations

import re

import pytest
from repository import ROOT, load, render_with, tasks

HOSTS = ("db1", "db2", "db3")


@pytest.mark.parametrize(
    ("needed", "ranks", "order"),
    [
        ((True, True, True), (2, 1, 0), "db3 db2 db1"),
        ((True, True, True), (0, 0, 2), "db1 db2 db3"),
        ((True, False, True), (1, 2, 0), "db3 db1"),
        ((False, False, False), (2, 1, 0), "nobody"),
    ],
)
def test_the_primary_is_last(needed, ranks, order):
    variables = {"needed": dict(zip(HOSTS, needed, strict=True)), "ranks": dict(zip(HOSTS, ranks, strict=True))}
    done = render_with("order.yml", variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"order: ([\w ]+)", done.stdout)[1] == order


def test_every_host_goes_through_the_list():
    """A condition on the include itself would take hosts in the order in which they answer."""
    (include,) = [task for task in tasks(load(ROOT / "roles/patch/tasks/main.yml")) if "loop" in task]
    assert include["when"] == "not ansible_check_mode"
    (block,) = load(ROOT / "roles/patch/tasks/host.yml")
    assert block["when"] == "__patch_host == inventory_hostname" and block["any_errors_fatal"] is True


def test_no_upgrade_restarts_a_service_by_itself():
    installs = [task for task in tasks(load(ROOT / "roles/patch/tasks/install.yml")) if "ansible.builtin.apt" in task]
    assert installs
    assert all(task["ansible.builtin.apt"]["policy_rc_d"] == 101 for task in installs)
