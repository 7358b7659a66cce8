# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The return of traffic stops at what is red, at a host that is lost on the way, and at one bad answer."""

from __future__ import annotations

import contextlib
import re
import socketserver
import threading

import pytest
from repository import ROOT, load, render_with, tasks


@pytest.mark.parametrize(
    ("lost", "red", "words"),
    [
        ("nobody", {}, ["nothing"]),
        ("nobody", {"edge1": "edge1: too slow"}, ["edge1: too slow"]),
        ("edge2", {}, ["edge2 cannot be reached any more"]),
        ("edge1", {"edge2": "edge2: too slow"}, ["edge1 cannot be reached any more", "edge2: too slow"]),
    ],
)
def test_a_host_that_is_lost_is_red(lost, red, words):
    done = render_with("traffic.yml", {"lost": lost, "red": red})
    found = re.search(r"red: (.+)\.", done.stdout)
    assert found, done.stdout + done.stderr
    assert sorted(found[1].split("; ")) == words


def test_one_bad_answer_is_enough():
    """A deadline would be time to begin the count again."""
    gates = [
        task for task in tasks(load(ROOT / "roles/traffic/tasks/step.yml")) if "mainstay.platform.health_gate" in task
    ]
    assert [gate["mainstay.platform.health_gate"]["deadline"] for gate in gates] == [0]


class Haproxy(socketserver.StreamRequestHandler):
    """Holds whom it admits, and has served nobody."""

    def handle(self):
        words = self.rfile.readline().decode().split()
        if words[:2] == ["set", "map"]:
            self.server.admits = words[4]
        said = {"map": f"0x1 clients {self.server.admits}\n", "stat": "# pxname,svname,scur\napi,BACKEND,0\n"}
        self.wfile.write(said[words[1]].encode() if words[0] == "show" else b"\n")


@pytest.fixture
def step(tmp_path):
    """Takes a step, and gives the run and what each edge admits and has in its file after it."""

    def take(began, percent, lost, refuses=""):
        with contextlib.ExitStack() as stack:
            edges = {}
            for name in ("edge1", "edge2"):
                (tmp_path / f"{name}.map").write_text(f"clients {began}\n")
                server = socketserver.ThreadingUnixStreamServer(str(tmp_path / f"{name}.sock"), Haproxy)
                edges[name] = stack.enter_context(server)
                server.admits = began if name != refuses else "nothing"
                threading.Thread(target=server.serve_forever, daemon=True).start()
                stack.callback(server.shutdown)
            given = {"place": str(tmp_path), "began": began, "traffic_admit": percent, "lost": lost}
            done = render_with("traffic_step.yml", given)
        said = {name: (server.admits, (tmp_path / f"{name}.map").read_text()) for name, server in edges.items()}
        return done, said

    return take


def test_an_edge_that_is_lost_while_clients_are_admitted_has_the_others_step_back(step):
    done, edges = step("5", 25, "edge2")
    words = " ".join(done.stdout.split())
    assert edges["edge1"] == ("5", "clients 5\n"), done.stdout + done.stderr
    assert "25 % of the clients: found edge2 cannot be reached any more. 5 % are admitted again" in words
    assert done.returncode != 0


def test_an_edge_that_refuses_has_the_others_step_back(step):
    done, edges = step("5", 25, "nobody", refuses="edge2")
    assert edges["edge1"] == ("5", "clients 5\n"), done.stdout + done.stderr
    words = " ".join(done.stdout.split())
    assert "found edge2: HAProxy at" in words and "; edge2 did not step back: HAProxy at" in words, done.stdout
    assert done.returncode != 0


def test_nobody_comes_back_when_traffic_could_not_be_stopped_everywhere(step):
    done, edges = step("100", 0, "edge2")
    assert edges["edge1"] == ("0", "clients 0\n"), done.stdout + done.stderr
    assert "0 % of the clients: found edge2 cannot be reached any more. Edges that are not named" in " ".join(
        done.stdout.split()
    )
    assert done.returncode != 0


def test_a_good_step_stays(step):
    done, edges = step("5", 25, "nobody")
    assert {admits for admits, _kept in edges.values()} == {"25"} and done.returncode == 0, done.stdout
