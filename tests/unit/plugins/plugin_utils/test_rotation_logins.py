# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.filter.rotation import FilterModule
from ansible_collections.mainstay.platform.plugins.plugin_utils import _databases, _rotation

LEDGER = {"name": "ledger", "connection_limit": 60}
POOLER = {"name": "mainstay_pooler", "secret": "postgresql_pooler"}
SECRETS = {"postgresql_role_ledger": "new", "postgresql_pooler": "pool"}


def logins(former=None, second=()):
    return {item["name"]: item for item in _rotation.role_logins([LEDGER, POOLER], SECRETS, former or {}, second)}


def test_a_role_that_never_rotated_logs_in_as_itself():
    found = logins()
    assert found["ledger"] == {**LEDGER, "role": "ledger", "present": True, "password": "new"}
    assert found["ledger_2"] == {
        **LEDGER,
        "name": "ledger_2",
        "role": "ledger",
        "present": False,
        "password": None,
    }
    assert found["mainstay_pooler"]["password"] == "pool" and "secret" not in found["mainstay_pooler"]


def test_while_secrets_rotate_both_logins_are_open():
    found = logins({"postgresql_role_ledger": "former"}, ["ledger"])
    assert (found["ledger"]["password"], found["ledger"]["present"]) == ("former", False)
    assert (found["ledger_2"]["password"], found["ledger_2"]["present"]) == ("new", True)
    assert found["mainstay_pooler_2"]["password"] is None


def test_logins_are_tried_where_their_role_has_a_database():
    found = _rotation.login_attempts(
        logins({"postgresql_role_ledger": "former"}, ["ledger"]).values(), [{"name": "books", "owner": "ledger"}]
    )
    assert found == [
        {"user": "ledger", "password": "former", "database": "books"},
        {"user": "ledger_2", "password": "new", "database": "books"},
    ]


def test_a_rotation_turns_the_logins_of_what_rotates_only():
    vault = {"platform_secrets": SECRETS, "platform_second_logins": ["ledger"], "else": 1}
    begun = _rotation.begun_rotation(vault, ["postgresql_role_ledger"], [LEDGER, POOLER])
    assert begun["platform_second_logins"] == [] and begun["else"] == 1
    assert begun["platform_former_secrets"] == {"postgresql_role_ledger": "new"}
    assert begun["platform_secrets"]["postgresql_pooler"] == "pool"
    assert len(begun["platform_secrets"]["postgresql_role_ledger"]) == 48
    assert vault["platform_secrets"]["postgresql_role_ledger"] == "new"


def test_what_is_missing_is_named_and_no_secret_is():
    with pytest.raises(AnsibleFilterError, match="found no 'platform_secrets'") as caught:
        FilterModule().filters()["begun_rotation"]({"other": "value"}, [], [])
    assert "value" not in str(caught.value)


def test_the_second_login_acts_as_its_role():
    made = _databases.login_statement(logins({}, ["ledger"])["ledger_2"])
    assert made["name"] == "ledger_2 acts as ledger"
    assert 'grant "ledger" to "ledger_2"; alter role "ledger_2" set role = ' in made["sql"]
    assert "@> array['role=ledger']" in made["unless"] and "idle_in_transaction" in made["sql"]
    assert "new" not in str(made)


def test_a_login_without_a_password_is_closed_when_it_is_there():
    made = _databases.login_statement(logins({}, ["ledger"])["ledger"])
    assert made["sql"] == 'alter role "ledger" nologin password null'
    assert made["unless"].startswith("select not exists (select from pg_authid where rolname = 'ledger'")
