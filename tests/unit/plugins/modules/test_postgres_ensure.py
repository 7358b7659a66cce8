# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import types

import pytest
from ansible_collections.mainstay.platform.plugins.modules import postgres_ensure

ITEM = {"name": "rights", "database": "ledger", "unless": "ask", "sql": "do", "role": None, "record": None}


class Error(Exception):
    """Stands for psycopg2.Error where the driver is not installed."""


class Server:
    """A connection that remembers what it ran; what is in `effective` makes the question true."""

    def __init__(self, effective=("do",), broken=()):
        self.effective, self.broken, self.ran, self.committed = effective, broken, [], False

    def cursor(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_details):
        return False

    def execute(self, sql):
        if sql in self.broken:
            raise Error("syntax error")
        self.ran.append(sql)

    def fetchone(self):
        return [any(sql in self.effective for sql in self.ran)]

    def commit(self):
        self.committed = True

    def rollback(self):
        pass


@pytest.fixture(autouse=True)
def driver(monkeypatch):
    errors = types.SimpleNamespace(UndefinedTable=type("UndefinedTable", (Error,), {}))
    monkeypatch.setattr(postgres_ensure, "psycopg2", types.SimpleNamespace(Error=Error, errors=errors))


def test_what_is_there_is_left_alone():
    server = Server(effective=("ask",))
    assert postgres_ensure.ensure(server, ITEM, False) is False
    assert server.ran == ["ask"]


def test_what_is_missing_is_done_asked_again_and_committed():
    server = Server()
    assert postgres_ensure.ensure(server, ITEM, False) is True
    assert server.ran == ["ask", "do", "ask"] and server.committed


def test_a_role_does_it_and_the_user_records_it():
    server = Server()
    postgres_ensure.ensure(server, {**ITEM, "role": 'o"o', "record": "note"}, False)
    assert server.ran == ["ask", 'set role "o""o"', "do", "reset role", "note", "ask"]


def test_check_mode_only_asks():
    server = Server()
    assert postgres_ensure.ensure(server, ITEM, True) is True
    assert server.ran == ["ask"] and not server.committed


def test_what_does_not_help_is_not_committed():
    server = Server(effective=())
    with pytest.raises(postgres_ensure.Refused, match="still missing after its SQL ran"):
        postgres_ensure.ensure(server, ITEM, False)
    assert not server.committed


def test_an_error_says_where_and_what():
    server = Server(broken=("do",))
    with pytest.raises(postgres_ensure.Refused, match="rights in database ledger: found syntax error"):
        postgres_ensure.ensure(server, ITEM, False)
    assert not server.committed


def test_a_table_that_is_not_there_yet_refuses_nothing(monkeypatch):
    server = Server()

    def missing(_sql):
        raise postgres_ensure.psycopg2.errors.UndefinedTable()

    monkeypatch.setattr(server, "execute", missing)
    assert postgres_ensure.reason(server, "why") is None
