# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An upgrade that is killed while statements wait: the host lets them go, and one that is not paused is no mistake."""

from __future__ import annotations

import os
import socket
import subprocess
from types import SimpleNamespace

import pytest
from repository import ROOT, load, tasks

VARIABLES = load(ROOT / "roles/upgrade/vars/main.yml")
UNIT = "mainstay-upgrade-pause"
PAUSED, NOT_PAUSED, DOWN = "", "ERROR: pooler is not paused/suspended", "connection refused"


@pytest.fixture
def host(tmp_path):
    """A host on which every program writes down how it was called, and the console answers what it is told to."""
    programs = {name: f'echo {name} "$1 $2 $3" >>{tmp_path}/asked' for name in ("systemd-run", "systemctl")}
    programs["systemctl"] += f"; exit $(cat {tmp_path}/known)"
    programs["console"] = f'echo console "$@" >>{tmp_path}/asked; [ ! -s {tmp_path}/answer ] || ! cat {tmp_path}/answer'
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "known").write_text("5")
    path = str(tmp_path / "socket")

    def run(name, *words, answer=PAUSED, pooler=True, known=5):
        (tmp_path / "answer").write_text(answer)
        (tmp_path / "known").write_text(str(known))
        (tmp_path / "asked").write_text("")
        opened = socket.socket(socket.AF_UNIX)
        if pooler:
            opened.bind(path)
        release = ["sh", "-c", VARIABLES["__upgrade_release"], "release", UNIT, path, "console"]
        command = release if name == "release" else ["sh", "-c", VARIABLES[name], "x", UNIT, path, *words, *release]
        env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
        opened.close()
        if pooler:
            os.unlink(path)
        asked = (tmp_path / "asked").read_text().splitlines()
        return SimpleNamespace(status=done.returncode, asked=asked, error=done.stderr)

    return run


@pytest.mark.parametrize(("answer", "status"), [(PAUSED, 0), (NOT_PAUSED, 0), (DOWN, 1)])
def test_a_pooler_is_let_go_and_its_timer_ends(host, answer, status):
    done = host("release", answer=answer)
    assert done.status == status
    # The timer stays where nobody could be let go.
    ended = [] if status else [f"systemctl --quiet stop {UNIT}.timer"]
    assert done.asked == ["console resume", *ended]
    assert not status or DOWN in done.error


@pytest.mark.parametrize(("known", "status"), [(0, 0), (5, 0), (1, 1)])
def test_a_timer_that_is_not_there_has_ended(host, known, status):
    assert host("release", known=known).status == status


def test_without_a_pooler_the_timer_ends_all_the_same(host):
    done = host("release", pooler=False)
    assert (done.status, done.asked) == (0, [f"systemctl --quiet stop {UNIT}.timer"])
    assert host("__upgrade_remind", "90", pooler=False).asked == []


def test_what_a_killed_run_has_left_is_let_go_before_a_new_timer_is_made(host):
    done = host("__upgrade_remind", "90", answer=NOT_PAUSED)
    made = f"systemd-run --quiet --unit={UNIT} --on-active=90"
    assert (done.status, done.asked) == (0, ["console resume", f"systemctl --quiet stop {UNIT}.timer", made])
    assert host("__upgrade_remind", "90", answer=DOWN).status == 1


def test_systemd_passes_the_words_of_the_timer_on_as_they_are():
    assert "${" not in VARIABLES["__upgrade_release"] and "$$" not in VARIABLES["__upgrade_release"]


def test_the_timer_stands_from_before_the_pause_to_the_stop_of_the_pooler():
    texts = [str(task) for task in tasks(load(ROOT / "roles/upgrade/tasks/close.yml"))]
    marks = ("__upgrade_remind", "__upgrade_hold", "'state': 'stopped'")
    made, held, stopped = [next(number for number, text in enumerate(texts) if mark in text) for mark in marks]
    ended = max(number for number, text in enumerate(texts) if "'{{ __upgrade_let_go }}'" in text)
    assert made < held < stopped < ended
