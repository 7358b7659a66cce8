# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a stopped server has not archived reaches the repository before its data are set aside, or nothing is."""

from __future__ import annotations

import subprocess

import pytest
from repository import ROOT, load

HAND_OVER = load(ROOT / "roles/restore/vars/main.yml")["__restore_hand_over"]


@pytest.fixture
def data(tmp_path):
    status = tmp_path / "data/pg_wal/archive_status"
    status.mkdir(parents=True)
    (tmp_path / "data/PG_VERSION").touch()
    for name in ("A.ready", "B.ready", "C.done"):
        (status / name).touch()
    return tmp_path / "data"


def hand_over(data, push, get, known='"system-id":77,', own="Database system identifier:  77"):
    """With a pgBackRest whose two commands end so, and whose repository knows a cluster."""
    program, control = data.parent / "pgbackrest", data.parent / "pg_controldata"
    cases = f"*archive-push*) {push} ;; *archive-get*) {get} ;; *) echo '{known}' ;;"
    program.write_text(f'#!/bin/sh\ncase "$*" in {cases} esac\n')
    control.write_text(f"#!/bin/sh\necho 'pg_control version number:  1700'\necho '{own}'\n")
    for path in (program, control):
        path.chmod(0o755)
    words = ["sh", "-c", HAND_OVER, "hand-over", str(data), "apg", "1", str(data.parent)]
    return subprocess.run(words, env={"PATH": f"{data.parent}:/usr/bin:/bin"}, capture_output=True, text=True)


def ready(data):
    return sorted(path.name for path in (data / "pg_wal/archive_status").glob("*.ready"))


def test_it_is_archived_once(data):
    first, second = hand_over(data, "exit 0", "exit 1"), hand_over(data, "exit 0", "exit 1")
    assert (first.returncode, first.stdout.split(), ready(data)) == (0, ["A", "B"], [])
    assert (second.returncode, second.stdout) == (0, "")


def test_another_repository_may_refuse_it(data):
    done = hand_over(data, "exit 103", "exit 0")
    assert (done.returncode, done.stdout, ready(data)) == (0, "", ["A.ready", "B.ready"])


@pytest.mark.parametrize("known", ['"system-id":78,', '"system-id":777,', '"system-id":7}'])
def test_the_repository_of_another_cluster_misses_nothing(data, known):
    """As when hosts are new, and begin a cluster that the restored one replaces."""
    done = hand_over(data, "exit 103", "exit 1", known)
    assert (done.returncode, done.stdout, ready(data)) == (0, "", ["A.ready", "B.ready"])


def test_data_that_do_not_say_whose_they_are_end_the_restore(data):
    done = hand_over(data, "exit 0", "exit 0", own="broken")
    assert done.returncode != 0 and "expected the system identifier" in done.stderr
    assert ready(data) == ["A.ready", "B.ready"]


def test_a_repository_that_says_nothing_of_clusters_is_no_excuse(data):
    assert hand_over(data, "exit 103", "exit 1", "[]").returncode == 1


def test_what_is_nowhere_else_ends_the_restore(data):
    done = hand_over(data, "exit 82", "exit 1")
    assert done.returncode == 1 and "WAL A B: found not in the repository" in done.stderr


def test_a_member_without_data_has_nothing(tmp_path):
    assert hand_over(tmp_path / "none", "exit 1", "exit 1").returncode == 0
