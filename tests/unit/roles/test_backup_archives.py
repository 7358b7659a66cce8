# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Archives of the hosts: logs and audit logs daily, each kept for its own time, and configuration when it changes."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tarfile
import time
from types import SimpleNamespace

import pytest
from repository import ROOT, load

FILES = ROOT / "roles" / "backup" / "files"
sys.path.insert(0, str(FILES))

from mainstay_backup import cli, dumps, jobs, listing, metrics  # noqa: E402
from mainstay_backup.common import Problem  # noqa: E402

DAY = 86400
LAST = "mainstay_backup_last_success_timestamp_seconds"
HOSTS = [SimpleNamespace(name=name, address=f"10.0.0.{number}") for number, name in enumerate(("app1", "db1"), 1)]


class Agents:
    """Hosts that answer with an archive that names what was asked for, or do not answer."""

    def __init__(self):
        self.silent, self.fingerprints, self.asked = set(), {host.name: "1" * 64 for host in HOSTS}, []

    def ask(self, _settings, host, wanted, out):
        self.asked.append((host.name, wanted))
        if host.name in self.silent:
            return "connection refused"
        if wanted == "fingerprint":
            out.write(f"{self.fingerprints[host.name]}  -\n".encode())
            return None
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            tar.addfile(tarfile.TarInfo(wanted))
        out.write(packed.getvalue())
        return None


@pytest.fixture
def agents(monkeypatch):
    agents = Agents()
    monkeypatch.setattr(jobs, "ask", agents.ask)
    return agents


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "key").write_text("not-a-real-secret\n")
    (tmp_path / "work").mkdir()
    return SimpleNamespace(
        backup_dir=str(tmp_path),
        work_dir=str(tmp_path / "work"),
        textfile_dir=str(tmp_path / "metrics"),
        key_file=str(tmp_path / "key"),
        keep_days=30,
        audit_keep_days=7 * 366,
        hosts=HOSTS,
    )


def aged(settings, kind, host, days):
    path = jobs.Path(settings.backup_dir) / kind / host / f"{host}-{days}.tar.gz.enc"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


def kept(settings, kind):
    return sorted(path.parent.name for path in jobs.stored(settings, kind))


def test_each_kind_is_kept_for_its_own_time(agents, settings):
    years = 365.25
    files = [aged(settings, "files", "db1", days) for days in (29, 31)]
    audit = [aged(settings, "audit", "db1", days) for days in (31, 6.9 * years, 7.1 * years)]
    jobs.take_archives(settings, "files")
    assert [path.exists() for path in audit] == [True, True, True]
    jobs.take_archives(settings, "audit")
    assert [path.exists() for path in files] == [True, False]
    assert [path.exists() for path in audit] == [True, True, False]
    assert kept(settings, "audit") == ["app1", "db1", "db1", "db1"]
    assert len(jobs.check(settings, "audit")) == 2


def test_audit_logs_are_kept_for_seven_years_and_taken_every_day():
    role = ROOT / "roles" / "backup"
    assert load(role / "defaults" / "main.yml")["backup_audit_years"] == 7
    cron = (role / "templates" / "cron.j2").read_text()
    assert "{{ backup_files_at }} root systemd-cat" in cron and "{{ __backup_program }} audit'" in cron
    assert "{{ __backup_program }} configuration" in cron


def test_a_host_that_does_not_answer_is_named_and_the_others_are_stored(agents, settings):
    agents.silent = {"app1"}
    with pytest.raises(Problem, match="audit: found no whole archive of app1; expected one of each host"):
        jobs.take_archives(settings, "audit")
    assert kept(settings, "audit") == ["db1"]


def test_configuration_is_taken_when_it_changes_and_not_again(agents, settings):
    assert list(jobs.take_configuration(settings)) == ["app1", "db1"]
    assert jobs.take_configuration(settings) == {}
    agents.fingerprints["db1"] = "2" * 64
    (taken,) = jobs.take_configuration(settings).items()
    assert taken == ("db1", jobs.newest(jobs.folders(settings, "configuration")[1], "*.enc").stat().st_size)
    assert jobs.take_configuration(settings) == {}
    assert agents.asked.count(("app1", "configuration")) == 1


def test_configuration_is_as_old_as_what_replaced_it(agents, settings):
    """A month after it was replaced it goes; what holds is kept, however old."""
    jobs.take_configuration(settings)
    folder = next(jobs.stored(settings, "configuration")).parent
    (present,) = folder.glob("*.enc")
    os.utime(present, (time.time() - 400 * DAY,) * 2)
    former, ancient = (folder / f"app1-{name}.tar.gz.enc" for name in ("former", "ancient"))
    for path, days in ((former, 500), (ancient, 600)):
        path.touch()
        os.utime(path, (time.time() - days * DAY,) * 2)
    jobs.take_configuration(settings)
    assert list(folder.glob("*.enc")) == [present]
    os.utime(present, None)
    former.touch()
    os.utime(former, (time.time() - 500 * DAY,) * 2)
    jobs.take_configuration(settings)
    assert former.exists()


def test_a_host_that_is_away_is_a_failure_and_asked_again_later(agents, settings, monkeypatch, capsys):
    waited = []
    monkeypatch.setattr(jobs, "lock", lambda kind, wait: contextlib.nullcontext(waited.append((kind, wait))))
    path = metrics.textfile(settings, "backup_configuration")
    agents.silent = {"db1"}
    with pytest.raises(Problem, match="configuration: found no whole archive of db1; expected one of each host"):
        cli.do_configuration(settings, None)
    assert "db1: connection refused" in capsys.readouterr().err
    assert kept(settings, "configuration") == ["app1"]
    first = metrics.read(path)
    assert first["mainstay_backup_last_result"] == 0 and LAST not in first
    agents.silent = set()
    cli.do_configuration(settings, None)
    cli.do_configuration(settings, None)
    assert kept(settings, "configuration") == ["app1", "db1"]
    last = metrics.read(path)
    assert last["mainstay_backup_last_result"] == 1 and last[LAST] > 0
    assert waited == [("configuration", True)] * 3


def test_an_agent_of_a_former_release_is_told_from_one_that_answers(agents, settings, capsys):
    agents.fingerprints["db1"] = "\x1f an archive"
    with pytest.raises(Problem, match="no whole archive of db1"):
        jobs.take_configuration(settings)
    assert "db1: found no fingerprint; expected one; run the backup_agent role" in capsys.readouterr().err


def test_a_run_of_the_role_keeps_the_configuration_that_it_has_changed():
    steps = load(ROOT / "roles" / "backup" / "tasks" / "first.yml")
    (step,) = [
        task for task in steps if task["ansible.builtin.command"]["argv"] == ["{{ __backup_program }}", "configuration"]
    ]
    assert step["changed_when"] is False and "when" not in step


def test_the_list_shows_the_ends_of_the_audit_logs(settings):
    for days in (1, 2, 3):
        aged(settings, "audit", "db1", days)
        aged(settings, "files", "db1", days)
    shown = [item["name"] for item in listing.shortened(listing.stored_files(settings)) if item["kind"] == "audit"]
    assert shown == ["db1-3.tar.gz.enc", "db1-1.tar.gz.enc"]
    assert len(listing.shortened(listing.stored_files(settings))) == 5


def test_dumps_of_a_database_that_was_dropped_go_by_their_age(settings, monkeypatch):
    def dump_one(settings, name):
        return aged(settings, "dumps", name, 0), 1

    monkeypatch.setattr(dumps, "dump_one", dump_one)
    monkeypatch.setattr(dumps, "primary", lambda _settings: contextlib.nullcontext())
    monkeypatch.setattr(dumps, "databases", lambda _session: ["ledger", "postgres"])
    old, young = [aged(settings, "dumps", name, days) for name, days in (("dropped", 31), ("dropped_lately", 3))]
    assert [path.parent.name for path, _size in dumps.dump(settings, ["ledger", "postgres"])] == ["ledger", "postgres"]
    assert old.exists()  # some databases alone say nothing about the others
    with pytest.raises(Problem, match="database cash, lodger: found none of that name"):
        dumps.dump(settings, ["lodger", "ledger", "cash"])
    dumps.dump(settings, ["all"])
    assert not old.parent.exists()
    assert young.exists()
