# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two backup hosts: neither begins with the other, and what cannot go on beside its like waits for its turn."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest
from repository import ROOT, load, render_all, tasks

FILES = ROOT / "roles" / "backup" / "files"
sys.path.insert(0, str(FILES))

from mainstay_backup import database  # noqa: E402

NAMES = ("ops1", "ops2", "ops3")
SECRETS = ("postgresql_backup", "postgresql_restore", "backup_cipher", "redis_backup", "backup_files")
SECRET = "not-a-real-secret"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    """What the first, the second and the third backup host get: lines of the schedule by command, and settings."""
    folders = [tmp_path_factory.mktemp("backup") for _name in NAMES]
    given = {"platform_postgresql_version": 17, "platform_vcpus": 2, "platform_secrets": dict.fromkeys(SECRETS, SECRET)}
    runs = []
    for place, folder in enumerate(folders):
        names = ["ops2", "ops3"]
        names.insert(place, "ops1")
        repositories = [{"name": name, "address": "10.0.31.11"} for name in names]
        runs.append(("backup.yml", {**given, "out": str(folder), "backup_repositories": repositories}))
    for done in render_all(runs):
        assert done.returncode == 0, done.stdout + done.stderr
    return [(schedule(folder / "cron"), json.loads((folder / "settings.json").read_text())) for folder in folders]


@pytest.fixture(scope="module")
def offsite(tmp_path_factory):
    """The same of the first and the second of two hosts, with a repository off site."""
    folders = [tmp_path_factory.mktemp("offsite") for _name in NAMES[:2]]
    given = {"platform_postgresql_version": 17, "platform_vcpus": 2, "platform_secrets": dict.fromkeys(SECRETS, SECRET)}
    given["backup_offsite"] = {"bucket": "backups"}
    runs = []
    for folder, names in zip(folders, (["ops1", "ops2"], ["ops2", "ops1"]), strict=True):
        repositories = [{"name": name, "address": "10.0.31.11"} for name in names]
        runs.append(("backup.yml", {**given, "out": str(folder), "backup_repositories": repositories}))
    for done in render_all(runs):
        assert done.returncode == 0, done.stdout + done.stderr
    return [((folder / "cron").read_text(), json.loads((folder / "settings.json").read_text())) for folder in folders]


def test_the_first_host_rehearses_the_repository_off_site_too(offsite):
    (first, settings), (second, others) = offsite
    assert "mainstay-backup drill; /usr/local/sbin/mainstay-backup drill --offsite'" in first
    assert (settings["repository_key"], settings["offsite_key"]) == (1, 3)
    assert "--offsite" not in second and others["offsite_key"] == 0


def schedule(path):
    lines = [line.split(None, 6) for line in path.read_text().splitlines() if " root " in line]
    return {words[6].split("mainstay-backup ", 2)[-1]: " ".join(words[:5]) for words in lines}


def test_they_begin_at_minutes_of_their_own(hosts):
    begun = [{when for command, when in lines.items() if when[0] != "*"} for lines, _settings in hosts]
    assert all(len(whens) == len(begun[0]) for whens in begun)
    assert not begun[0] & begun[1] and not begun[1] & begun[2] and not begun[0] & begun[2]
    assert hosts[0][0]["take full"] == "0 1 * * 0"
    assert hosts[1][0]["take full"] == "20 1 * * 0"
    assert hosts[2][0]["drill"] == "40 4 1 * *"
    assert all(0 <= int(when.split()[0]) < 60 for whens in begun for when in whens)


def test_the_program_knows_each_kinds_time(hosts):
    _lines, settings = hosts[0]
    assert settings["audit_keep_days"] == 7 * 366
    assert settings["keep_days"] == 30
    limits = {item["pattern"].removeprefix("/var/backups/mainstay/"): item for item in settings["patterns"]}
    assert {"files/db1/db1-*.tar.gz.enc", "audit/db1/db1-*.tar.gz.enc", "dumps/*/*.dump.enc"} <= set(limits)
    assert limits["redis/redis-*.rdb.enc"] == {
        "pattern": "/var/backups/mainstay/redis/redis-*.rdb.enc",
        "max_age_hours": 2,
        "min_bytes": 64,
    }
    assert {item["max_age_hours"] for name, item in limits.items() if "redis" not in name} == {26}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("backup/tasks/first.yml", "__backup_kind"),
        ("backup/tasks/drill.yml", "drill"),
        ("upgrade/tasks/backups.yml", "full"),
    ],
)
def test_what_reads_the_whole_database_runs_on_one_host_at_a_time(path, words):
    commands = [
        task for task in tasks(load(ROOT / "roles" / path)) if words in str(task.get("ansible.builtin.command"))
    ]
    assert [task.get("throttle") for task in commands] == [1]


class Session:
    def __init__(self, free):
        self.free, self.asked = free, []

    def __enter__(self):
        return self

    def __exit__(self, *_reason):
        self.asked.append("closed")

    def value(self, sql):
        self.asked.append(sql)
        return "t" if self.free else "f"

    def ask(self, sql):
        self.asked.append(sql)
        return []


@pytest.mark.parametrize("free", [True, False])
def test_a_second_host_waits_for_its_turn(monkeypatch, capsys, free):
    session = Session(free)
    monkeypatch.setattr(database, "primary", lambda _settings: session)
    with database.turn(SimpleNamespace(), "backup"):
        inside = list(session.asked)
    waits = [sql for sql in inside if "pg_advisory_lock" in sql]
    assert len(waits) == (0 if free else 1)
    assert ("another backup host is at it" in capsys.readouterr().err) is not free
    assert "closed" not in inside and session.asked[-1] == "closed"
