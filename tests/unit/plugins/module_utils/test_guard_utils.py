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


def test_what_is_no_file_returns_too(place):
    host = Host()
    guard = Guard(host, "test", str(place / "guard"))
    (place / "kernel").write_text("old rules\n")
    revert = f'test "$(cat {place}/single)" = one && cat "$dumped" >{place}/kernel'
    assert guard.arm([str(place / "single")], revert, 30, f"cat {place}/kernel") == ""
    for name in ("single", "kernel"):
        (place / name).write_text("changed")
    host.end()
    assert (place / "kernel").read_text() == "old rules\n"


def test_what_was_not_there_goes_where_nothing_was(place):
    host = Host()
    assert Guard(host, "test", str(place / "guard")).arm([str(place / "first")], ":", 30) == ""
    (place / "first").touch()
    host.end()
    assert not (place / "first").exists()


def test_what_cannot_be_dumped_is_not_changed(place):
    host = Host()
    wrong = Guard(host, "test", str(place / "guard")).arm([str(place / "single")], ":", 30, "echo no table >&2; false")
    assert "no table" in wrong and host.ticking == ""


def test_a_confirmed_change_stays(armed):
    host, guard, place = armed
    assert guard.confirm() is True
    assert host.ticking == "" and not (place / "guard" / "test").exists()
    assert (place / "door" / "old").read_text() == "changed" and (place / "door" / "added").exists()


def test_the_old_state_can_be_had_at_once(armed):
    host, guard, place = armed
    assert guard.restore() == ""
    assert_old(place)
    assert host.ticking == ""


def test_restoring_twice_does_nothing(armed):
    _host, guard, place = armed
    guard.restore()
    (place / "single").write_text("later")
    guard.restore()
    assert (place / "single").read_text() == "later"


def test_what_was_written_after_the_time_was_over_goes_too(armed):
    host, guard, place = armed
    host.end()
    (place / "single").write_text("a step that was late")
    assert guard.restore() == ""
    assert_old(place)


@pytest.mark.parametrize("first", ["confirm", "restore"])
def test_only_one_of_confirmation_and_return_happens(armed, first):
    """The timer stays active while its service works; who has the archive decides."""
    _host, guard, place = armed
    script = place / "guard" / "test" / "restore"
    if first == "confirm":
        text = script.read_text()
        assert guard.confirm() is True
        script.parent.mkdir()
        script.write_text(text)
        assert subprocess.run(["sh", script], check=False, capture_output=True).returncode == 3
        assert "no old state" in guard.restore()
        assert (place / "door" / "old").read_text() == "changed"
    else:
        os.rename(script.parent / "saved.tar", script.parent / "returning.tar")
        assert guard.confirm() is False and "returning right now" in guard.restore()
        assert (script.parent / "returning.tar").exists()


def test_a_return_that_fails_says_so_and_keeps_the_archive(place):
    guard = Guard(Host(), "test", str(place / "guard"))
    assert guard.arm([str(place / "single")], f"test -e {place}/mended", 30) == ""
    assert "status 1" in guard.restore() and guard.confirm() is False
    guard.run(["systemctl", "stop"])
    assert "did not come back whole" in guard.arm([str(place / "single")], ":", 30)
    (place / "mended").touch()
    (place / "single").write_text("changed")
    assert guard.restore() == "" and (place / "single").read_text() == "one"


def test_lists_are_in_the_order_of_bytes(place):
    """Names that a locale would order otherwise."""
    for name in ("a", "B", "_x"):
        (place / "door" / name).write_text(name)
    guard = Guard(Host(), "test", str(place / "guard"))
    assert guard.arm([str(place / "door")], ":", 30) == ""
    listed = (place / "guard" / "test" / "listed").read_bytes().splitlines()
    assert listed == sorted(listed)
    assert "export LC_ALL=C" in (place / "guard" / "test" / "restore").read_text()


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
