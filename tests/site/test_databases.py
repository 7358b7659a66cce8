"""Databases as data on the live cluster: rights reach later tables, a script runs once, a wrong gate says its words."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab import Lab, primary

DATABASE = "apg_cash"
TABLE = "made_after_the_run"
SCRIPT = "select_of_a_test"
# Every role is asked at the server itself, from its own host: what the pooler does is another test.
ASK = (
    "psql -XAtqw -v ON_ERROR_STOP=1 -d 'host={at} port=5432 dbname={database} user={login}"
    " sslmode=verify-full sslrootcert={ca}'"
)


def reference(lab: Lab) -> list[dict]:
    """The databases of the lab's inventory, whose paths are templates."""
    path = lab.inventory / "group_vars/all/apg/postgresql.yml"
    return yaml.safe_load(path.read_text().replace("{{ inventory_dir }}", str(lab.inventory)))["postgresql_databases"]


def ask(lab: Lab, role: str, statement: str) -> tuple[bool, str]:
    """Whether the role may, and the answer or the reason."""
    vault, host = lab.vault(), primary(lab)
    login = f"{role}_2" if role in vault.get("platform_second_logins", []) else role
    words = ASK.format(at=lab.address(host), database=DATABASE, login=login, ca="/etc/mainstay/tls/ca.crt")
    done = subprocess.run(
        ["docker", "exec", "-i", "-e", "PGPASSWORD", f"{lab.name}-{host}", "bash", "-c", words],
        input=statement,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PGPASSWORD": vault["platform_secrets"][f"postgresql_role_{role}"]},
    )
    return done.returncode == 0, (done.stdout or done.stderr).strip()


def as_superuser(lab: Lab, statement: str) -> str:
    return lab.shell(primary(lab), f"runuser -u postgres -- psql -XAtq -d {DATABASE}", stdin=statement)


@pytest.fixture
def later(lab: Lab) -> Iterator[None]:
    """A table of the owner, with a sequence, which no run has seen."""
    done, said = ask(lab, DATABASE, f"create table {TABLE} (id serial primary key, memo text)")
    assert done, said
    yield
    as_superuser(lab, f"drop table {TABLE}")


def test_rights_reach_a_table_that_is_made_later(lab: Lab, later):
    assert ask(lab, "apg_cash_import", f"insert into {TABLE} (memo) values ('first') returning id") == (True, "1")
    assert ask(lab, "apg_cash_read", f"select memo from {TABLE}") == (True, "first")
    assert ask(lab, "apg_cash_import", f"update {TABLE} set memo = 'second' returning memo") == (True, "second")
    assert ask(lab, "apg_cash_import", f"delete from {TABLE} returning memo") == (True, "second")


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("apg_cash_read", f"insert into {TABLE} (memo) values ('no')"),
        ("apg_cash_read", f"delete from {TABLE}"),
        ("apg_cash_read", "create table mine (id int)"),
        ("apg_cash_import", "create table mine (id int)"),
        ("apg_cash_import", f"drop table {TABLE}"),
        ("apg_cash_import", "select * from mainstay.pooler_login('apg_cash')"),
    ],
)
def test_nobody_may_more(lab: Lab, later, role: str, statement: str):
    may, said = ask(lab, role, statement)
    assert not may
    assert "permission denied" in said or "must be owner" in said, said


def test_roles_have_the_timeouts_of_the_inventory(lab: Lab):
    for role, timeout in (("apg_cash", "30s"), ("apg_cash_import", "5min"), ("apg_cash_read", "5min")):
        assert ask(lab, role, "show statement_timeout") == (True, timeout)
        assert ask(lab, role, "show idle_in_transaction_session_timeout") == (True, "1min")


@pytest.fixture
def changed(lab: Lab, tmp_path: Path) -> Iterator[dict]:
    """The databases with one script more, for a run with -e; afterwards nothing of it is left."""
    databases = copy.deepcopy(reference(lab))
    script = tmp_path / "seed.sql"
    script.write_text(f"create table {SCRIPT} (n int primary key); insert into {SCRIPT} values (1);\n")
    databases[0]["scripts"].append({"name": SCRIPT, "path": str(script)})
    yield {"script": script, "databases": databases}
    as_superuser(lab, f"drop table if exists {SCRIPT}; delete from mainstay.scripts where name = '{SCRIPT}'")


def run(lab: Lab, databases: list[dict]):
    return lab.playbook("data", "--tags", "postgresql", "-e", json.dumps({"postgresql_databases": databases}))


def test_a_script_runs_once(lab: Lab, changed):
    first = run(lab, changed["databases"])
    assert first.status == 0, first.tail()
    assert sum(first.changed.values()) == 1, first.changed
    ran = as_superuser(lab, f"select ran_at from mainstay.scripts where name = '{SCRIPT}'")
    assert ran and ask(lab, "apg_cash_read", f"select n from {SCRIPT}") == (True, "1")
    second = run(lab, changed["databases"])
    assert second.status == 0, second.tail()
    assert second.changed == {}, second.tail(200)
    assert as_superuser(lab, f"select ran_at from mainstay.scripts where name = '{SCRIPT}'") == ran

    changed["script"].write_text(f"insert into {SCRIPT} values (2);\n")
    other = run(lab, changed["databases"])
    output = " ".join(other.output.split())
    assert other.status != 0 and other.changed == {}, other.tail()
    for words in (
        f"script {SCRIPT} of database {DATABASE}: found another text",
        "add a new script",
        "Nothing was changed",
    ):
        assert words in output, other.tail()
    assert ask(lab, "apg_cash_read", f"select n from {SCRIPT}") == (True, "1")


def test_a_script_that_fails_leaves_nothing(lab: Lab, changed):
    changed["script"].write_text(f"create table {SCRIPT} (n int primary key); insert into {SCRIPT} values (1), (1);\n")
    failed = run(lab, changed["databases"])
    output = " ".join(failed.output.split())
    assert failed.status != 0 and failed.changed == {}, failed.tail()
    assert f"the script {SCRIPT} in database {DATABASE}: found" in output and "It was rolled back" in output, (
        failed.tail()
    )
    assert (
        as_superuser(
            lab, f"select to_regclass('{SCRIPT}') is null, count(*) from mainstay.scripts where name = '{SCRIPT}'"
        )
        == "t|0"
    )


def test_a_wrong_gate_is_red_with_its_words(lab: Lab):
    databases = copy.deepcopy(reference(lab))
    gate = {
        "name": "six currencies",
        "sql": "select count(*) from currencies",
        "expected": 6,
        "remedy": "Ask the treasury.",
    }
    databases[0]["gates"].append(gate)
    asked = {"postgresql_databases": databases, "report_roles": ["postgresql"], "verify_deadline": 1}
    host = primary(lab)
    verify = lab.playbook("verify", "--limit", host, "-e", json.dumps(asked))
    assert verify.status != 0, verify.tail()
    found = json.loads((lab.state / "findings.json").read_text())["findings"]
    (red,) = [finding for finding in found if finding["verdict"] == "fail"]
    assert red["gate"] == f"{DATABASE}: six currencies"
    assert "5" in red["evidence"] and "6" in red["evidence"], red
    assert red["remedy"] == "Ask the treasury."
    # The right ones, asked in the same run, hold.
    held = {finding["gate"] for finding in found if finding["verdict"] == "pass"}
    assert {f"{DATABASE}: at least 1 table", f"{DATABASE}: currencies"} <= held
