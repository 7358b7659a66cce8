# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What keeps etcd's leadership off the primary's host, asked against a Patroni and members that are played here."""

from __future__ import annotations

import http.server
import importlib.machinery
import importlib.util
import json
import threading
import urllib.request

import pytest
from repository import ROOT

PATH = ROOT / "roles" / "postgresql" / "files" / "mainstay-etcd-leader"
LOADER = importlib.machinery.SourceFileLoader("mainstay_etcd_leader", str(PATH))
PROGRAM = importlib.util.module_from_spec(importlib.util.spec_from_loader(LOADER.name, LOADER))
LOADER.exec_module(PROGRAM)
NAMES = {1: "one", 2: "two", 3: "three"}


def member(number, leader=1, index=10, **more):
    return {"header": {"member_id": str(number)}, "leader": str(leader), "raftIndex": str(index), **more}


class World:
    """One server that is Patroni and every member, by the first part of the path."""

    def __init__(self, primary, members):
        self.moved = []
        world = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status, body):
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self):
                self.answer(200 if primary else 503, {})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                name, call = self.path.split("/")[1], self.path.split("/")[-1]
                if call == "list":
                    listed = [
                        {"ID": str(number), "clientURLs": [f"{world.url}/{key}"]} for number, key in NAMES.items()
                    ]
                    return self.answer(200, {"members": [*listed, {"ID": "4"}]})
                if call == "transfer-leadership":
                    world.moved.append(body["targetID"])
                self.answer(200 if members.get(name) else 500, members.get(name) or {})

            def log_message(self, *_words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def run(self, *more):
        words = [f"--patroni={self.url}", f"--own={self.url}/one", "--ca=a", "--cert=b", "--key=c"]
        return PROGRAM.main([*words, *more])


@pytest.fixture
def world(monkeypatch):
    monkeypatch.setattr(PROGRAM, "opener", lambda _options: urllib.request.build_opener())
    worlds = []

    def make(primary, **members):
        worlds.append(World(primary, members))
        return worlds[-1]

    yield make
    for item in worlds:
        item.server.shutdown()


def test_leadership_moves_to_the_member_that_knows_most(world):
    here = world(True, one=member(1), two=member(2, index=9), three=member(3))
    status, said = here.run()
    assert (status, here.moved) == (0, ["3"]) and "moved" in said


def test_a_silent_member_is_passed_over(world):
    here = world(True, one=member(1), two=member(2), three=None)
    here.run()
    assert here.moved == ["2"]


@pytest.mark.parametrize("odd", [{"isLearner": True}, {"errors": ["NOSPACE"]}, {"leader": "9"}])
def test_who_cannot_lead_is_not_asked_to(world, odd):
    here = world(True, one=member(1), two=member(2) | odd, three=None)
    assert "no other member is healthy" in here.run()[1]
    assert here.moved == []


def test_a_replica_may_keep_it(world):
    here = world(False, one=member(1), two=member(2), three=member(3))
    assert here.run() == (0, "") and here.moved == []


def test_a_primary_that_is_led_from_elsewhere_has_nothing_to_do(world):
    here = world(True, one=member(1, leader=2), two=member(2, leader=2), three=member(3, leader=2))
    assert here.run() == (0, "") and here.moved == []


@pytest.mark.parametrize(("primary", "status"), [(True, 1), (False, 0)])
def test_the_gate_only_looks(world, primary, status):
    here = world(primary, one=member(1), two=member(2), three=member(3))
    assert here.run("--check")[0] == status
    assert here.moved == []
