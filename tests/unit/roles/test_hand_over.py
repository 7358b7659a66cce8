# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Before the floating address is handed over: who is fit to take it."""

from __future__ import annotations

import subprocess

import pytest
from repository import ROOT, load, tasks

SHELL = "ansible.builtin.shell"


@pytest.mark.parametrize(("keepalived", "haproxy", "fit"), [(0, 0, 0), (3, 0, 1), (0, 1, 1), (4, 1, 1), (0, 127, 127)])
def test_a_host_is_fit_when_keepalived_runs_and_haproxy_answers(tmp_path, keepalived, haproxy, fit):
    for name, status in {"systemctl": keepalived, "runuser": haproxy}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {status}\n")
        (tmp_path / name).chmod(0o755)
    (ask,) = [task for task in tasks(load(ROOT / "roles/keepalived/tasks/leave.yml")) if SHELL in task]
    said = ask[SHELL].replace("{{", "").replace("}}", "")
    assert subprocess.run(["/bin/sh", "-c", said], env={"PATH": str(tmp_path)}, check=False).returncode == fit
    assert ask["failed_when"] == "__keepalived_fit.rc not in [0, 1]"
