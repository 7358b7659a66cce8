"""What Patroni calls before it stops PostgreSQL: quick while a switchover holds statements, else nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / "roles/postgresql/files/mainstay-before-stop"


@pytest.fixture
def postmaster(tmp_path):
    process = subprocess.Popen(["sleep", "60"])
    threading.Thread(target=process.wait, daemon=True).start()  # as the init of a host does
    (tmp_path / "postmaster.pid").write_text(f"{process.pid}\n/data\n")
    yield process
    process.kill()


def call(tmp_path):
    return subprocess.run(["sh", str(PROGRAM), str(tmp_path / "marker"), str(tmp_path)], check=False, timeout=10)


def test_it_leaves_postgresql_alone_without_a_switchover(tmp_path, postmaster):
    assert call(tmp_path).returncode == 0
    assert postmaster.poll() is None


def test_it_leaves_postgresql_alone_where_a_killed_run_left_the_marker(tmp_path, postmaster):
    (tmp_path / "marker").touch()
    os.utime(tmp_path / "marker", (time.time() - 300,) * 2)
    assert call(tmp_path).returncode == 0
    assert postmaster.poll() is None


def test_it_asks_for_a_fast_shutdown_and_waits_for_its_end(tmp_path, postmaster):
    (tmp_path / "marker").touch()
    assert call(tmp_path).returncode == 0
    assert postmaster.wait(1) == -signal.SIGINT
