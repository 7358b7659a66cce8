# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import copy

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils._backup import judge_files, judge_stanza, judge_wal
from ansible_collections.mainstay.platform.plugins.module_utils._backup_client import BackupError, pgbackrest, read_wal

HOUR = 3600
NOW = 1_000_000 * HOUR
LIMITS = {"max_backup_age_hours": 26, "max_full_age_hours": 170, "encrypted": True}


def backup(kind, label, age, start="000000010000000000000005", **more):
    archive = {"start": start, "stop": start}
    return {
        "type": kind,
        "label": label,
        "timestamp": {"stop": NOW - age * HOUR},
        "archive": archive,
        "database": {"id": 1},
        "error": False,
        **more,
    }


INFO = {
    "name": "t",
    "archive": [
        {"id": "17-1", "database": {"id": 1}, "min": "000000010000000000000005", "max": "000000010000000000000009"}
    ],
    "backup": [backup("full", "F1", 30), backup("incr", "F1_I1", 2, "000000010000000000000008")],
    "repo": [{"key": 1, "cipher": "aes-256-cbc", "status": {"code": 0, "message": "ok"}}],
}


def judged(limits=None, **changes):
    return judge_stanza([{**copy.deepcopy(INFO), **changes}], "t", {**LIMITS, **(limits or {})}, NOW)


def test_a_healthy_stanza():
    found = judged()
    assert (found["problems"], found["label"], found["backup_age_hours"], found["full_age_hours"]) == (
        [],
        "F1_I1",
        2,
        30,
    )
    assert found["wal_start"] == "000000010000000000000005"


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"limits": {"max_backup_age_hours": 1}}, "found the newest backup F1_I1 2.0 hours old; expected at most 1"),
        ({"limits": {"max_full_age_hours": 24}}, "found the newest full backup F1 30.0 hours old"),
        ({"repo": [{"key": 1, "cipher": "none", "status": {"code": 0}}]}, "repository 1: found no encryption"),
        (
            {"repo": [{"key": 2, "cipher": "aes", "status": {"code": 6, "message": "bad"}}]},
            "in repository 2: found status 'bad'",
        ),
        ({"archive": []}, "found no archived WAL"),
        ({"archive": [{"database": {"id": 1}, "max": "000000010000000000000007"}]}, "found WAL archived up to"),
        ({"backup": [*INFO["backup"], backup("incr", "bad", 1, error=True)]}, "backup bad: found page checksum errors"),
    ],
)
def test_faults_of_a_stanza(changes, message):
    found = judged(**changes)["problems"]
    assert len(found) == 1
    assert message in found[0]


def test_a_later_timeline_covers_an_earlier_segment():
    archive = [{"database": {"id": 1}, "max": "000000020000000000000009"}]
    assert judged(archive=archive)["problems"] == []


def test_a_stanza_without_backups_or_at_all():
    assert len(judged(backup=[])["problems"]) == 2
    assert "stanza x: found none" in judge_stanza([], "x", LIMITS, NOW)["problems"][0]


def paths(*numbers, timeline=1):
    return [f"{timeline:08X}{n // 256:08X}/{timeline:08X}{n // 256:08X}{n % 256:08X}-{'a' * 40}.zst" for n in numbers]


@pytest.mark.parametrize(
    "listed, segments, gaps",
    [
        (paths(5, 6, 7), 3, 0),
        (paths(3, 5, 6), 2, 0),  # a gap before the newest full backup does not matter
        (paths(5, 7), 2, 1),
        (paths(5, 9, 11), 3, 2),
        (paths(255, 256, 257), 3, 0),
        (paths(5, 6) + paths(6, 7, timeline=2), 3, 0),
        ([*paths(5), "0000000100000000/000000010000000000000005.00000028.backup", "00000002.history"], 1, 0),
        ([], 0, 0),
    ],
)
def test_judge_wal_counts_segments_and_gaps(listed, segments, gaps):
    found = judge_wal(listed, "000000010000000000000005")
    assert (found["wal_segments"], len(found["problems"])) == (segments, gaps)


WANTED = {"pattern": "/b/*.gz", "max_age_hours": 26, "min_bytes": 10}


@pytest.mark.parametrize(
    "files, message",
    [
        ([], "files /b/*.gz: found none"),
        ([{"path": "/b/1.gz", "mtime": NOW - 30 * HOUR, "size": 99}], "found it 30.0 hours old"),
        ([{"path": "/b/1.gz", "mtime": NOW, "size": 9}], "found 9 bytes; expected at least 10"),
        (
            [{"path": "/b/1.gz", "mtime": NOW - 99 * HOUR, "size": 1}, {"path": "/b/2.gz", "mtime": NOW, "size": 10}],
            None,
        ),
    ],
)
def test_judge_files_looks_at_the_newest(files, message):
    found = judge_files([WANTED], {"/b/*.gz": files}, NOW)["problems"]
    assert found == [] if message is None else message in found[0]


def test_pgbackrest_failures_are_named():
    with pytest.raises(BackupError, match="pgbackrest info: found code 28 \\(ERROR: no\\)"):
        pgbackrest(lambda command, cwd: (28, "", "ERROR: no\n"), "", ["info"])
    with pytest.raises(BackupError, match="not JSON"):
        pgbackrest(lambda command, cwd: (0, "text", ""), "", ["info"])


def test_read_wal_lists_the_newest_database():
    seen = []

    def run(command, cwd):
        seen.extend(command)
        return 0, '{"a": {}}', ""

    assert read_wal(run, "", "t", [INFO]) == ["a"]
    assert seen[-1] == "archive/t/17-1"
    assert read_wal(run, "", "other", [INFO]) == []
