# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What mainstay-backup decides: targets, marker against copy, verdicts, retention, texts."""

from __future__ import annotations

import json
import os
import sys
from types import SimpleNamespace

import pytest
from repository import ROOT, load

FILES = ROOT / "roles" / "backup" / "files"
sys.path.insert(0, str(FILES))

from mainstay_backup import cli, common, database, drill, dumps, listing, marker, metrics, storage, targets  # noqa: E402
from mainstay_backup.common import Problem  # noqa: E402

DAY = 86400
NOW = targets.moment("2026-11-21 16:00:00")
AT = {name: targets.moment(f"2026-11-{name} 01:00:10") for name in ("15", "18", "21")}


def backup(day, kind, lsn, timeline=1):
    label = f"202611{day}-010000F" if kind == "full" else f"20261115-010000F_202611{day}-010000D"
    stop = AT[day]
    return {"label": label, "type": kind, "start": stop - 10, "stop": stop, "lsn": lsn, "timeline": timeline}


BACKUPS = [backup("15", "full", "0/2000100"), backup("18", "diff", "0/9000100"), backup("21", "full", "1/100")]
POINTS = [
    {"name": "20261118_010012", "time": AT["18"] + 2, "lsn": "0/9000200", "timeline": 1, "next_xid": 500}
    | {"reason": f"after {BACKUPS[1]['label']}"},
    {
        "name": "before_import",
        "time": AT["18"] + 900,
        "lsn": "0/A000000",
        "timeline": 1,
        "next_xid": 600,
        "reason": "by hand",
    },
]


def choose(text, timeline=None, **changes):
    known = {"backups": BACKUPS, "points": POINTS, "wal_until": NOW - 60, "live": True, "xid_status": None, **changes}
    return targets.choose(text, SimpleNamespace(**known), NOW, timeline)


def options(text, **changes):
    return choose(text, **changes)["options"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("latest", ["--set=20261121-010000F", "--type=default"]),
        (
            "2026-11-19 12:30",
            ["--set=20261115-010000F_20261118-010000D", "--type=time", "--target=2026-11-19 12:30:00.000000+00"]
            + ["--target-action=promote"],
        ),
        (
            "before_import",
            ["--set=20261115-010000F_20261118-010000D", "--type=name", "--target=before_import"]
            + ["--target-action=promote", "--target-timeline=1"],
        ),
        (
            "20261115-010000F",
            ["--set=20261115-010000F", "--type=immediate", "--target-action=promote", "--target-timeline=current"],
        ),
        # The time at which a backup began or ended is its name, too.
        (
            "20261115_010000",
            ["--set=20261115-010000F", "--type=immediate", "--target-action=promote", "--target-timeline=current"],
        ),
        (
            "xid:550",
            ["--set=20261115-010000F_20261118-010000D", "--type=xid", "--target=550", "--target-action=promote"],
        ),
        # It may have ended before the second backup did.
        ("xid:450", ["--set=20261115-010000F", "--type=xid", "--target=450", "--target-action=promote"]),
    ],
)
def test_a_target_gets_the_newest_backup_before_it(text, expected):
    assert options(text) == expected


def test_a_timeline_that_was_asked_for_wins():
    assert "--target-timeline=3" in options("before_import", timeline="3")


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        ("nobody", {}, "found nobody, which nobody knows; expected a restore point or a backup such as"),
        ("20200101_000000", {}, "which nobody knows"),
        ("2026-11-15 01:00:10", {}, "before the end of the oldest backup at 2026-11-15 01:00:10 UTC"),
        ("2026-11-21 16:00:01", {}, "in the future"),
        ("2026-11-21 15:59:30", {"live": False}, "after the last WAL"),
        ("20261117-010000F", {}, "not in the repository; expected one such as 20261115-010000F"),
        ("xid:9", {"xid_status": lambda _xid: "aborted"}, "found transaction 9 aborted; expected a committed one"),
        ("before_import", {"backups": [BACKUPS[2]]}, "found no backup before it"),
        ("before_import", {"backups": [backup("15", "full", "0/2000100", 2)]}, "found no backup before it"),
        ("latest", {"backups": []}, "found no backup"),
        ("rm -rf /", {}, "expected latest, a time such as"),
        ("2026-13-01 10:00", {}, "expected a time such as"),
    ],
)
def test_a_target_that_cannot_be_reached_is_refused(text, changes, message):
    with pytest.raises(Problem, match="(?s)" + message):
        choose(text, **changes)


def test_an_old_transaction_whose_end_is_forgotten_is_taken():
    assert "--target=3" in options("xid:3", xid_status=lambda _xid: None)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-11-21T10:00Z", "2026-11-21 10:00:00"),
        ("2026-11-21 12:00:00+02", "2026-11-21 10:00:00 UTC"),
        ("2026-11-21 04:30:00.5-05:30", "2026-11-21 10:00:00.5"),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(text, same):
    assert targets.parse(text)[0] == "time"
    assert targets.moment(text) == targets.moment(same)


def table(rows=3, checksum=30, chunks=None, size=1):
    return {"rows": rows, "checksum": checksum, "chunk_blocks": size, "chunks": chunks or {"0": [2, 10], "1": [1, 20]}}


def test_an_equal_copy_has_no_problem():
    assert marker.compare({"db": {"public.a": table()}}, {"db": {"public.a": table()}}) == []


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            {"public.a": table(checksum=31, chunks={"0": [2, 10], "1": [1, 21]})},
            "table public.a: found 3 rows .* in blocks 1$",
        ),
        (
            {"public.a": table(rows=2, checksum=10, chunks={"0": [2, 10]})},
            "found 2 rows .* expected 3 rows .* in blocks 1$",
        ),
        ({}, "database db, table public.a: found none in the copy; expected it"),
        ({"public.a": "invalid page in block 7"}, r"not readable \(invalid page in block 7\); expected 3 rows"),
        ({"public.a": table(), "public.b": table()}, "table public.b: found it in the copy only"),
    ],
)
def test_a_copy_that_differs_says_where(found, message):
    (problem,) = marker.compare({"db": {"public.a": table()}}, {"db": found})
    import re

    assert re.search(message, problem)


def test_whole_databases_are_compared_and_ranges_named():
    wanted = {"a": {}, "b": {"public.t": table(chunks={"0": [2, 10], "3": [1, 20]}, size=8)}}
    found = {"b": {"public.t": table(checksum=29, chunks={"0": [2, 9], "3": [1, 20]}, size=8)}, "c": {}}
    problems = marker.compare(wanted, found)
    assert problems[0] == "database a: found none in the copy; expected it"
    assert problems[1] == "database c: found it in the copy only; expected none"
    assert problems[2].endswith("they differ in blocks 0-7")


SETTINGS = SimpleNamespace(objectives=SimpleNamespace(drill_age_days=35, rto=900, rpo=300))
PASSED = {"verdict": "pass", "finished": NOW, "last_success": NOW, "rows": 9, "tables": 2, "pages": 5}
PASSED |= {"rto_seconds": 4.0, "rpo_seconds": 30.0, "problems": []}


@pytest.mark.parametrize(
    ("result", "running", "days", "good", "words"),
    [
        (None, False, 0, True, "no backup was taken yet"),
        ({"verdict": "none", "since": NOW, "problems": []}, False, 34, True, "the first is due by 2026-12-26"),
        ({"verdict": "none", "since": NOW, "problems": []}, False, 36, False, "it was due 2026-12-26"),
        (PASSED, False, 34, True, "9 rows of 2 tables as marked, 5 pages whole, RTO 4.0 s, RPO 30.0 s"),
        (PASSED, False, 36, False, "it was due"),
        ({"verdict": "fail", "finished": NOW, "problems": ["x", "y"]}, False, 0, False, "failed: x and 1 more"),
        (
            {"verdict": "running", "started": NOW, "stage": "marker", "problems": []},
            False,
            0,
            False,
            "was killed during marker",
        ),
        (
            {"verdict": "running", "started": NOW, "last_success": NOW, "problems": []},
            True,
            1,
            True,
            "no drill has passed yet",
        ),
    ],
)
def test_the_state_of_drills_is_said_honestly(result, running, days, good, words):
    text, verdict = drill.judge(SETTINGS, result, running, NOW + days * DAY)
    assert verdict is good
    assert words in text


def test_a_drill_beyond_the_objectives_fails():
    result = {"rto_seconds": 901, "rpo_seconds": 299, "problems": []}
    drill.limits(SETTINGS, result)
    assert result["problems"] == ["RTO: found 901 s; expected at most 900 s; see docs/backup.md"]


def test_metrics_keep_the_last_success(tmp_path):
    settings = SimpleNamespace(textfile_dir=str(tmp_path))
    metrics.report_job(settings, "redis", True, 10, 0)
    first = metrics.read(metrics.textfile(settings, "backup_redis"))
    metrics.report_job(settings, "redis", False, 0, 0)
    second = metrics.read(metrics.textfile(settings, "backup_redis"))
    name = "mainstay_backup_last_success_timestamp_seconds"
    assert first[name] == second[name] > 0
    assert (first["mainstay_backup_last_result"], second["mainstay_backup_last_result"]) == (1, 0)
    assert f'{name}{{backup="redis"}}' in metrics.textfile(settings, "backup_redis").read_text()


def aged(path, days):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    os.utime(path, (NOW - days * DAY, NOW - days * DAY))
    return path


def test_what_is_old_goes_and_what_is_not_ours_stays(tmp_path):
    kept = [aged(tmp_path / "a" / "new.enc", 29), aged(tmp_path / "points.json", 400), aged(tmp_path / "now.part", 0.5)]
    gone = [aged(tmp_path / "a" / "old.enc", 31), aged(tmp_path / "killed.part", 2)]
    storage.expire(tmp_path, 30, NOW)
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in gone)


def test_hourly_snapshots_are_thinned_to_the_first_of_each_day(tmp_path):
    paths = [aged(tmp_path / f"redis-20261101_{hour}1500.rdb.enc", 20) for hour in ("00", "01", "02")]
    young = [aged(tmp_path / f"redis-20261121_{hour}1500.rdb.enc", 0.1) for hour in ("00", "01")]
    assert storage.thin([*young, *paths], NOW) == paths[1:]


@pytest.mark.parametrize(
    ("first", "second", "cause"),
    [
        ("echo no such database >&2; exit 3", "cat >/dev/null", "no such database"),
        ("yes", "echo full >&2; exit 4", "full"),
    ],
)
def test_a_pipe_fails_with_the_words_of_its_cause(first, second, cause):
    with pytest.raises(Problem, match=cause):
        storage.pipe(["sh", "-c", first], ["sh", "-c", second])


def test_an_encrypted_file_comes_back_and_a_failure_leaves_no_file(tmp_path):
    key = tmp_path / "key"
    key.write_text("not-a-real-secret\n")
    settings = SimpleNamespace(key_file=str(key))
    target = tmp_path / "stored" / "a.enc"
    storage.store(settings, ["printf", "hello"], target)
    assert b"hello" not in target.read_bytes()
    storage.read_back(settings, target, ["grep", "-q", "hello"], tmp_path)
    with pytest.raises(Problem, match="found it damaged"):
        storage.read_back(settings, target, ["grep", "-q", "other"], tmp_path)
    key.write_text("another\n")
    with pytest.raises(Problem, match="not readable with the key"):
        storage.read_back(settings, target, ["cat"], tmp_path)
    with pytest.raises(Problem):
        storage.store(settings, ["false"], tmp_path / "stored" / "b.enc")
    assert not (tmp_path / "stored" / "b.enc").exists()


CONTENTS = """;
; Archive created at 2026-11-21
2; 3079 16385 EXTENSION - pg_stat_statements
3501; 0 0 COMMENT - EXTENSION pg_stat_statements
3; 3079 16416 EXTENSION - pgcrypto
3502; 0 0 COMMENT - EXTENSION pgcrypto
217; 1259 16456 TABLE public accounts apg_cash
"""


def test_extensions_that_need_a_superuser_are_left_out_and_named():
    kept, left_out = dumps.untrusted(CONTENTS, {"pgcrypto"})
    assert left_out == ["extension pg_stat_statements"]
    assert "EXTENSION - pgcrypto" in kept and "TABLE public accounts" in kept
    assert "COMMENT" not in kept and "pg_stat_statements" not in kept


def test_names_are_quoted_for_where_they_go():
    assert database.identifier('a"b') == '"a""b"'
    assert database.literal("a'b") == "'a''b'"
    assert database.conninfo(dbname="a' host='b\\") == r"dbname='a\' host=\'b\\'"


def test_the_list_says_what_when_how_large_and_how_old():
    found = {
        "backups": [{"kind": "database full", "name": "20261121-010000F", "time": NOW - 7200, "bytes": 5 * 2**20}],
        "points": [{"name": "before_import", "time": NOW - 2 * DAY}],
        "files": [],
        "restorable": {"from": NOW - DAY, "to": NOW},
        "checks": ["repository: found x"],
    }
    text = listing.table(found, NOW)
    assert "20261121-010000F  2026-11-21 14:00:00 UTC  5.0 MiB  2 h 0 min" in text
    assert "2 d 0 h" in text
    assert "from 2026-11-20 16:00:00 UTC to 2026-11-21 16:00:00 UTC" in text
    assert text.endswith("PROBLEM: repository: found x")


def test_a_failure_names_the_program_and_not_its_arguments():
    with pytest.raises(Problem, match=r"^sh: found exit code 3 \(broken\); expected 0$"):
        common.run(["sh", "-c", "echo broken >&2; exit 3"])


def test_files_are_whole_or_absent(tmp_path):
    path = tmp_path / "result.json"
    common.write_whole(path, json.dumps({"a": 1}), 0o644)
    assert common.read_json(path, None) == {"a": 1}
    assert common.read_json(tmp_path / "none", "default") == "default"
    assert oct(path.stat().st_mode)[-3:] == "644"
    path.write_text("{")
    with pytest.raises(Problem, match="not JSON"):
        common.read_json(path, None)


def test_every_command_has_its_function():
    commands = cli.parser()._subparsers._group_actions[0].choices
    assert {f"do_{name.replace('-', '_')}" for name in commands} == {
        name for name in vars(cli) if name.startswith("do_")
    }


def test_the_role_installs_every_module():
    listed = load(ROOT / "roles" / "backup" / "vars" / "main.yml")["__backup_modules"]
    assert sorted(listed) == sorted(path.stem for path in (FILES / "mainstay_backup").glob("*.py"))
