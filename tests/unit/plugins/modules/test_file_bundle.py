# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import grp
import json
import os
import pwd

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.mainstay.platform.plugins.modules import file_bundle


@pytest.fixture
def write(capsys):
    """Run the module on files and give back its answer."""
    owner = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}

    def run(*files, check=False):
        arguments = {"files": [owner | item for item in files], "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            file_bundle.main()
        return json.loads(capsys.readouterr().out)

    return run


def test_files_are_written_once(write, tmp_path):
    files = [
        {"path": str(tmp_path / "new/a.conf"), "content": "x"},
        {"path": str(tmp_path / "b"), "content": "y\n", "mode": "0600"},
    ]
    first, second = write(*files), write(*files)
    assert first["changed_files"] == [item["path"] for item in files]
    assert (tmp_path / "new/a.conf").read_text() == "x\n"
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
    assert second["changed"] is False and second["changed_files"] == []


def test_check_mode_writes_nothing(write, tmp_path):
    answer = write({"path": str(tmp_path / "a"), "content": "x"}, check=True)
    assert answer["changed"] and answer["diff"][0]["after"] == "x\n"
    assert not (tmp_path / "a").exists()


def test_a_mode_alone_is_put_right(write, tmp_path):
    path = tmp_path / "a"
    path.write_text("x\n")
    path.chmod(0o666)
    assert write({"path": str(path), "content": "x"})["changed_files"] == [str(path)]
    assert path.stat().st_mode & 0o777 == 0o644


def test_one_refused_file_keeps_all_old_ones(write, tmp_path):
    good, bad = tmp_path / "good", tmp_path / "bad"
    bad.write_text("old\n")
    refused = {"path": str(bad), "content": "y", "validate": "grep -q expected %s"}
    answer = write({"path": str(good), "content": "x"}, refused)
    assert answer["failed"] and str(bad) in answer["msg"] and "No file was replaced" in answer["msg"]
    assert bad.read_text() == "old\n" and not good.exists()


def test_a_refusal_by_number_says_how_the_line_begins_and_no_more_of_it(write, tmp_path):
    path = tmp_path / "a"
    words = "sh -c 'echo $0 line 2: no such word, line 9 neither; exit 1' %s"
    answer = write({"path": str(path), "content": "first\n  Second secret\n", "validate": words})
    assert f"{path} line 2 (Second): no such word, line 9 neither" in answer["msg"]
    assert "secret" not in answer["msg"]


def test_an_absent_file_goes_once(write, tmp_path):
    path = tmp_path / "a"
    path.write_text("x\n")
    asked = {"path": str(path), "state": "absent"}
    assert write(asked, check=True)["changed"] and path.exists()
    first, second = write(asked), write(asked)
    assert first["changed_files"] == [str(path)] and first["diff"][0]["after"] == ""
    assert not path.exists() and second["changed"] is False
