# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What operators ask for by playbook or on the backup host: take, list, dump, restore-db, restore."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
from types import SimpleNamespace

import pytest
from repository import ROOT, load, render_all

FILES = ROOT / "roles" / "backup" / "files"
sys.path.insert(0, str(FILES))

from mainstay_backup import cli, dumps, restoring  # noqa: E402
from mainstay_backup.common import Problem  # noqa: E402

LEDGER = {"restore_database": "ledger"}
# Role, entry, what is typed; then the words that the program gets.
DONE = {
    "take": ("backup", "take", {}, "take diff"),
    "take full": ("backup", "take", {"backup_take": "full"}, "take full"),
    "dump": ("backup", "take", {"backup_take": "dump ledger"}, "dump ledger"),
    "dump several": ("backup", "take", {"backup_take": "dump ledger archive"}, "dump ledger archive"),
    "audit": ("backup", "take", {"backup_take": "audit"}, "audit"),
    "list": ("backup", "list", {}, "list"),
    "beside": ("restore", "database", LEDGER, "restore-db ledger --from latest"),
    "under a name": (
        "restore",
        "database",
        {**LEDGER, "restore_database_from": "20231201_120000", "restore_database_as": "look"},
        "restore-db ledger --from 20231201_120000 --to look",
    ),
    "in its place": (
        "restore",
        "database",
        {**LEDGER, "restore_database_instead": "ledger"},
        "restore-db ledger --from latest --replace ledger",
    ),
}
# What is typed, and the words of the refusal; the program is not asked.
REFUSED = {
    "a wrong kind": ("backup", "take", {"backup_take": "drop all"}, "backup_take: found drop all, expected full, diff"),
    "no database": ("restore", "database", {}, "found nothing, nothing and nothing, expected the name of a database"),
    "another name": (
        "restore",
        "database",
        {**LEDGER, "restore_database_instead": "ledgers"},
        "found ledger, ledgers and nothing, expected",
    ),
    "two places": (
        "restore",
        "database",
        {**LEDGER, "restore_database_instead": "ledger", "restore_database_as": "look"},
        "found ledger, ledger and look, expected",
    ),
    "another host": (
        "restore",
        "database",
        {**LEDGER, "restore_backup_host": "ops9"},
        "restore_backup_host: found ops9, expected one of ops1",
    ),
}
WORDS = "mainstay-backup: dump latest of ledger: found no such file; expected one of: there is none"
# How large the program says that a database is, in the cases that are refused after it was asked.
PLANNED = {
    "refused by the program": f"echo '{WORDS}' >&2; exit 1",
    "too little room": "echo '{\"needed_bytes\": 1000000000000000}'",
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Every case, finished, and what the program was asked; and restores that are refused for what it said."""
    folder, runs, asked = tmp_path_factory.mktemp("operate"), [], {}
    for number, (name, (role, entry, typed, *_words)) in enumerate(
        [*DONE.items(), *REFUSED.items(), *((name, ("restore", "database", LEDGER)) for name in PLANNED)]
    ):
        asked[name] = folder / f"asked{number}"
        program = folder / f"program{number}"
        plan = PLANNED.get(name, "echo '{\"needed_bytes\": 1048576}'")
        program.write_text(
            f'#!/bin/sh\necho "$@" >>{asked[name]}\ncase "$*" in *--plan) {plan} ;; *) echo done ;; esac\n'
        )
        program.chmod(0o755)
        given = {
            "role": role,
            "entry": entry,
            "platform_backup_program": str(program),
            "platform_postgresql_version": 17,
            "restore_data_dir": str(folder),
        }
        runs.append(("operate.yml", {**given, **typed}))
    return {
        name: (run, path.read_text().splitlines() if path.exists() else [])
        for (name, path), run in zip(asked.items(), render_all(runs), strict=True)
    }


@pytest.mark.parametrize("name", DONE)
def test_the_program_gets_the_words_of_the_playbook(runs, name):
    run, asked = runs[name]
    assert run.returncode == 0, run.stdout + run.stderr
    role, *_given, words = DONE[name]
    assert asked == ([f"{words} --plan"] if role == "restore" else []) + [words]
    assert "done" in run.stdout


@pytest.mark.parametrize("name", REFUSED)
def test_what_was_typed_wrong_is_refused_before_the_program_is_asked(runs, name):
    run, asked = runs[name]
    output = " ".join(run.stdout.split())
    assert run.returncode != 0 and not asked
    assert REFUSED[name][3] in output and "Nothing has changed." in output, output


def test_the_programs_refusal_is_said(runs):
    run, asked = runs["refused by the program"]
    assert run.returncode != 0 and len(asked) == 1
    assert f"{WORDS}. Nothing has changed." in " ".join(run.stdout.split())


def test_a_database_for_which_a_member_has_no_room_is_not_made(runs):
    run, asked = runs["too little room"]
    assert run.returncode != 0 and len(asked) == 1
    output = " ".join(run.stdout.split())
    assert "MiB free on db1, db2, db3, expected 1144409179 MiB for the database beside the live one" in output
    assert "Make room. Nothing has changed." in output


def test_the_application_is_asked_after_a_database_was_restored():
    plays = load(ROOT / "playbooks" / "restore_database.yml")
    assert [play["hosts"] for play in plays] == ["backup", "postgresql", "app"]
    assert plays[2]["tasks"][0]["ansible.builtin.include_role"] == {
        "name": "mainstay.platform.app",
        "tasks_from": "verify",
    }


@pytest.mark.parametrize("live", [True, False])
def test_restore_says_what_to_run_at_the_controller_and_does_nothing(monkeypatch, capsys, live):
    target = "2026-11-21 15:19:21"
    made = {"summary": "the last transaction, from backup F", "target": target, "live": live}
    monkeypatch.setattr(restoring, "plan", lambda _settings, _target, _timeline: made)
    given = cli.parser().parse_args(["restore", target, "--timeline", "1"])
    settings = SimpleNamespace(stanza="ledger", name="ops2", repository_key=2, offsite_key=0)
    assert cli.do_restore(settings, given) == 2
    said = capsys.readouterr().out
    assert "Nothing was done." in said
    words = shlex.split(said.splitlines()[-1])
    assert words[:4] == ["ansible-playbook", "-i", "INVENTORY", "mainstay.platform.restore"]
    expected = {
        "restore_cluster": "ledger",
        "restore_to": target,
        "restore_backup_host": "ops2",
        "restore_timeline": "1",
    }
    assert json.loads(words[5]) == expected | ({"restore_replace": True} if live else {})


def test_a_restore_says_how_much_room_it_takes_before_it_begins(monkeypatch, capsys, tmp_path):
    session = SimpleNamespace(value=lambda _sql: None)
    made = SimpleNamespace(session=session, target="look", bytes=10 * 2**20, path=tmp_path, work=tmp_path)
    monkeypatch.setattr(dumps, "prepared", lambda *_words: contextlib.nullcontext(made))

    def create(*_words):
        assert "look takes 10 MiB; every member needs 12 MiB" in capsys.readouterr().err
        raise Problem("far enough")

    monkeypatch.setattr(dumps, "create", create)
    with pytest.raises(Problem, match="far enough"):
        dumps.restore(None, "ledger", "latest", "look", None)
    assert dumps.plan(None, "ledger", "latest", "look", None)["needed_bytes"] == 10 * 2**20


def test_a_database_that_is_not_there_is_not_replaced(monkeypatch, tmp_path):
    asked = []
    session = SimpleNamespace(value=asked.append, ask=asked.append)  # finds nothing
    for name, value in {
        "find": lambda *_words: tmp_path,
        "lock": lambda _kind: contextlib.nullcontext(),
        "scratch": lambda _settings: contextlib.nullcontext(),
        "read_back": lambda *_words: None,
        "primary": lambda _settings, role: contextlib.nullcontext(session),
    }.items():
        monkeypatch.setattr(dumps, name, value)
    settings = SimpleNamespace(postgres=SimpleNamespace(restore_role="mainstay_restore"))
    with pytest.raises(Problem, match="database ledger: found none to replace; expected it; say --to ledger"):
        dumps.restore(settings, "ledger", "latest", None, "ledger")
    assert len(asked) == 1
