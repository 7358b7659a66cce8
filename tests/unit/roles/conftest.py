# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What tests of roles share: the repository, rendered templates, and the tools that judge them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
import yaml
from repository import ROOT, render_with


@pytest.fixture
def called_by_postgresql(tmp_path):
    """A function that runs a program as PostgreSQL does, in its data directory. Instead of the repository there is a
    pgbackrest that says what it was asked and ends as it is told."""
    stub = tmp_path / "bin" / "pgbackrest"
    stub.parent.mkdir()
    stub.write_text('#!/bin/sh\necho "$@"\nexit "$VERDICT"\n')
    stub.chmod(0o755)

    def run(program, verdict, *words):
        env = {"PATH": f"{stub.parent}:{os.environ['PATH']}", "VERDICT": str(verdict)}
        command = ["sh", str(ROOT / "roles/postgresql/files" / program), *words]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=10)

    return run


@pytest.fixture
def backup_host(monkeypatch):
    """A function that has mainstay-backup find these settings, and this program in place of pgBackRest, while no
    PostgreSQL answers."""

    def run(settings, pgbackrest):
        def nobody(_settings):
            raise sys.modules["mainstay_backup.common"].Problem("no primary")

        monkeypatch.setattr("mainstay_backup.repository.pgbackrest", pgbackrest)
        monkeypatch.setattr("mainstay_backup.database.primary", nobody)
        monkeypatch.setattr("mainstay_backup.cli.load_settings", lambda: settings)
        return settings

    return run


@pytest.fixture(scope="session")
def render(tmp_path_factory):
    """A function that renders the monitoring roles' files by Ansible; gives the directory and the finished run."""

    def run(variables=None):
        out = tmp_path_factory.mktemp("rendered")
        return out, render_with("render.yml", {"out": str(out), **(variables or {})})

    return run


@pytest.fixture(scope="session")
def rendered(render):
    """Directory of the monitoring roles' files with the roles' defaults."""
    out, done = render()
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def rules_in(directory):
    groups = yaml.safe_load((directory / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture(scope="session")
def rules(rendered, render):
    """All rendered rules, as a list of dictionaries: with the defaults, and what a cluster of Redis has instead."""
    out, done = render({"redis_mode": "cluster"})
    assert done.returncode == 0, done.stdout + done.stderr
    found = rules_in(rendered)
    return found + [rule for rule in rules_in(out) if rule not in found]


@pytest.fixture(scope="session")
def tool():
    """A function that runs promtool or amtool and gives its output; it fails the test when the tool does."""

    def run(name, *arguments, **options):
        path = ROOT / ".cache" / "tools" / name
        binary = str(path) if path.exists() else shutil.which(name)
        assert binary, f"{name}: found neither .cache/tools/{name} nor one on the PATH; run tests/tools.sh"
        done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, **options)
        assert done.returncode == 0, f"{name} {' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}"
        return done.stdout

    return run
