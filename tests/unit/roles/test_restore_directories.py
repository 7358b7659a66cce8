# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a restore and its back-out move directories: what was served is kept, what is half removed is nobody's."""

from __future__ import annotations

import subprocess

import pytest
from repository import ROOT, load

VARS = load(ROOT / "roles/restore/vars/main.yml")


def put_back(path, left):
    words = [str(path / name) for name in ("data", "data.before-restore", "data.restoring")]
    subprocess.run(["sh", "-c", VARS["__restore_put_back"], "back", *words, left and str(path / left)], check=True)
    return {each.name: (each / "rows").read_text() for each in path.iterdir()}


@pytest.fixture
def restored(tmp_path):
    for name, text in {"data": "restored", "data.before-restore": "former"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "rows").write_text(text)
        (tmp_path / name / "PG_VERSION").touch()
    return tmp_path


def test_a_back_out_keeps_what_clients_may_have_written(restored):
    assert put_back(restored, "left") == {"data": "former", "left": "restored"}


def test_it_removes_what_nobody_has_written_to(restored):
    assert put_back(restored, "") == {"data": "former"}


def test_it_removes_a_copy_that_was_not_complete(restored):
    (restored / "data.restoring").touch()
    assert put_back(restored, "left") == {"data": "former"}


def test_it_goes_on_where_it_was_killed_between_the_two(restored):
    (restored / "data").rename(restored / "left")
    assert put_back(restored, "left.later") == {"data": "former", "left": "restored"}


def test_a_member_without_former_data_keeps_them_too(restored):
    subprocess.run(["rm", "-r", str(restored / "data.before-restore")], check=True)
    assert put_back(restored, "left") == {"left": "restored"}


def test_a_member_whose_former_data_are_half_removed_is_left_empty_and_copies(restored):
    (restored / "data.before-restore/PG_VERSION").unlink()
    assert put_back(restored, "left") == {"left": "restored", "data.before-restore": "former"}


def test_former_data_that_are_half_removed_are_nobodys(tmp_path):
    aside, data = tmp_path / "data.before-restore", tmp_path / "data"
    (aside / "base").mkdir(parents=True)
    data.mkdir()
    (data / "PG_VERSION").touch()
    words = [VARS["__restore_put_aside"], "aside", str(data), str(aside), str(tmp_path / "data.restoring")]
    subprocess.run(["sh", "-c", *words], check=True)
    assert not (aside / "data").exists() and len(list(tmp_path.glob("data.before-restore.*/PG_VERSION"))) == 1
    (aside / "PG_VERSION").touch()
    subprocess.run(["sh", "-c", VARS["__restore_remove"], "remove", str(aside)], check=True)
    assert not aside.exists()
