# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The pooler's configuration as it is rendered: every release can read it, and the connections add up."""

from __future__ import annotations

import configparser

import pytest
import yaml
from repository import ROOT, load, render_with

TOPOLOGY = load(ROOT / "roles/platform/defaults/main/topology.yml")


def render(out, **variables):
    return render_with("render_pooler.yml", {"out": str(out), "distribution": "Debian", "major": "13", **variables})


def settings(path):
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes=(";",))
    parser.read(path)
    return parser


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    out = tmp_path_factory.mktemp("pooler") / "pgbouncer.ini"
    done = render(out)
    assert done.returncode == 0, done.stdout + done.stderr
    return settings(out)


def options(line):
    return dict(word.split("=") for word in line.split())


def test_all_pools_together_leave_what_is_reserved(rendered):
    limits = [int(options(line)["max_db_connections"]) for line in rendered["databases"].values()]
    allowed = TOPOLOGY["platform_postgresql_connections"] - TOPOLOGY["platform_postgresql_connections_reserved"]
    assert len(limits) == 3 and allowed - 3 < sum(limits) <= allowed


def test_a_role_gets_no_more_than_postgresql_lets_it_have(rendered):
    assert rendered["users"]["ledger"] == "max_user_connections=60"
    assert "reports" not in rendered["users"]


def test_the_second_login_of_a_role_has_the_same_limit(rendered):
    assert rendered["users"]["ledger_2"] == rendered["users"]["ledger"]


def test_the_pooler_looks_logins_up_by_its_present_login(rendered, tmp_path):
    done = render(tmp_path / "second.ini", platform_second_logins=["mainstay_pooler"])
    assert done.returncode == 0, done.stdout + done.stderr
    marks = [rendered["databases"]["ledger"], settings(tmp_path / "second.ini")["databases"]["ledger"]]
    assert [options(line)["auth_user"] for line in marks] == ["mainstay_pooler", "mainstay_pooler_2"]


def test_both_sides_speak_verified_tls(rendered):
    pooler = rendered["pgbouncer"]
    assert (pooler["client_tls_sslmode"], pooler["server_tls_sslmode"]) == ("require", "verify-full")
    assert pooler["server_tls_ca_file"] == "/etc/mainstay/tls/ca.crt"
    assert {pooler["client_tls_protocols"], pooler["server_tls_protocols"]} == {"secure"}
    assert all(options(line)["host"] == "10.0.21.11" for line in rendered["databases"].values())


def test_a_session_belongs_to_one_transaction(rendered):
    assert rendered["pgbouncer"]["pool_mode"] == "transaction"
    assert rendered["pgbouncer"]["max_prepared_statements"] == "200"


def test_an_old_release_gets_nothing_that_it_does_not_know_or_that_keeps_logins_out(tmp_path):
    done = render(tmp_path / "old.ini", major="12")
    assert done.returncode == 0, done.stdout + done.stderr
    old = settings(tmp_path / "old.ini")
    assert not {"max_prepared_statements", "auth_dbname"} & set(old["pgbouncer"])
    assert "users" not in old


def test_the_mark_changes_with_a_certificate_and_gives_no_secret_away(rendered, tmp_path):
    done = render(tmp_path / "new.ini", __pgbouncer_certificates={"stdout_lines": ["abc /ca.crt", "new /host.crt"]})
    assert done.returncode == 0, done.stdout + done.stderr
    marks = [rendered["pgbouncer"]["syslog_ident"], settings(tmp_path / "new.ini")["pgbouncer"]["syslog_ident"]]
    assert marks[0] != marks[1]
    assert "-secret" not in (tmp_path / "new.ini").read_text()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"postgresql_connections": 26}, "found 6 for 2 databases, expected at least 8"),
        ({"pgbouncer_client_connections": 50}, "pgbouncer_client_connections on db1: found 50"),
        ({"pgbouncer_databases": ["led ger"]}, "found led ger, expected letters"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path, variables, message):
    done = render(tmp_path / "no.ini", **variables)
    assert done.returncode != 0
    assert message in " ".join(done.stdout.split())


def test_clients_come_to_the_pooler_and_only_poolers_to_the_server():
    server = load(ROOT / "roles/postgresql/vars/main.yml")
    assert "edge" not in yaml.safe_dump([server["__postgresql_access"], server["__postgresql_pooled"]])
    entries = (ROOT / "roles/haproxy/templates/haproxy/postgresql.cfg.j2").read_text()
    assert "platform_port_pgbouncer" in entries and "platform_port_postgresql }}" not in entries
