# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The database is dumped before a migration, by the first backup host, or nothing is touched."""

from __future__ import annotations

import pytest
from repository import ROOT, load, render_all

IMAGE = "example/api:1"
SERVICES = [{"name": "api", "image": IMAGE, "port": 8000}]


class Case:
    """One deployment: what lies on the application's host, and the backup host's program."""

    def __init__(self, path, program="exit 0", migrated=(), backups=True):
        self.path = path
        (path / "app").mkdir(parents=True)
        if program is not None:
            (path / "program").write_text(f'#!/bin/sh\necho "$@" >>{path}/asked\n{program}\n')
            (path / "program").chmod(0o755)
        for name in migrated:
            (path / "app" / name).touch()
        self.variables = {
            "platform_state_dir": str(path),
            "platform_backup_program": str(path / "program"),
            "app_services": SERVICES,
            "app_migration": {"service": "api", "command": ["migrate"]},
            "app_database": "ledger",
            "__app_migrated": str(path / "app" / "migrated-this"),
            **({} if backups else {"app_backup_hosts": []}),
        }

    @property
    def asked(self):
        path = self.path / "asked"
        return path.read_text().splitlines() if path.exists() else []


CASES = {
    "a new image": ({}, 0, ["dump ledger"]),
    "after others": ({"migrated": ["migrated-other"]}, 0, ["dump ledger"]),
    "migrated already": ({"migrated": ["migrated-this"]}, 0, []),
    "no backup host": ({"backups": False}, 0, []),
    "the first deployment": ({"program": None}, 0, []),
    "a failed dump": ({"program": "echo no room >&2; exit 1"}, 2, ["dump ledger"]),
    "no program any more": ({"program": None, "migrated": ["migrated-other"]}, 2, []),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    cases = {name: Case(tmp_path_factory.mktemp("dump"), **given) for name, (given, *_found) in CASES.items()}
    done = render_all([("dump.yml", case.variables) for case in cases.values()])
    return {name: (case, run) for (name, case), run in zip(cases.items(), done, strict=True)}


@pytest.mark.parametrize("name", CASES)
def test_the_database_is_dumped_before_a_migration(runs, name):
    _given, status, asked = CASES[name]
    case, run = runs[name]
    assert run.returncode == status, run.stdout + run.stderr
    assert case.asked == asked
    assert ("migrated app1" in run.stdout) is (status == 0 and name != "migrated already")


def test_it_comes_before_the_migration():
    first, second = load(ROOT / "roles/app/tasks/migrate.yml")
    assert first["ansible.builtin.import_tasks"] == "dump.yml"
    assert "docker_container" in str(second)
