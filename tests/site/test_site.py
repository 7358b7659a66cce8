"""The main promise, on a real lab, in the order of a life: built, killed, run again, asked, broken, recovered.

The tests run in the order in which they stand; each leaves the lab whole.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

from tests.lab import ROOT, Lab

KILL_AT = "Build the PostgreSQL cluster"
BUILD_LOG = ROOT / ".cache" / "site-build.log"


def test_the_lab_is_built_from_nothing(lab: Lab):
    assert lab.run(*lab.make("lab-down")).status == 0
    with BUILD_LOG.open("w") as log:
        built = subprocess.run(
            lab.make("lab"), cwd=ROOT, env=lab.env, stdout=log, stderr=subprocess.STDOUT, timeout=2400
        )
    assert built.returncode == 0, BUILD_LOG.read_text()[-12000:]


def test_every_gate_passed(lab: Lab):
    found = json.loads((lab.state / "findings.json").read_text())["findings"]
    assert {finding["host"] for finding in found} == set(lab.hosts)
    assert [finding for finding in found if finding["verdict"] == "fail"] == []
    assert len(found) > 5 * len(lab.hosts)


def test_a_second_run_changes_nothing(lab: Lab):
    run = lab.playbook("site")
    assert run.status == 0, run.tail()
    assert run.changed == {}, run.output
    assert set(run.recap) == set(lab.hosts)


def test_check_mode_on_the_running_lab_changes_nothing(lab: Lab):
    run = lab.playbook("site", "--check")
    assert run.status == 0, run.tail()
    assert run.changed == {}, run.output


def test_verify_alone_passes(lab: Lab):
    run = lab.playbook("verify")
    assert run.status == 0, run.tail()
    assert run.changed == {}
    assert ", 0 failed" in run.output


def test_a_run_killed_in_the_middle_is_finished_by_the_next(lab: Lab):
    """SIGKILL of the first run while it builds PostgreSQL; `make lab` again ends with every gate passed."""
    assert lab.run(*lab.make("lab-down")).status == 0
    with BUILD_LOG.open("w") as log:
        env = lab.env | {"ANSIBLE_VERBOSITY": "3"}
        first = subprocess.Popen(
            lab.make("lab"), cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        deadline = time.monotonic() + 1500
        while KILL_AT not in BUILD_LOG.read_text(errors="replace"):
            assert first.poll() is None, f"make lab ended early: {BUILD_LOG.read_text()[-4000:]}"
            assert time.monotonic() < deadline, "make lab did not come as far as PostgreSQL"
            time.sleep(1)
        time.sleep(10)  # into the play, not at its edge
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
        second = subprocess.run(lab.make("lab"), cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT, timeout=2400)
    assert second.returncode == 0, BUILD_LOG.read_text()[-6000:]
