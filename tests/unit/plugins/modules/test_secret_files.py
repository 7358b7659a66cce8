# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os

SECRET = "a-value-that-nobody-sees"


def given(path, **files):
    return [{"path": str(path), "uid": os.getuid(), "gid": os.getgid(), "files": files}]


def test_a_directory_holds_exactly_what_is_named(run_module, tmp_path):
    folder = tmp_path / "new" / "secrets"
    first = run_module("secret_files", directories=given(folder, KEY=SECRET, OLD=SECRET))
    assert first["changed"] and first["written"] == [str(folder / "KEY"), str(folder / "OLD")]
    assert (folder / "KEY").read_text() == SECRET
    assert (folder / "KEY").stat().st_mode & 0o777 == 0o440
    assert folder.stat().st_mode & 0o777 == 0o550
    second = run_module("secret_files", directories=given(folder, KEY=SECRET))
    assert second["changed"] and second["removed"] == [str(folder / "OLD")]
    assert run_module("secret_files", directories=given(folder, KEY=SECRET))["changed"] is False


def test_a_mode_that_was_opened_is_closed(run_module, tmp_path):
    run_module("secret_files", directories=given(tmp_path / "s", KEY=SECRET))
    (tmp_path / "s" / "KEY").chmod(0o644)
    assert run_module("secret_files", directories=given(tmp_path / "s", KEY=SECRET))["changed"] is True
    assert (tmp_path / "s" / "KEY").stat().st_mode & 0o777 == 0o440


def test_a_link_is_replaced_and_never_followed(run_module, tmp_path):
    target = tmp_path / "target"
    target.write_text("stays")
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "KEY").symlink_to(target)
    run_module("secret_files", directories=given(tmp_path / "s", KEY=SECRET))
    assert target.read_text() == "stays" and not (tmp_path / "s" / "KEY").is_symlink()


def test_check_mode_writes_nothing_and_no_answer_holds_a_secret(run_module, tmp_path):
    answer = run_module("secret_files", directories=given(tmp_path / "s", KEY=SECRET), _ansible_check_mode=True)
    assert answer["changed"] and not (tmp_path / "s").exists()
    assert SECRET not in str(answer)


def test_a_name_that_leaves_the_directory_is_refused(run_module, tmp_path):
    answer = run_module("secret_files", directories=given(tmp_path / "s", **{"../KEY": SECRET}))
    assert answer["failed"] and "expected plain names" in answer["msg"]


def test_a_directory_that_nobody_names_any_more_goes_with_its_secrets(run_module, tmp_path):
    root = tmp_path / "secrets"
    run_module("secret_files", directories=[*given(root / "new", KEY=SECRET), *given(root / "old", KEY=SECRET)])
    only = {"directories": given(root / "new", KEY=SECRET), "root": str(root)}
    foreseen = run_module("secret_files", **only, _ansible_check_mode=True)
    assert foreseen["removed"] == [str(root / "old")] and (root / "old").is_dir()
    assert run_module("secret_files", **only)["removed"] == [str(root / "old")]
    assert [path.name for path in root.iterdir()] == ["new"]
    assert run_module("secret_files", **only)["changed"] is False
