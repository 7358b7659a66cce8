# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What list and plan read of timelines: their histories in the repository, and the live cluster's own."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest
from repository import ROOT

sys.path.insert(0, str(ROOT / "roles" / "backup" / "files"))

from mainstay_backup import cli, database, listing, repository, restoring, targets  # noqa: E402
from mainstay_backup.common import Problem  # noqa: E402


def at(text):
    return targets.moment(f"2026-11-{text}")


# The second backup was taken behind the place to which the third one's cluster had been restored.
MONDAY, TUESDAY, AFTER = "20261123-010000F", "20261124-010000F", "20261124-091000F"
BACKUPS = [(MONDAY, "0/5000100", 1), (TUESDAY, "0/9000100", 1), (AFTER, "0/8000100", 2)]
RESTORED = "1\t0/7FFFFA8\tbefore 2026-11-23 22:00:00+00\n"


def ended(label):
    return at(f"{label[6:8]} {label[9:11]}:{label[11:13]}:10")


@pytest.fixture
def settings(backup_host, tmp_path):
    """A backup host whose repository has two backups of the first timeline and one of the second."""
    described = [
        {
            "label": label,
            "type": "full",
            "timestamp": {"start": ended(label) - 10, "stop": ended(label)},
            "lsn": {"stop": lsn},
            "archive": {"start": f"{timeline:08X}0000000000000001"},
            "database": {"id": 1},
            "info": {"size": 9, "repository": {}},
        }
        for label, lsn, timeline in BACKUPS
    ]
    stanza = {"status": {"code": 0}, "backup": described, "archive": [{"id": "17-1"}]}
    stanza["db"] = [{"id": 1, "version": "17", "system-id": 77}]
    folders = {f"{number:08X}00000000": {"type": "path"} for number in (1, 2)}
    arrived = {"1": at("24 09:00:00"), "2": at("24 11:00:00")}
    given = SimpleNamespace(stanza="apg", repository_key=1, offsite_key=0, name="ops1", backup_dir=str(tmp_path))
    given.history, given.described = RESTORED, described

    def pgbackrest(_settings, _repo, *words):
        if words[-1] == "info":
            return json.dumps([stanza])
        if words == ("repo-get", "archive/apg/17-1/00000002.history"):
            if given.history is None:
                raise Problem("pgbackrest: found exit code 55; expected 0")
            return given.history
        folder = words[-1].removeprefix("archive/apg/17-1").strip("/")
        if folder:
            return json.dumps({f"{folder}00000001-{'a' * 40}": {"type": "file", "time": arrived[folder[7]]}})
        return json.dumps({**folders, "00000002.history": {"type": "file"}})

    return backup_host(given, pgbackrest)


def test_the_list_says_which_times_which_timeline_leads_to(settings, capsys):
    assert cli.main(["list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["restorable"] == {"from": ended(MONDAY), "to": at("24 11:00:00")}
    assert found["left"] == [{"timeline": 1, "from": ended(MONDAY), "to": at("24 09:00:00")}]
    assert (
        "With --timeline 1 (restore_timeline), which was left: from 2026-11-23 01:00:10 UTC to 2026-11-24 09:00:00 UTC."
        in listing.table(found)
    )


def test_a_time_that_a_timeline_has_not_reached_is_refused(settings, monkeypatch, capsys):
    monkeypatch.setattr(restoring.time, "time", lambda: at("24 12:00:00"))
    assert cli.main(["plan", "2026-11-24 10:00"]) == 0
    assert cli.main(["plan", "2026-11-24 10:00", "--timeline", "1"]) == 1
    assert "after the last WAL, which arrived at 2026-11-24 09:00:00 UTC" in capsys.readouterr().err


def test_a_newest_timeline_to_which_no_backup_leads_is_a_problem(settings, capsys):
    settings.described.pop()
    settings.history = "1\t0/1000000\tbefore 2026-11-22 00:00:00+00\n"
    assert cli.main(["list"]) == 1
    said = capsys.readouterr().out
    assert "PROBLEM: repository: found no backup with WAL that leads to timeline 2, the newest; expected one" in said
    assert "can be restored to any time" not in said and "With --timeline 1" in said


def test_a_history_that_cannot_be_read_is_said(settings, capsys):
    settings.history = None
    assert cli.main(["plan", "latest"]) == 1
    text = (
        "timeline 2: found its history not readable (pgbackrest: found exit code 55; expected 0); expected archive/apg"
    )
    assert text in capsys.readouterr().err
    assert cli.main(["list"]) == 1
    said = capsys.readouterr().out
    assert f"PROBLEM: {text}" in said and MONDAY in said and "can be restored" not in said
    assert cli.main(["plan", "latest", "--timeline", "1"]) == 0


@pytest.mark.parametrize(
    ("system", "asked", "live", "label"),
    [
        (77, None, True, TUESDAY),
        (77, "2", False, AFTER),
        # An empty cluster on new hosts is not the one whose backups these are.
        (78, None, False, AFTER),
    ],
)
def test_the_live_cluster_says_which_timeline_is_its_own(settings, monkeypatch, system, asked, live, label):
    session = SimpleNamespace(value=lambda _sql: f"{system} 000000010000000000000009", close=lambda: None)
    monkeypatch.setattr(database, "primary", lambda _settings: session)
    monkeypatch.setattr(repository, "shared_points", lambda _session: None)
    assert restoring.known(settings, session, targets.numbered(asked)).live is live
    made = restoring.plan(settings, "latest", asked)
    assert made["backup"]["label"] == label and made["live"] is True
    assert f", on timeline {made['timeline']}, from backup {label} of" in made["summary"]
