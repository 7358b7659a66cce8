# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The history of releases is one file, replaced as a whole."""

from __future__ import annotations

import json

INSTANCE = {"name": "api-1", "container": {"image": "api:1", "labels": {"mainstay.config": "mark"}}}
ENTRY = {
    "release": "1-a",
    "result": "live",
    "by": "me",
    "act": "deploy",
    "images": {"api:1": "sha256:1"},
    "instances": [INSTANCE],
}


def test_acts_are_remembered_once_and_without_marks(tmp_path, run_module):
    path = tmp_path / "releases.json"
    assert run_module("release_history", path=str(path))["records"] == []
    assert run_module("release_history", path=str(path), entry=ENTRY)["changed"]
    (record,) = json.loads(path.read_text())
    assert record["instances"] == [{"name": "api-1", "container": {"image": "api:1"}}]
    assert record["at"].endswith("+00:00") and (record["by"], record["act"]) == ("me", "deploy")
    assert not run_module("release_history", path=str(path), entry=ENTRY | {"by": "you"})["changed"]
    assert run_module("release_history", path=str(path))["records"] == [record]


def test_a_dry_run_writes_nothing(tmp_path, run_module):
    found = run_module("release_history", path=str(tmp_path / "r.json"), entry=ENTRY, _ansible_check_mode=True)
    assert found["changed"] and not (tmp_path / "r.json").exists()


def test_images_of_releases_that_go_are_named(tmp_path, run_module):
    path = str(tmp_path / "releases.json")
    for number in range(4):
        entry = ENTRY | {"release": f"{number}-a", "images": {f"api:{number}": f"sha256:{number}"}}
        found = run_module("release_history", path=path, entry=entry, keep=3)
    assert found["forgotten"] == ["sha256:0"]


def test_a_broken_file_is_named_with_the_remedy(tmp_path, run_module):
    (tmp_path / "r.json").write_text("[")
    found = run_module("release_history", path=str(tmp_path / "r.json"))
    assert found["failed"] and "expected the records of releases; put a copy back" in found["msg"]
