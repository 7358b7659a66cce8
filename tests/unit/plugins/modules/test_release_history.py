# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The history of releases is one file, replaced as a whole."""

from __future__ import annotations

import json
import resource

import pytest

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


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no JSON"),
        ('[{"release": "1-a", "resu', "no JSON"),
        ("{}", "a dict instead of a list"),
        ("null", "a NoneType instead of a list"),
        ('[{"release": "1-a", "result": "live", "images": {}}]', "record 1 without instances"),
        ('["1-a"]', "record 1 without release, result, images, instances"),
    ],
)
def test_a_damaged_file_is_none_without_releases(tmp_path, run_module, text, says):
    path = tmp_path / "r.json"
    path.write_text(text)
    for arguments in ({}, {"entry": ENTRY}):
        found = run_module("release_history", path=str(path), **arguments)
        assert found["failed"] and f"found {says}" in found["msg"]
        assert "expected the records of releases; put a copy back" in found["msg"]
    assert path.read_text() == text


@pytest.fixture
def room():
    """A function that lets no file grow beyond so many bytes, as a full disk would: what comes later is not written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size=soft: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_what_there_was(tmp_path, run_module, room):
    path = tmp_path / "r.json"
    run_module("release_history", path=str(path), entry=ENTRY)
    before = path.read_text()
    room(100)
    found = run_module("release_history", path=str(path), entry={**ENTRY, "release": "2-a"})
    room()
    assert found["failed"] and "Make room or mend the disk" in found["msg"]
    assert path.read_text() == before
    # What was begun beside it is in nobody's way.
    assert run_module("release_history", path=str(path), entry={**ENTRY, "release": "2-a"})["changed"]
    assert [item["release"] for item in json.loads(path.read_text())] == ["1-a", "2-a"]
    assert [item.name for item in tmp_path.iterdir()] == ["r.json"]
