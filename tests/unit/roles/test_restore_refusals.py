# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restore is refused, with the words that help, before the backup host is asked and before anything stops."""

from __future__ import annotations

import socket

import pytest
from repository import ROOT, load, render_all, tasks

TYPED = {"role": "restore", "restore_cluster": "test", "platform_postgresql_version": 17}
WITHOUT = ("--limit=db1,db2",)
MEMBERS = [{"name": name, "address": "127.0.0.1"} for name in ("db1", "db2", "db3")]
# What is typed, and the words of the refusal.
CASES = {
    "no name": ({"restore_cluster": ""}, (), ["restore_cluster: found nothing", "expected test"]),
    "another name": ({"restore_cluster": "tes"}, (), ["found tes, expected test", "-e restore_cluster=test"]),
    "a limit": ({}, WITHOUT, ["found a run on db1, db2", "expected all of db1, db2, db3.", "restore_without=NAME"]),
    "a dead one in the run": ({"restore_without": "db3"}, (), ["on db1, db2, db3", "all of db1, db2 and not db3"]),
    "nobody of that name": ({"restore_without": "db9"}, (), ["restore_without: found db9", "some of db1, db2, db3"]),
    "all dead": ({"restore_without": "db1,db2,db3"}, (), ["found db1, db2, db3, expected some", "not all"]),
    "one that answers": ({"restore_without": "db3"}, WITHOUT, ["restore_without: found db3 answering"]),
    "another backup host": (
        {"restore_backup_host": "ops9"},
        (),
        ["restore_member, restore_backup_host: found db1 and ops9", "and one of ops1"],
    ),
}
# Those that come to the backup host's plan, and the words that it is asked with.
ASKED = {
    "every member": ({}, (), "plan latest --json"),
    "without a dead one": ({"restore_without": " db3"}, WITHOUT, "plan latest --json"),
    "off site": ({"restore_offsite": True, "restore_timeline": "1"}, (), "plan latest --json --timeline 1 --offsite"),
}
PLAN = "target: found nobody_knows, which nobody knows; expected a restore point"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Every case, finished, and what it asked the backup host's program, which refuses."""
    folder = tmp_path_factory.mktemp("restore")
    with socket.create_server(("127.0.0.1", 0)) as alive, socket.create_server(("127.0.0.1", 0)) as closed:
        free = closed.getsockname()[1]
        closed.close()
        runs, asked = [], {}
        for number, (name, (typed, words, _expected)) in enumerate([*CASES.items(), *ASKED.items()]):
            asked[name] = folder / f"asked{number}"
            program = folder / f"program{number}"
            program.write_text(f"#!/bin/sh\necho \"$@\" >>{asked[name]}\necho 'mainstay-backup: {PLAN}' >&2\nexit 1\n")
            program.chmod(0o755)
            port = alive.getsockname()[1] if name == "one that answers" else free
            ports = {"restore_port": free, "restore_rest_port": port, "restore_members": MEMBERS}
            runs.append(("refuse.yml", {**TYPED, "platform_backup_program": str(program), **ports, **typed}, *words))
        done = render_all(runs)
    return {
        name: (run, path.read_text().strip() if path.exists() else "")
        for (name, path), run in zip(asked.items(), done, strict=True)
    }


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_restored_is_refused_before_the_backup_host_is_asked(runs, name):
    run, asked = runs[name]
    output = " ".join(run.stdout.split())
    assert run.returncode != 0
    for word in [*CASES[name][2], "Nothing was stopped."]:
        assert word in output, output
    assert not asked


@pytest.mark.parametrize("name", ASKED)
def test_the_plans_refusal_is_said(runs, name):
    run, asked = runs[name]
    output = " ".join(run.stdout.split())
    assert asked == ASKED[name][2], output
    assert f"restore_to: mainstay-backup: {PLAN}" in output
    assert "Nothing was stopped." in output


def test_nothing_stops_before_the_last_refusal():
    steps = [
        str(task.get("ansible.builtin.import_tasks") or task.get("ansible.builtin.include_tasks"))
        for task in tasks(load(ROOT / "roles/restore/tasks/main.yml"))
    ]
    assert steps.index("preflight.yml") < steps.index("stop.yml")
    for name in ("preflight", "members", "look", "plan", "who_leads"):
        for task in tasks(load(ROOT / f"roles/restore/tasks/{name}.yml")):
            assert "ansible.builtin.systemd_service" not in task
            assert task.get("changed_when", False) is False
            assert "fail_msg" not in str(task) or "Nothing was stopped." in str(task), task["name"]


def test_going_back_wants_every_member_too():
    steps = {
        name: [
            str(task.get("ansible.builtin.import_tasks"))
            for task in tasks(load(ROOT / f"roles/restore/tasks/{name}.yml"))
        ]
        for name in ("back_out", "back_out_preflight")
    }
    assert steps["back_out"][0] == "back_out_preflight.yml"
    assert "members.yml" in steps["back_out_preflight"][:2]
