# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The dead man's switch, with real files and a systemd that plays test."""

from __future__ import annotations

import os
import subprocess

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils._guard import Guard


class Host:
    """Runs words for real but for systemd, whose timer it plays."""

    def __init__(self):
        self.ticking = ""

    def __call__(self, words):
        if words[0] == "systemd-run":
            self.ticking = words[-1]
            return 0, "", ""
        if words[:2] == ["systemctl", "is-active"]:
            return (0 if self.ticking else 3), "", ""
        if words[:2] == ["systemctl", "stop"]:
            self.ticking = ""
            return 0, "", ""
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def end(self):
        """The time is over."""
        script, self.ticking = self.ticking, ""
        subprocess.run(["sh", script], check=True)


@pytest.fixture
def place(tmp_path):
    door = tmp_path / "door"
    door.mkdir()
    (door / "old").write_text("old")
    os.chmod(door / "old", 0o640)
    (tmp_path / "single").write_text("one")
    return tmp_path


@pytest.fixture
def armed(place):
    host = Host()
    guard = Guard(host, "test", str(place / "guard"))
    paths = [str(place / "door"), str(place / "single"), str(place / "new file")]
    assert guard.arm(paths, f"touch {place}/reverted", 30) == ""
    (place / "door" / "old").write_text("changed")
    (place / "door" / "added").write_text("x")
    (place / "single").unlink()
    (place / "new file").write_text("x")
    return host, guard, place


def assert_old(place):
    assert (place / "door" / "old").read_text() == "old"
    assert (place / "door" / "old").stat().st_mode & 0o777 == 0o640
    assert not (place / "door" / "added").exists() and not (place / "new file").exists()
    assert (place / "single").read_text() == "one"
    assert (place / "reverted").exists()


def test_the_old_state_returns_by_itself(armed):
    host, guard, place = armed
    host.end()
    assert_old(place)
    assert guard.confirm() is False, "it is too late to keep the change"


def test_a_confirmed_change_stays(armed):
    host, guard, place = armed
    assert guard.confirm() is True
    assert host.ticking == "" and not (place / "guard" / "test").exists()
    assert (place / "door" / "old").read_text() == "changed" and (place / "door" / "added").exists()


def test_the_old_state_can_be_had_at_once(armed):
    host, guard, place = armed
    guard.restore()
    assert_old(place)
    assert host.ticking == ""


def test_restoring_twice_does_nothing(armed):
    _host, guard, place = armed
    guard.restore()
    (place / "single").write_text("later")
    guard.restore()
    assert (place / "single").read_text() == "later"


def test_two_runs_cannot_use_one_switch(armed):
    _host, guard, place = armed
    assert "another run" in guard.arm([str(place / "single")], ":", 30)
    assert guard.confirm() is True


def test_what_cannot_be_saved_is_not_changed(place):
    host = Host()

    def run(words):
        return (2, "", "disk full") if words[0] == "tar" else host(words)

    assert "disk full" in Guard(run, "test", str(place / "guard")).arm([str(place / "single")], ":", 30)
    assert host.ticking == ""


def test_what_is_saved_is_root_s_only(armed):
    _host, guard, _place = armed
    assert os.stat(guard.folder).st_mode & 0o077 == 0
