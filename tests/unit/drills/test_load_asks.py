# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the load of the tests on the site asks: what it sends again and counts, and what became of what it wrote."""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "site"))
import load  # noqa: E402


class Handler(BaseHTTPRequestHandler):
    """The edge with an application: answers, or does what comes next among the server's `acts`."""

    protocol_version, wbufsize = "HTTP/1.1", -1  # an answer in one piece

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server = self.server
        act = server.acts.pop(0) if server.acts else ""
        status, said = 200, {"accounts": "operating"}
        if body:
            status, said = 201, {"id": f"entry-{len(server.asked)}"}
            rows = [(said["id"], json.loads(body)["amount"]), ("another", json.loads(body)["amount"])]
            # One that is forgotten is acknowledged all the same.
            server.rows += rows[: {"forget": 0, "twice": 2}.get(act, 1)]
        server.asked.append(self.command)
        self.close_connection = act in ("cut", "answer and close")
        if act == "cut":
            return
        content = json.dumps(said).encode()
        self.send_response(500 if act == "error" else status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer  # noqa: N815

    def log_message(self, *_words):
        pass


@pytest.fixture
def server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.acts, made.asked, made.rows = [], [], []
    threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def asking(server, monkeypatch):
    """A load on that server, whose rows stand for the database."""

    def sql(_lab, statement):
        if statement.startswith("delete"):
            server.rows.clear()
        return "\n".join(f"{entry}|{number}" for entry, number in server.rows)

    def connection(_self):
        return http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)

    monkeypatch.setattr(load, "LEAST", 0.01)  # whoever else is at work here may keep it from its pace
    monkeypatch.setattr(load, "sql", sql)
    monkeypatch.setattr(load, "Client", lambda _lab: types.SimpleNamespace(headers={}, context=None))
    monkeypatch.setattr(load.Load, "connection", connection)
    return load.Load(types.SimpleNamespace(edge_address="127.0.0.1"), workers=1, before=0.3)


GET, POST = 1, load.WRITES


@pytest.fixture
def kept(asking):
    """A connection that was asked once, and is open."""
    made = load.Kept(asking.connection())
    assert asking.ask(made, GET) == "" and made.open and not made.closed
    return made


def test_a_workers_connection_lives_from_one_request_to_the_next():
    assert load.Load.workers / load.RATE < load.KEPT < 2


@pytest.mark.parametrize("number", [GET, POST])
def test_a_connection_that_is_kept_is_asked_again(asking, server, kept, number):
    before = kept.connection.sock
    assert asking.ask(kept, number) == "" and kept.connection.sock is before and asking.repeated == 0
    assert asking.written == ({"entry-1": POST} if number == POST else {})


@pytest.mark.parametrize("number", [GET, POST])
def test_one_that_is_closed_while_idle_is_replaced_and_counted(asking, server, kept, number):
    server.acts = ["answer and close"]
    assert asking.ask(kept, GET) == ""
    end = time.monotonic() + 5
    while not kept.closed:
        assert time.monotonic() < end
    assert asking.ask(kept, number) == "" and asking.repeated == 1
    assert server.asked == ["GET", "GET", load.method(number)]


@pytest.mark.parametrize("number", [GET, POST])
def test_one_whose_time_has_come_is_replaced_without_a_word(asking, server, kept, number):
    kept.asked -= load.KEPT
    before = kept.connection.sock
    assert asking.ask(kept, number) == "" and kept.connection.sock is not before and asking.repeated == 0


def test_a_question_that_is_cut_off_is_asked_again_and_counted(asking, server, kept):
    server.acts = ["cut"]
    assert asking.ask(kept, GET) == "" and asking.repeated == 1
    assert server.asked == ["GET"] * 3


def test_it_is_asked_again_once(asking, server, kept):
    server.acts = ["cut", "cut"]
    with pytest.raises(http.client.RemoteDisconnected):
        asking.ask(kept, GET)
    assert server.asked == ["GET"] * 3


def test_a_write_that_is_cut_off_is_not_sent_again(asking, server, kept):
    server.acts = ["cut"]
    with pytest.raises(http.client.RemoteDisconnected):
        asking.ask(kept, POST)
    assert server.asked == ["GET", "POST"] and (asking.repeated, asking.written) == (0, {})


def test_a_new_connection_that_is_cut_off_was_not_idle(asking, server):
    server.acts = ["cut"]
    with pytest.raises(http.client.RemoteDisconnected):
        asking.ask(load.Kept(asking.connection()), GET)
    assert server.asked == ["GET"] and asking.repeated == 0


def run(asking, server, *acts):
    server.rows.append(("of the load before", 0))
    server.acts = list(acts)
    with asking as made:
        made.reach(25)
    assert len(server.asked) == len(made.answers) + made.repeated
    return made


def test_all_is_told(asking, server, capsys):
    made = run(asking, server, "", "cut", "", "error", "error")
    assert (made.repeated, len(made.failed), made.lost) == (1, 2, [])
    assert list(made.written.values()) == list(range(0, len(made.answers), load.WRITES))
    made.report("a drill")
    said = f"a drill: {len(made.answers)} requests, 2 failed, 1 repeated, {len(made.written)} written, 0 lost, p50"
    assert said in capsys.readouterr().out


def test_a_write_without_an_answer_has_failed_and_is_not_lost(asking, server):
    made = run(asking, server, "cut")
    assert made.failed == ["POST: RemoteDisconnected('Remote end closed connection without response')"]
    assert made.lost == [] and len(made.stored) == len(made.written) + 1


@pytest.mark.parametrize(
    ("act", "says"), [("forget", "entry-0 of request 0 is missing"), ("twice", "request 0 is there 2 times")]
)
def test_a_write_that_is_not_there_once_is_lost(asking, server, act, says):
    assert run(asking, server, act).lost == [says]
