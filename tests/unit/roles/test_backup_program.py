# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What mainstay-backup does with files, names and texts.

It is longer than others because one program takes, lists, thins and restores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from repository import ROOT, load

FILES = ROOT / "roles" / "backup" / "files"
sys.path.insert(0, str(FILES))

import mainstay_backup.repository  # noqa: E402
from mainstay_backup import cli, common, database, dumps, jobs, listing, metrics, storage, targets  # noqa: E402
from mainstay_backup.common import Problem  # noqa: E402

DAY = 86400
NOW = targets.moment("2026-11-21 16:00:00")


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


MASTER, LINKED, UNLINKED = (
    "# Replication\r\nrole:master\r\nconnected_slaves:2\r\n",
    "# Replication\r\nrole:slave\r\nmaster_link_status:up\r\n",
    "# Replication\r\nrole:slave\r\nmaster_link_status:down\r\n",
)


@pytest.mark.parametrize(
    ("answers", "source"),
    [
        ({"a": MASTER, "b": LINKED, "c": LINKED}, "b"),
        ({"a": MASTER, "b": UNLINKED, "c": None}, "a"),
        ({"a": None, "b": UNLINKED, "c": LINKED}, "c"),
        ({"a": None, "b": UNLINKED, "c": None}, None),
    ],
)
def test_redis_is_copied_from_a_replica_that_follows_or_else_from_the_master(monkeypatch, answers, source):
    def answer(_settings, address, *_words):
        if answers[address] is None:
            raise Problem(f"redis-cli: {address} does not answer")
        return answers[address]

    monkeypatch.setattr(jobs, "redis_command", answer)
    if source:
        assert jobs.redis_source(SimpleNamespace(), list(answers)) == source
    else:
        with pytest.raises(Problem, match="found no server that answers of a, b, c"):
            jobs.redis_source(SimpleNamespace(), list(answers))


# As Redis 7.0 writes it. The replica of the second master fails.
NODES = """\
m1 10.0.0.1:6379@16379 myself,master - 0 1 1 connected 0-5460 [93->-m2]
m2 10.0.0.2:6379@16379 master - 0 1 2 connected 5461-10921
m3 10.0.0.3:6379@16379 master - 0 1 3 connected 10922-16382 16383
r1 10.0.0.4:6379@16379 slave m1 0 1 1 connected
r2 10.0.0.5:6379@16379 slave,fail m2 0 1 2 disconnected
r3 10.0.0.6:6379@16379 slave m3 0 1 3 connected
"""


def cluster(monkeypatch, tmp_path, nodes=NODES):
    """Settings of a cluster whose servers answer, and write their name as a snapshot; the first one does not answer."""

    def answer(_settings, address, *words):
        if words[0] == "--rdb":
            Path(words[1]).write_text(f"snapshot of {address}")
            return ""
        if address == "10.0.0.9":
            raise Problem("redis-cli: 10.0.0.9 does not answer")
        return nodes if words[0] == "CLUSTER" else (LINKED if address in ("10.0.0.4", "10.0.0.6") else MASTER)

    monkeypatch.setattr(jobs, "redis_command", answer)
    monkeypatch.setitem(jobs.READERS, "redis", ["cat"])
    key = tmp_path / "key"
    key.write_text("a key of the test")
    redis = SimpleNamespace(hosts=["10.0.0.9", "10.0.0.1"], cluster=True)
    places = {"backup_dir": str(tmp_path), "work_dir": str(tmp_path), "key_file": str(key)}
    return SimpleNamespace(redis=redis, keep_days=30, **places)


def test_a_snapshot_of_a_cluster_has_a_file_of_each_master_from_its_replica(monkeypatch, tmp_path):
    settings = cluster(monkeypatch, tmp_path)
    assert jobs.take_redis(settings) > 0
    files = sorted((tmp_path / "redis").iterdir())
    assert [path.name.partition("_")[2][6:] for path in files] == [f"-{number}of3.rdb.enc" for number in (1, 2, 3)]
    stored = []
    for path in files:
        command = storage.decrypting(settings, path)
        stored.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert stored == [f"snapshot of 10.0.0.{number}" for number in (2, 4, 6)], "of the second master, itself"
    assert jobs.check(settings, "redis") == files
    files[1].unlink()
    with pytest.raises(Problem, match="found 2 of 3 files of its snapshot; expected all"):
        jobs.check(settings, "redis")


def test_a_snapshot_of_a_cluster_without_all_slots_is_none(monkeypatch, tmp_path):
    settings = cluster(monkeypatch, tmp_path, NODES.replace(" 16383\n", "\n"))
    with pytest.raises(Problem, match="found 16383 of 16384 slots"):
        jobs.take_redis(settings)
    assert not (tmp_path / "redis").exists()


def test_the_parts_of_a_snapshot_stay_or_go_together(tmp_path):
    names = [f"redis-20261101_{hour}1500-{part}of3.rdb.enc" for hour in ("00", "01") for part in (1, 2, 3)]
    paths = [aged(tmp_path / name, 20) for name in names]
    assert storage.thin(paths, NOW) == paths[3:]


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
6; 2615 16389 SCHEMA - mainstay postgres
234; 1255 16390 FUNCTION mainstay pooler_login(name) postgres
3503; 0 0 ACL - SCHEMA mainstay postgres
3504; 0 0 ACL mainstay FUNCTION pooler_login(name) postgres
218; 1259 16457 TABLE mainstay scripts postgres
3410; 0 16457 TABLE DATA mainstay scripts postgres
3411; 0 16456 TABLE DATA public mainstay apg_cash
"""


def test_extensions_that_need_a_superuser_are_left_out_and_named():
    kept, left_out = dumps.untrusted(CONTENTS, {"pgcrypto"})
    assert left_out == ["extension pg_stat_statements"]
    assert "EXTENSION - pgcrypto" in kept and "TABLE public accounts" in kept
    assert "COMMENT" not in kept and "pg_stat_statements" not in kept


def test_grants_on_what_an_extension_brings_are_left_out():
    granted = """3520; 0 0 ACL public TABLE accounts apg_cash
3521; 0 0 ACL public TABLE pg_stat_statements postgres
3522; 0 0 ACL public COLUMN accounts.id apg_cash
3523; 0 0 ACL public FUNCTION total(a integer, b text) apg_cash
3524; 0 0 ACL - SCHEMA public pg_database_owner
2090; 826 16500 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES apg_cash
240; 1255 16501 FUNCTION public total(integer, text) apg_cash
241; 1259 16502 VIEW public Mixed apg_cash
3525; 0 0 ACL public TABLE "Mixed" apg_cash
3526; 0 0 ACL public COLUMN pg_stat_statements.query postgres
"""
    dropped = ("pg_stat_statements postgres", "pg_stat_statements.query postgres")
    kept, _left_out = dumps.untrusted(CONTENTS + granted, set())
    assert [line for line in granted.splitlines() if line not in kept.splitlines()] == [
        line for line in granted.splitlines() if line.endswith(dropped)
    ]


def test_of_the_schema_that_is_in_the_template_only_the_memory_of_scripts_comes_back():
    kept, left_out = dumps.untrusted(CONTENTS, {"pgcrypto", "pg_stat_statements"})
    assert left_out == []
    assert [line for line in kept.splitlines() if "mainstay" in line] == [
        "3410; 0 16457 TABLE DATA mainstay scripts postgres",
        "3411; 0 16456 TABLE DATA public mainstay apg_cash",
    ]


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


def stanza(code, message):
    return {
        "status": {"code": code, "message": "other"},
        "repo": [{"key": 1, "status": {"code": code, "message": message}}],
    }


@pytest.mark.parametrize(
    "message",
    ["[CryptoError] unable to flush", "[FormatError] unable to load info file 'x': outside of section: \x8c\x04"],
)
def test_a_wrong_key_is_called_that(message):
    text = mainstay_backup.repository.refusal(stanza(99, message), "/r", "backup_cipher")
    assert "repository /r: found it not readable with this encryption key" in text
    assert text.isprintable()


def test_other_troubles_are_quoted_and_an_empty_repository_is_none():
    assert "found [FileMissingError] gone" in mainstay_backup.repository.refusal(
        stanza(99, "[FileMissingError] gone"), "/r", "backup_cipher"
    )
    assert mainstay_backup.repository.refusal(stanza(2, "no valid backups"), "/r", "backup_cipher") is None
    assert mainstay_backup.repository.parse('[{"a": "\x04"}]') == [{"a": "\x04"}]


def test_a_backup_knows_the_version_that_it_is_of():
    archive, times, size = {"start": "000000010000000000000004"}, {"start": 1, "stop": 2}, {"size": 9, "repository": {}}
    common_part = {"lsn": {"stop": "0/1"}, "archive": archive, "timestamp": times, "info": size, "type": "full"}
    found = mainstay_backup.repository.backups(
        {
            "db": [{"id": 1, "version": "15"}, {"id": 2, "version": "17"}],
            "backup": [{**common_part, "label": label, "database": {"id": key}} for label, key in (("a", 1), ("b", 2))],
        }
    )
    assert [item["version"] for item in found] == ["15", "17"]
    assert [item["former"] for item in found] == [True, False]
