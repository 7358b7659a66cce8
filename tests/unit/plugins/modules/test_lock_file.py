# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A lock that one run has: made at once, refused with its owner, replaced by its name only."""

from __future__ import annotations

import json

import pytest
from ansible_collections.mainstay.platform.plugins.modules import lock_file


@pytest.fixture
def lock(tmp_path, run_module):
    path = tmp_path / "new" / "deploy.lock"

    def act(state="held", run="one", **options):
        return run_module("lock_file", path=str(path), state=state, run=run, owner=f"{run}@host", **options)

    act.path = path
    return act


def test_the_first_holds_it_and_the_second_is_told_by_whom(lock):
    assert lock(reason="2.0.0")["changed"]
    assert not lock()["changed"]  # the same run again
    found = lock(run="two", remedy="wait")
    assert found["failed"]
    at = json.loads(lock.path.read_text())["at"]
    assert found["msg"].endswith(f"found it held by one@host since {at} (2.0.0), expected nobody; wait")
    assert lock("read")["holder"]["run"] == "one"


def test_it_is_let_go_by_its_own_run_only(lock):
    lock()
    assert not lock("free", run="two")["changed"]
    assert lock.path.exists()
    assert lock("free")["changed"]
    assert list(lock.path.parent.iterdir()) == []
    assert lock("read")["holder"] == {}


def test_it_is_taken_over_by_the_name_of_its_run_only(lock):
    lock()
    assert lock(run="two", replaces="three")["failed"]
    found = lock(run="two", replaces="one")
    assert found["replaced"]["owner"] == "one@host" and found["holder"]["run"] == "two"


def test_of_two_that_take_it_over_one_does(lock, tmp_path):
    lock()
    lock_file.put_aside(str(lock.path), "another")  # who was quicker has it already
    assert lock("read")["holder"]["run"] == "one"


@pytest.mark.parametrize("text", ["{", "", "[]", "{}"])
def test_a_lock_that_nobody_can_read_is_one_and_can_be_broken(lock, text):
    lock.path.parent.mkdir()
    lock.path.write_text(text)
    assert "held by somebody" in lock()["msg"]
    holder = lock("read")["holder"]
    assert lock(replaces=holder["run"])["replaced"]["owner"] == "somebody"
    assert lock("read")["holder"]["run"] == "one"


def test_a_dry_run_takes_nothing(lock):
    assert lock(_ansible_check_mode=True)["changed"]
    assert not lock.path.exists()
