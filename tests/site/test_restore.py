"""Restores on the lab that stands: what is refused, a second between two transactions, a killed run, a damaged copy."""

from __future__ import annotations

import json
import re
import time

import pytest

from tests.lab import Lab, sql

DRILL = "/var/lib/mainstay/drill"
# The moment is a whole second, at least half a second after the one row and more than one before the other.
TWO_ROWS = """
drop table if exists restore_marks;
create table restore_marks (mark text);
insert into restore_marks values ('before');
select pg_sleep(1.5);
select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS');
select pg_sleep(1.5);
insert into restore_marks values ('after');
"""
DAMAGE = "update restore_marks set mark = 'damaged' where mark = 'before'"


# What is typed, and the words of the refusal.
NAMED = {"restore_cluster": "apg-cash", "restore_replace": True}
REFUSED = {
    "no name": (
        {},
        ["restore_cluster: found nothing", "expected apg-cash", "Type it with -e restore_cluster=apg-cash"],
    ),
    "a wrong name": ({"restore_cluster": "apg"}, ["restore_cluster: found apg, expected apg-cash"]),
    "a target with data": (
        {"restore_cluster": "apg-cash"},
        ["found data, expected none", "Add -e restore_replace=true"],
    ),
    # The disk is the machine's: room for a million times the database stands in for one that is full.
    "too little room": (
        {**NAMED, "__restore_room": 10**6},
        ["MiB free, expected", "for the copy beside the data", "Make room"],
    ),
    "an unknown point": (
        {**NAMED, "restore_to": "nobody_knows"},
        ["found nobody_knows, which nobody knows; expected a restore point"],
    ),
    "too early": (
        {**NAMED, "restore_to": "2020-01-01 00:00:00"},
        ["before the end of the oldest backup", "expected a later one"],
    ),
    "in the future": ({**NAMED, "restore_to": "2099-01-01 00:00:00"}, ["in the future; expected one up to now"]),
    "no such transaction": (
        {**NAMED, "restore_to": "xid:4000000000"},
        ["transaction 4000000000 in the future", "expected a committed one"],
    ),
    "no moment": (
        {**NAMED, "restore_to": "yesterday at noon"},
        ["found 'yesterday at noon'; expected latest, a time such as"],
    ),
    "another backup host": (
        {**NAMED, "restore_backup_host": "ops9"},
        ["restore_member, restore_backup_host: found", "and ops9, expected"],
    ),
}


def members(lab: Lab) -> list[str]:
    return [host for host in lab.hosts if host.startswith("db")] or lab.hosts


def state(lab: Lab) -> list[str]:
    """What a stop or a restore would leave a trace in: every server's start and timeline, Patroni, restore points."""
    ask = "select pg_postmaster_start_time(), (select timeline_id from pg_control_checkpoint())"
    found = [
        lab.shell(host, f'runuser -u postgres -- psql -X -A -t -c "{ask}"; systemctl is-enabled patroni')
        for host in members(lab)
    ]
    return [*found, str(json.loads(lab.shell(lab.backup_host, "mainstay-backup list --json"))["points"])]


def refused(
    lab: Lab, words: list[str], *arguments: str, playbook: str = "restore", end: str = "Nothing was stopped."
) -> None:
    """Run it, and see it refuse in these words, before anything stopped or changed."""
    before = state(lab)
    run = lab.playbook(playbook, *arguments)
    output = " ".join(run.output.split())
    assert run.status != 0, run.tail()
    assert run.changed == {}, run.changed
    for word in [*words, end]:
        assert word in output, f"{word!r} is not in: {run.tail()}"
    assert state(lab) == before


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_restored_is_refused_before_anything_stops(lab: Lab, name: str):
    typed, words = REFUSED[name]
    refused(lab, words, "-e", json.dumps(typed))


def test_another_encryption_key_is_refused_before_anything_stops(lab: Lab):
    host, path = lab.backup_host, "/etc/pgbackrest/repository.conf"
    before = state(lab)
    lab.shell(
        host, f"cp --preserve {path} {path}.kept && sed -i 's/cipher-pass=.*/cipher-pass=of-another-repository/' {path}"
    )
    try:
        run = lab.playbook("restore", "-e", json.dumps(NAMED))
    finally:
        lab.shell(host, f"mv {path}.kept {path}")
    output = " ".join(run.output.split())
    assert run.status != 0 and run.changed == {}, run.tail()
    for word in (
        "found it not readable with this encryption key",
        "put the former secret backup_cipher back",
        "Nothing was stopped.",
    ):
        assert word in output, run.tail()
    assert state(lab) == before


def test_a_run_without_a_member_is_refused_before_anything_stops(lab: Lab):
    if lab.name == "small":
        pytest.skip("the small lab has one member")
    leave_out = ("--limit", "all:!db3")
    refused(lab, ["found a run on db1, db2, expected all of db1, db2, db3"], *leave_out, "-e", json.dumps(NAMED))
    alive = ["restore_without: found db3 answering", "it would go on as a cluster of its own"]
    refused(lab, alive, *leave_out, "-e", json.dumps({**NAMED, "restore_without": "db3"}))


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (
            {"restore_database_instead": "apg_cast"},
            ["found apg_cash, apg_cast and nothing, expected the name of a database"],
        ),
        ({"restore_backup_host": "ops9"}, ["restore_backup_host: found ops9, expected one of"]),
        # As above, for a full disk.
        ({"__restore_room": 10**9}, ["MiB free on", "for the database beside the live one", "Make room"]),
        ({"restore_database_from": "20010101_000000"}, ["found no such file; expected one of: apg_cash-"]),
    ],
)
def test_a_database_that_cannot_be_made_is_refused_before_anything_changes(lab: Lab, typed: dict, words: list[str]):
    given = json.dumps({"restore_database": "apg_cash", **typed})
    refused(lab, words, "-e", given, playbook="restore_database", end="Nothing has changed.")


def test_a_database_comes_back_from_its_dump_and_the_application_is_asked(lab: Lab):
    # As its owner: only a superuser could restore what belongs to one.
    sql(
        lab, "drop table if exists restore_marks; set role apg_cash; create table restore_marks as select 'dumped' mark"
    )
    taken = lab.playbook("backup_take", "-e", json.dumps({"backup_take": "dump apg_cash"}))
    assert taken.status == 0, taken.tail()
    assert "apg_cash-" in lab.playbook("backup_list").output
    sql(lab, "update restore_marks set mark = 'later'")
    given = {"restore_database": "apg_cash", "restore_database_instead": "apg_cash"}
    run = lab.playbook("restore_database", "-e", json.dumps(given))
    assert run.status == 0, run.tail()
    assert sql(lab, "select mark from restore_marks") == "dumped"
    aside = sql(lab, "select datname from pg_database where datname ~ '^apg_cash_before_'").split()
    for name in aside:
        sql(lab, f"drop database {name}")
    again = lab.playbook("site")
    assert again.status == 0, again.tail()
    assert again.changed == {}, again.tail(200)


def test_restore_on_the_backup_host_says_what_to_run(lab: Lab):
    before = state(lab)
    said = lab.shell(lab.backup_host, "mainstay-backup restore latest; echo status $?")
    assert "Nothing was done." in said and said.endswith("status 2")
    assert "ansible-playbook -i INVENTORY mainstay.platform.restore -e" in said
    assert state(lab) == before


def test_the_restore_drill_passes(lab: Lab):
    run = lab.playbook("restore_drill")
    assert run.status == 0, run.tail()


def test_a_restore_to_a_second_between_two_transactions_has_exactly_the_first(lab: Lab):
    moment = next(line for line in sql(lab, TWO_ROWS).splitlines() if line.startswith("20"))
    assert sql(lab, "select mark from restore_marks").split() == ["before", "after"]
    options = {"restore_cluster": "apg-cash", "restore_replace": True, "restore_to": moment}
    run = lab.playbook("restore", "-e", json.dumps(options))
    assert run.status == 0, run.tail()
    assert sql(lab, "select mark from restore_marks").split() == ["before"]
    again = lab.playbook("site")
    assert again.status == 0, again.tail()
    assert again.changed == {}, again.tail(200)


def test_what_was_written_since_the_member_leads_is_there_after_a_killed_run(lab: Lab):
    point = f"kept_{int(time.time())}"
    lab.shell(lab.backup_host, f"mainstay-backup point {point}")
    options = json.dumps({**NAMED, "restore_to": point})
    lab.killed(re.escape(": follow | Read whether they follow]"), "restore", "-e", options)
    sql(lab, "drop table if exists restore_marks; create table restore_marks as select 'acknowledged' mark")
    # Members come and go on their own here, so that nothing else can be compared.
    for playbook, target, words in (
        ("restore_back_out", point, "found that clients may write to the restored data since"),
        ("restore", "latest", f"found latest, while a restore to {point} has not come to its end"),
    ):
        run = lab.playbook(playbook, "-e", json.dumps({**NAMED, "restore_to": target}))
        output = " ".join(run.output.split())
        assert run.status != 0 and run.changed == {}, run.tail()
        assert words in output and "restore_lose_writes=true" in output, run.tail()
    run = lab.playbook("restore", "-e", options)
    assert run.status == 0, run.tail()
    assert sql(lab, "select mark from restore_marks") == "acknowledged"
    for host in members(lab):
        assert lab.shell(host, "ls /var/lib/postgresql/*/ | grep -E 'before-restore|restore.json' || true") == ""


def test_a_row_that_was_damaged_in_the_copy_fails_the_drill_which_says_where(lab: Lab):
    sql(lab, "create table if not exists restore_marks (mark text); insert into restore_marks values ('before')")
    lab.shell("ops1", "mainstay-backup drill --keep")
    server = "$(ls -d /usr/lib/postgresql/*/bin/postgres)"
    single = f"{server} --single -D {DRILL}/data -c config_file={DRILL}/postgresql.conf apg_cash"
    lab.shell("ops1", f"runuser -u postgres -- {single}", stdin=f"{DAMAGE}\n")
    found = lab.shell("ops1", "mainstay-backup drill --check 2>&1 && echo passed", check=False)
    assert "table public.restore_marks" in found, found
    assert "differ in blocks 0" in found, found
    assert not found.endswith("passed")
    lab.shell("ops1", "mainstay-backup drill")
    assert lab.playbook("verify").status == 0
