# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The repository off site is read by the same program: listed, planned with, restored from, rehearsed."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
from types import SimpleNamespace

import pytest
from repository import ROOT

sys.path.insert(0, str(ROOT / "roles" / "backup" / "files"))

from mainstay_backup import cli, database, drill, jobs, metrics, repository  # noqa: E402
from mainstay_backup.common import Problem  # noqa: E402

EMPTY = {"status": {"code": 2}, "backup": [], "archive": []}
UNKNOWN = {"status": {"code": 1}}
BACKUP = {
    "label": "20261121-010000F",
    "type": "full",
    "timestamp": {"start": 1, "stop": 2},
    "lsn": {"stop": "0/1"},
    "archive": {"start": "000000010000000000000004"},
    "info": {"size": 9, "repository": {"delta": 7}},
}
FULL = {"status": {"code": 0}, "backup": [BACKUP], "archive": [{"id": "17-1"}]}


@pytest.fixture
def settings(tmp_path, backup_host):
    """A backup host with two repositories, and what pgBackRest was asked of which."""
    given = SimpleNamespace(
        name="ops1",
        backup_dir=str(tmp_path),
        textfile_dir=str(tmp_path),
        stanza="apg",
        repository_config="repository.conf",
        repository_key=1,
        offsite_key=2,
        keep_days=30,
        drill=SimpleNamespace(result=str(tmp_path / "drill.json")),
        objectives=SimpleNamespace(drill_age_days=35),
        postgres=SimpleNamespace(hosts=["10.0.0.1"]),
        asked=[],
        known={"--repo=1": EMPTY, "--repo=2": FULL},
    )

    def pgbackrest(settings, *words, config=None):
        given.asked.append(words)
        if words[-1] == "info":
            return json.dumps([given.known[words[0]]])
        if "repo-ls" in words:
            name = "0000000100000000" if words[-1].count("/") == 2 else "000000010000000000000004-" + "a" * 40
            return json.dumps({name: {"type": "path" if words[-1].count("/") == 2 else "file", "time": 5}})
        return ""

    return backup_host(given, pgbackrest)


def repositories(settings):
    return {word for words in settings.asked for word in words if word.startswith("--repo=")}


def test_the_list_is_of_the_repository_off_site_alone(settings, capsys):
    assert cli.main(["list", "--offsite", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [item["name"] for item in found["backups"]] == ["20261121-010000F"]
    assert found["files"] == [] and found["restorable"] == {"from": 2, "to": 5}
    assert repositories(settings) == {"--repo=2"}


def test_a_restore_is_planned_from_it_and_told_to_the_controller(settings, capsys):
    assert cli.main(["plan", "latest", "--offsite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["repository"] == 2
    assert cli.main(["restore", "latest", "--offsite"]) == 2
    given = json.loads(shlex.split(capsys.readouterr().out.splitlines()[-1])[5])
    assert given["restore_offsite"] is True and given["restore_backup_host"] == "ops1"
    assert repositories(settings) == {"--repo=2"}


def test_without_the_word_the_hosts_own_is_read(settings, capsys):
    assert cli.main(["plan", "latest"]) == 1
    assert "repository: found no backup" in capsys.readouterr().err
    assert repositories(settings) == {"--repo=1"}


def test_a_host_without_one_says_so(settings, capsys):
    settings.offsite_key = 0
    assert cli.main(["list", "--offsite"]) == 1
    assert "--offsite: found no repository off site on this host; expected one" in capsys.readouterr().err
    assert settings.asked == []


def test_its_drill_has_a_result_and_metrics_of_its_own(settings):
    other = repository.offsite(settings)
    drill.record(settings, {"verdict": "pass", "last_success": 5, "problems": []})
    drill.record(other, {"verdict": "fail", "last_success": 3, "problems": ["x"]})
    assert json.loads(metrics.Path(other.drill.result).read_text())["verdict"] == "fail"
    assert json.loads(metrics.Path(settings.drill.result).read_text())["verdict"] == "pass"
    assert "mainstay_drill_last_result 1" in metrics.textfile(settings, "drill").read_text()
    text = metrics.textfile(settings, "drill_offsite").read_text()
    assert 'mainstay_drill_last_result{repository="offsite"} 0' in text
    assert all('{repository="offsite"}' in line for line in text.splitlines())


def test_a_wrong_key_names_the_secret_of_the_repository(settings):
    settings.known["--repo=2"] = {
        "status": {"code": 99},
        "repo": [{"status": {"code": 99, "message": "[CryptoError] unable to flush"}}],
    }
    with pytest.raises(Problem, match="repository off site: .* secret cipher_password of platform_offsite_repository"):
        repository.info(repository.offsite(settings))


@pytest.mark.parametrize("broken", [(1,), (2,), (1, 2)])
def test_one_that_fails_keeps_the_other_from_nothing(settings, monkeypatch, capsys, broken):
    answer = repository.pgbackrest

    def pgbackrest(settings, *words, config=None):
        if words[-1] == "backup" and settings.repository_key in broken:
            raise Problem(f"disk {settings.repository_key}: found it full")
        return answer(settings, *words, config=config)

    settings.known["--repo=1"] = FULL
    nothing = contextlib.nullcontext()
    monkeypatch.setattr(repository, "pgbackrest", pgbackrest)
    monkeypatch.setattr(repository, "add_point", lambda *_words: {"name": "point"})
    monkeypatch.setattr(database, "turn", lambda *_words: nothing)
    monkeypatch.setattr(jobs, "lock", lambda *_words: nothing)
    assert cli.main(["take", "full"]) == 1
    said = capsys.readouterr().err
    for key, kind in {1: "database", 2: "offsite"}.items():
        assert (f"backup {kind}: disk {key}: found it full" in said) == (key in broken)
        result = metrics.read(metrics.textfile(settings, f"backup_{kind}"))
        assert result["mainstay_backup_last_result"] == (key not in broken)


class Session:
    def __enter__(self):
        return self

    def __exit__(self, *_reason):
        pass

    def ask(self, _sql):
        return []

    def value(self, _sql):
        return "t"


database_session = Session()
