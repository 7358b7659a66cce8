"""Restores on the lab that stands: to one second between two transactions, and of a copy that was damaged."""

from __future__ import annotations

import json

from tests.lab import Lab, primary

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


def sql(lab: Lab, statements: str) -> str:
    return lab.shell(primary(lab), "runuser -u postgres -- psql -X -A -t -q apg_cash", stdin=statements)


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
