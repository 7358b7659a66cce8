# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Instances that are no longer wanted go when clients have left them at every edge, and no sooner."""

from __future__ import annotations

import contextlib
import json
import shutil
import socketserver
import threading
from http.server import BaseHTTPRequestHandler

import pytest
from repository import ROOT, render_with

STATE = (
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_check_state srv_port\n"
    "4 api 1 app1-1 10.0.11.11 2 0 6 8000\n"
    "4 api 2 app1-2 10.0.11.11 2 {admin} 6 8001\n"
    "4 api 3 app2-2 10.0.11.12 2 0 6 8001\n"
)
STATS = "# pxname,svname,scur\napi,app1-1,5\napi,app1-2,{sessions}\napi,app2-2,5\n"
PORTS = {"api-1": [8000], "api-2": [8001, 8101], "worker-1": []}


class Engine(BaseHTTPRequestHandler):
    """Has some containers, and says when one is stopped and when one goes."""

    def containers(self):
        for name, ports in PORTS.items():
            there = {"Id": name * 9, "Names": [f"/{name}"], "Labels": {"mainstay.app": "true"}, "State": "running"}
            yield {**there, "Ports": [{"PrivatePort": port, "PublicPort": port} for port in ports]}

    def do_GET(self):
        found = {"ApiVersion": "1.43", "Name": "engine"}
        if self.path.split("?")[0].endswith("/containers/json"):
            found = list(self.containers())
        elif self.path.endswith("/json"):
            name = self.path.split("/")[-2]
            found = {"Id": name, "Name": name, "Image": "sha256:1", "State": {"Running": True, "Status": "running"}}
            found |= {"Config": {"Image": "example/api:1"}, "HostConfig": {}}
        self.answer(200, found)

    def do_POST(self):
        self.server.seen.append(f"stop {self.path.split('/')[-2][:5]}")
        self.answer(204, None)

    def do_DELETE(self):
        self.server.seen.append(f"remove {self.path.split('/')[-1][:5]}")
        self.answer(204, None)

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if body is not None:
            self.wfile.write(json.dumps(body).encode())

    def address_string(self):
        return "socket"

    def log_message(self, *_words):
        pass


class Haproxy(socketserver.StreamRequestHandler):
    """Brings clients to three instances; one that is drained is empty at the second look."""

    def handle(self):
        command = self.rfile.readline().decode().strip()
        edge = self.server
        if command == "show servers state":
            said = STATE.format(admin=8 if edge.drained else 0)
        elif command == "show stat":
            said = STATS.format(sessions=edge.sessions)
            if edge.drained:
                edge.seen.append("busy" if edge.sessions else "empty")
                edge.sessions = 0
        else:
            edge.seen.append(command)
            edge.drained = command == "set server api/app1-2 state drain"
            said = "\n"
        self.wfile.write(said.encode())


@pytest.fixture
def place(tmp_path):
    """Where the run happens, and what was seen there in order."""
    shutil.copytree(ROOT / "roles/app/tasks", tmp_path / "tasks")
    (tmp_path / "tasks/instance.yml").write_text("[]")
    (tmp_path / "app").mkdir()
    (tmp_path / "bin").mkdir()
    for name in ("systemctl", "systemd-run"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
        (tmp_path / "bin" / name).chmod(0o755)
    seen = []
    with contextlib.ExitStack() as stack:
        for name, handler in {"engine": Engine, "edge1.sock": Haproxy, "edge2.sock": Haproxy}.items():
            server = stack.enter_context(socketserver.ThreadingUnixStreamServer(str(tmp_path / name), handler))
            server.seen, server.drained, server.sessions = seen, False, 2
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
        yield tmp_path, seen


def test_clients_leave_every_edge_before_an_instance_goes(place):
    path, seen = place
    given = {"place": str(path), "engine": f"unix://{path}/engine", "platform_state_dir": str(path), "app_secrets": {}}
    given |= {"platform_haproxy_socket": "{{ place }}/{{ __app_edge.name }}.sock", "app_memory_mb": 8000}
    given["app_services"] = [{"name": "api", "image": "example/api:1", "port": 8000}]
    done = render_with("rollout/surplus.yml", given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("mainstay.app: 'true'") == len(PORTS), done.stdout
    told = "set server api/app1-2 state drain"
    # At every edge nobody new comes before the first is waited for.
    assert [line for line in seen if line.startswith("set")] == [told] * 2
    assert seen.index("empty") > len(seen) - 1 - seen[::-1].index(told)
    gone = seen.index("stop api-2")
    assert seen[:gone].count("empty") >= 2 and seen[gone - 1] == "empty"
    assert seen[gone:] == ["stop api-2", "remove api-2", "stop worke", "remove worke"]
    assert sorted(mark.name for mark in (path / "app").iterdir()) == ["away-8001", "away-8101"]
