# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a reload of the edge does first: note which servers are drained, or leave what was noted before."""

from __future__ import annotations

import os
import subprocess

import pytest
from repository import render_with

CONFIG = """backend api
    server app1 192.0.2.1:8000
    server app2 192.0.2.2:8001
"""
HEAD = (
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state "
    "bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord\n"
)
DRAINED = "3 api 1 app1 192.0.2.1 2 8 7 1 60 6 3 4 6 0 0 0 - 8000 -\n"
MOVED = "3 api 2 app2 192.0.2.2 2 0 1 1 60 6 3 4 6 0 0 0 - 8000 -\n"
ALL = f"{HEAD}{DRAINED}{MOVED}\n"
BEFORE = "what was noted before\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    path = tmp_path_factory.mktemp("keep-state")
    variables = {
        "role": "haproxy",
        "host": "edge1",
        "templates": ["keep-state"],
        "out": str(path),
        **{f"__haproxy_{name}": str(path / name) for name in ("config", "socket", "state")},
    }
    done = render_with("render_role.yml", variables)
    assert done.returncode == 0, done.stdout + done.stderr
    (path / "config").write_text(CONFIG)
    (path / "bin").mkdir()
    (path / "bin/socat").write_text('#!/bin/sh\ncat >said\nprintf %s "$ANSWER"\nexit "$STATUS"\n')
    (path / "bin/socat").chmod(0o755)
    return path


def keep(place, answer, status=0):
    environment = {
        **os.environ,
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "ANSWER": answer,
        "STATUS": str(status),
    }
    return subprocess.run(
        ["sh", place / "keep-state"], cwd=place, env=environment, capture_output=True, text=True, check=False
    )


def test_the_next_process_learns_who_is_drained_and_nothing_of_who_has_moved(place):
    (place / "state").write_text(BEFORE)
    done = keep(place, ALL)
    assert (done.returncode, done.stderr) == (0, "")
    assert (place / "said").read_text() == "show servers state\n"
    assert (place / "state").read_text().strip() == f"{HEAD}{DRAINED}".strip()


@pytest.mark.parametrize(
    ("answer", "status"),
    [("", 1), ("", 0), ("Permission denied\n\n", 0), (ALL, 1)],
    ids=["nobody answers", "nothing is said", "it refuses", "it breaks off"],
)
def test_what_was_noted_before_stays_and_the_reload_goes_on(place, answer, status):
    (place / "state").write_text(BEFORE)
    done = keep(place, answer, status)
    assert done.returncode == 0 and f"{place / 'socket'}: found no state of its servers" in done.stderr
    assert (place / "state").read_text() == BEFORE


def test_a_configuration_that_cannot_be_read_is_no_reason_to_forget(place):
    (place / "state").write_text(BEFORE)
    (place / "config").rename(place / "aside")
    try:
        done = keep(place, ALL)
    finally:
        (place / "aside").rename(place / "config")
    assert done.returncode == 0 and "found no state of its servers" in done.stderr
    assert (place / "state").read_text() == BEFORE
