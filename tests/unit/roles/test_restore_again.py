# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What clients have written to restored data is not lost by a second run, nor by a back-out, unless that was typed."""

from __future__ import annotations

import json

import pytest
from repository import ROOT, ask_all, decision, load, tasks

HOSTS = ("db1", "db2", "db3")
TASKS = ROOT / "roles/restore/tasks"
PLAN = {"backup": {"label": "F", "version": "17"}, "needed_bytes": 1, "repository": 1, "description": "a point"}
POINT = "before_import"
WROTE = {"since": "2026-11-21 15:19:21 UTC"}
BACK = {"entry": "back_out_preflight"}
LOSE = {"restore_lose_writes": True}


class Tree:
    """What lies on three members, in a directory of each."""

    def __init__(self, path):
        self.path = path

    def directory(self, host, end=""):
        return self.path / host / f"data{end}"

    def data(self, end="", hosts=HOSTS):
        for host in hosts:
            self.directory(host, end).mkdir(parents=True)
            (self.directory(host, end) / "PG_VERSION").write_text("17\n")
        return self

    def state(self, hosts=HOSTS, **more):
        for host in hosts:
            found = {"leader": "db2", "target": POINT, "member": "db1", **more}
            self.directory(host, ".restore.json").write_text(json.dumps(found))
        return self

    def halted(self):
        for host in HOSTS:
            (self.path / host / "patroni.service").symlink_to("/dev/null")
        return self

    def question(self, entry="preflight", leads="", **more):
        here = "{{ tree }}/{{ inventory_hostname }}"
        given = {"tree": str(self.path), "entry": entry, "restore_cluster": "test", "restore_to": POINT}
        given |= {"restore_data_dir": f"{here}/data", "__restore_unit": f"{here}/patroni.service"}
        given |= {"platform_postgresql_version": 17, "platform_backup_program": str(self.path / "program")}
        # Nobody answers here; what Patroni would say is given.
        given |= {"restore_replace": True, "__restore_as_postgres": ["true"], "restore_address": "127.0.0.1"}
        members = [{"name": leads, "role": "leader"}] if leads else []
        return "restore.yml", {**given, "__restore_cluster": {"json": {"members": members}}, **more}


def planted(path):
    for host in HOSTS:
        (path / host).mkdir()
    program = path / "program"
    program.write_text(f"#!/bin/sh\necho \"$@\" >>{path}/asked\necho '{json.dumps(PLAN)}'\n")
    program.chmod(0o755)
    return Tree(path)


def copying(tree):
    """Killed before the restored member was complete."""
    tree.data(".before-restore").data(hosts=("db1",)).state().halted()
    tree.directory("db1", ".restoring").touch()


def served(tree):
    """Killed while the others copied; it had not told all."""
    tree.data(".before-restore").data(hosts=("db1", "db2")).state().state(("db3",), **WROTE)


def returning(tree):
    """A back-out of that, killed while it moved data."""
    tree.data(".before-restore", ("db1",)).data().state(**WROTE, returning=True).halted()


def returned(tree):
    """The same, killed when the former data were served."""
    tree.data().state(**WROTE, returning=True)


def lost(tree):
    """The member that was restored, with all that it had."""
    tree.data(".before-restore", ("db2", "db3")).data(hosts=("db3",)).state(**WROTE)


# What lies there and what is asked; the words of the refusal.
REFUSED = {
    "another target": (
        served,
        {"restore_timeline": "1"},
        "found before_import on timeline 1, while a restore to before_import has not come to its end and clients may "
        "write since 2026-11-21 15:19:21 UTC; expected before_import",
    ),
    "a back-out on its way": (returning, {}, "found a back-out that has not come to its end, expected none"),
    "restored data that are gone": (lost, {}, "found none on db1, which was restored, and nobody who leads"),
    "back with a loss": (
        served,
        BACK,
        "found that clients may write to the restored data since 2026-11-21 15:19:21 UTC",
    ),
    "back again with a loss": (returning, BACK, "Finish the restore with mainstay.platform.restore, or add"),
    "back from nothing": (Tree.data, BACK, "found none on db1, which led, expected the former data"),
    # What is there is what clients have written, and nothing else.
    "back to nothing": (
        lambda tree: tree.data().state(**WROTE).halted(),
        {**BACK, **LOSE},
        "found none on db2, which led, expected the former data",
    ),
}
DECIDED = {
    "begins": (Tree.data, {"leads": "db3"}),
    "begins again": (copying, {}),
    "goes on": (served, {}),
    "goes on elsewhere": (lost, {"leads": "db3"}),
    "with the word": (served, {**LOSE, "restore_to": "latest", "leads": "db1"}),
    "after a back-out, with the word": (returning, LOSE),
    "back": (copying, BACK),
    "back, with the word": (served, {**BACK, **LOSE}),
    "back again": (returning, {**BACK, **LOSE}),
    "back, to its end": (returned, {**BACK, **LOSE, "leads": "db3"}),
}
CASES = DECIDED | {name: case[:2] for name, case in REFUSED.items()}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return ask_all(CASES, planted, tmp_path_factory)


@pytest.fixture
def decided(runs):
    def read(name):
        done, tree = runs[name]
        return {**decision(done, tree), "asked": (tree.path / "asked").exists()}

    return read


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_lose_writes_is_refused(runs, name):
    done, tree = runs[name]
    output = " ".join(done.stdout.split())
    assert done.returncode != 0 and REFUSED[name][2] in output, output
    assert "Nothing was stopped." in output and not (tree.path / "asked").exists()


def test_until_clients_are_back_it_begins_anew(decided):
    first, again = decided("begins"), decided("begins again")
    assert not first["goes_on"] and first["asked"] and not again["goes_on"] and again["asked"]
    assert first["fresh"] == {"leader": "db3", "target": POINT, "member": "db1"}
    assert again["fresh"]["leader"] == "db2", "who led before the first run"


def test_from_then_on_it_goes_on_and_asks_for_no_plan(decided):
    found = decided("goes on")
    assert (found["goes_on"], found["heir"], found["restored"], found["asked"]) == (True, "db1", "db1", False)
    assert decided("goes on elsewhere")["heir"] == "db3", "it has failed over since"


def test_with_the_word_it_begins_anew_and_knows_who_led_first(decided):
    for name in ("with the word", "after a back-out, with the word"):
        found = decided(name)
        assert not found["goes_on"] and found["asked"] and found["fresh"]["leader"] == "db2"
        assert set(found["fresh"]) == {"leader", "target", "member"}


def test_a_back_out_leaves_what_was_written_and_may_be_killed(decided):
    found = {name: decided(name) for name in DECIDED if name.startswith("back")}
    assert {name: each["leaves"] for name, each in found.items() if each["leaves"]} == {"back, with the word": True}
    assert {name: each["returned"] for name, each in found.items() if each["returned"]} == {"back, to its end": True}
    assert {each["former"] for each in found.values()} == {"db2"}


def steps(file, how="import_tasks"):
    return [(task.get(f"ansible.builtin.{how}"), task.get("when")) for task in tasks(load(TASKS / f"{file}.yml"))]


def test_a_run_that_goes_on_stops_nothing_and_touches_no_data():
    """Data are set aside and servers stopped by the steps of a beginning, and by nobody else.

    These are included: an imported task that is skipped forgets what was registered under its name, such as who leads.
    """
    conditions = dict(steps("main", "include_tasks"))
    begins = {name for name, when in conditions.items() if when == "not __restore_goes_on"}
    assert begins == {"stop.yml", "copy.yml", "serve.yml"} and conditions["go_on.yml"] == "__restore_goes_on"
    assert [name for name, _when in steps("go_on") if name] == ["remember.yml", "start.yml"]
    for word, users in {
        "__restore_put_aside": {"stop.yml"},
        "import_tasks: halt.yml": {"stop.yml", "back_out.yml"},
    }.items():
        assert {path.name for path in TASKS.glob("*.yml") if word in path.read_text()} == users


def test_it_is_written_down_before_the_first_client_comes():
    assert [name for name, _when in steps("serve")] == ["remember.yml", "start.yml"]
    record = next(tasks(load(TASKS / "serve.yml")))["vars"]["__restore_record"]
    assert "'since'" in record
    store = next(task for task in tasks(load(TASKS / "lead.yml")) if "patronictl" in str(task))
    assert "/dev/null" in store["when"], "a store that tells of the restored data stays"


def test_the_former_data_go_behind_the_last_gate_only():
    plays = load(ROOT / "playbooks/restore.yml")
    included = [task["ansible.builtin.include_role"] for play in plays for task in play.get("tasks", [])]
    assert [(role["name"].rpartition(".")[2], role["tasks_from"]) for role in included] == [
        ("app", "verify"),
        ("restore", "finish"),
    ]
    assert all(play["any_errors_fatal"] for play in plays), "a red gate of one host ends the run"
    finish = [str(task) for task in tasks(load(TASKS / "finish.yml"))]
    assert "take" in finish[0] and "__restore_remove" in finish[-2] and "__restore_state" in finish[-1]
