# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The databases are dumped before a deployment, by the first backup host, or nothing is touched."""

from __future__ import annotations

import pytest
from repository import ROOT, load, render_all

IMAGE = "example/api:1"
SERVICES = [{"name": "api", "image": IMAGE, "port": 8000}]
DATABASES = [{"name": "ledger", "owner": "ledger"}, {"name": "archive", "owner": "ledger"}]
DUMPED = ["dump ledger", "dump archive"]


class Case:
    """One run: what is live, what is to come, what lies on the application's host, and the backup host's program."""

    def __init__(self, path, program="exit 0", migrated=False, backups=True, live="1", rolls=True, **given):
        self.path = path
        if program is not None:
            (path / "program").write_text(f'#!/bin/sh\necho "$@" >>{path}/asked\n{program}\n')
            (path / "program").chmod(0o755)
        if migrated:
            (path / "migrated").touch()
        self.variables = {
            "platform_state_dir": str(path),
            "platform_backup_program": str(path / "program"),
            "postgresql_databases": DATABASES,
            "app_services": SERVICES,
            "app_migration": {"service": "api", "command": ["migrate"]},
            "__app_migrated": str(path / "migrated"),
            "__app_plan": {"live": live, "rolls": rolls},
            **({} if backups else {"app_backup_hosts": []}),
            **given,
        }

    @property
    def asked(self):
        path = self.path / "asked"
        return path.read_text().splitlines() if path.exists() else []


# What is given; then the status, what the program was asked, and what comes behind it.
CASES = {
    "another image": ({}, 0, DUMPED, "migrated app1"),
    "without a migration": ({"app_migration": {}}, 0, DUMPED, "went on app1"),
    "an image that has migrated": ({"migrated": True}, 0, DUMPED, "went on app1"),
    "another migration alone": ({"rolls": False}, 0, DUMPED, "migrated app1"),
    "nothing to do": ({"rolls": False, "migrated": True}, 0, [], "went on app1"),
    "no backup host": ({"backups": False}, 0, [], "migrated app1"),
    "no database": ({"postgresql_databases": []}, 0, [], "migrated app1"),
    "one database": ({"app_databases": ["archive"]}, 0, ["dump archive"], "migrated app1"),
    "the first deployment": ({"program": None, "live": ""}, 0, [], "migrated app1"),
    "the first one, with backups": ({"live": ""}, 0, DUMPED, "migrated app1"),
    "a failed dump": ({"program": "echo no room >&2; exit 1"}, 2, DUMPED, None),
    "no program any more": ({"program": None}, 2, [], None),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    cases = {name: Case(tmp_path_factory.mktemp("dump"), **given) for name, (given, *_found) in CASES.items()}
    checked = Case(tmp_path_factory.mktemp("dump"))
    asked = [("dump.yml", case.variables) for case in cases.values()]
    done = render_all([*asked, ("dump.yml", checked.variables, "--check")])
    cases["a check"] = checked
    return {name: (case, run) for (name, case), run in zip(cases.items(), done, strict=True)}


@pytest.mark.parametrize("name", CASES)
def test_the_databases_are_dumped_before_a_deployment(runs, name):
    _given, status, asked, behind = CASES[name]
    case, run = runs[name]
    assert run.returncode == status, run.stdout + run.stderr
    assert case.asked == asked
    said = [line for line in ("migrated app1", "went on app1") if line in run.stdout]
    assert said == ([behind] if behind else [])


def test_a_check_asks_nobody(runs):
    case, run = runs["a check"]
    assert (run.returncode, case.asked) == (0, []), run.stdout + run.stderr


def test_it_comes_behind_the_questions_and_before_whatever_is_changed():
    steps = load(ROOT / "roles/app/tasks/rollout.yml")
    files = [step.get("ansible.builtin.include_tasks", step.get("ansible.builtin.import_tasks", "")) for step in steps]
    place = files.index("data.yml")
    assert files[:place] == ["look.yml", "", "begin.yml"]
    # A rollback has a release that is remembered for its target.
    assert steps[place]["when"] == "__app_is_first and not __app_target"
    _asked, dump, migrate = load(ROOT / "roles/app/tasks/data.yml")
    assert (dump["ansible.builtin.include_tasks"], dump["when"]) == (
        "dump.yml",
        "__app_dumps and not ansible_check_mode",
    )
    assert (migrate["ansible.builtin.import_tasks"], migrate["when"]) == ("migrate.yml", "__app_migration_due")
