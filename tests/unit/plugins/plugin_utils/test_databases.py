# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.filter.databases import database_gates, database_statements
from ansible_collections.mainstay.platform.plugins.plugin_utils import _databases

LEDGER = {
    "name": "ledger",
    "owner": "ledger",
    "writers": ["api"],
    "readers": ["reports"],
    "scripts": [{"name": "schema", "path": "/sql/schema.sql"}],
    "gates": [{"name": "ten provinces", "sql": "select count(*) from provinces", "expected": 10}],
}
ROLES = [{"name": "ledger", "statement_timeout": "30s"}, {"name": "api"}, {"name": "reports"}]
TEXTS = {"/sql/schema.sql": "create table provinces (name text)"}


def made(database=None):
    return {
        (item["database"], item["name"]): item
        for item in database_statements([database or LEDGER], ROLES, "mainstay_pooler", TEXTS)
    }


def test_every_database_can_look_logins_up():
    found = made()
    for database in ("postgres", "template1", "ledger"):
        sql = found[(database, "logins for the pooler")]["sql"]
        assert "security definer set search_path = pg_catalog" in sql
        assert "revoke all on function mainstay.pooler_login(name) from public" in sql
        assert "not rolsuper and not rolreplication" in sql


def test_roles_have_the_timeouts_of_the_inventory_or_the_guards():
    found = made()
    ledger = found[("postgres", "timeouts of the role ledger")]
    assert "'statement_timeout=30s', 'idle_in_transaction_session_timeout=60s'" in ledger["unless"]
    assert "set statement_timeout = '0'" in found[("postgres", "timeouts of the role api")]["sql"]


def test_only_the_roles_of_a_database_connect():
    sql = made()[("ledger", "only its roles connect")]["sql"]
    assert sql.startswith('revoke all on database "ledger" from public')
    assert sql.endswith('to "ledger", "api", "reports", "mainstay_pooler"')


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("api writes to the schema public", "SELECT, INSERT, UPDATE, DELETE"),
        ("reports reads from the schema public", "SELECT"),
    ],
)
def test_rights_reach_tables_of_today_and_of_tomorrow(name, tables):
    sql = made()[("ledger", name)]["sql"]
    assert f'grant {tables} on all tables in schema "public" to' in sql
    assert f'alter default privileges for role "ledger" in schema "public" grant {tables} on tables to' in sql


def test_a_reader_gets_nothing_that_writes():
    sql = made()[("ledger", "reports reads from the schema public")]["sql"]
    assert not {"INSERT", "UPDATE", "DELETE", "USAGE"} & set(sql.replace(",", " ").split())


def test_a_script_runs_as_the_owner_and_is_remembered_by_its_text():
    script = made()[("ledger", "the script schema")]
    assert (script["role"], script["sql"]) == ("ledger", TEXTS["/sql/schema.sql"])
    other = _databases.script_statement("ledger", "ledger", LEDGER["scripts"][0], "create table towns ()")
    assert script["unless"] != other["unless"]
    assert "put the old text back" in other["refuse"]


def test_rights_come_before_scripts_so_that_they_reach_what_scripts_make():
    names = [name for _database, name in made()]
    assert names.index("reports reads from the schema public") < names.index("the script schema")


def test_names_and_texts_cannot_leave_their_quotes():
    odd = {"name": 'a"b', "owner": "o'o"}
    sql = " ".join(item["sql"] for item in _databases.statements_of(odd, "p", {}))
    assert '"a""b"' in sql and '"o\'o"' in sql
    assert _databases.text_("o'o") == "'o''o'"


def test_gates_ask_for_everything_and_for_what_the_inventory_asks():
    statements = database_statements([LEDGER], ROLES, "mainstay_pooler", TEXTS)
    found = database_gates([LEDGER], statements, {"host": "/run/postgresql"})
    assert [item["gate"] for item in found][-1] == "ledger: ten provinces"
    assert found[-1]["args"]["expect_value"] == 10
    whole = next(item for item in found if item["args"]["database"] == "ledger")
    assert all(item["unless"] in whole["args"]["query"] for item in statements if item["database"] == "ledger")
    assert all(item["remedy"] for item in found)
