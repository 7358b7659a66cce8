# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os


def test_files_are_judged_by_the_newest(run_module, tmp_path):
    old, new = tmp_path / "1.gz", tmp_path / "2.gz"
    old.write_text("")
    os.utime(old, (0, 0))
    new.write_text("data")
    result = run_module("backup_check", files=[{"pattern": f"{tmp_path}/*.gz"}])
    assert (result["changed"], result["files"][0]["path"], result["files"][0]["count"]) == (False, str(new), 2)


def test_a_missing_file_is_a_failure(run_module, tmp_path):
    result = run_module("backup_check", files=[{"pattern": f"{tmp_path}/*.gz"}])
    assert result["failed"] and "found none; expected one" in result["msg"]


def test_nothing_to_check_is_refused(run_module):
    result = run_module("backup_check")
    assert result["failed"] and "stanza" in result["msg"]
