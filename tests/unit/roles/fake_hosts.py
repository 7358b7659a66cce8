# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Three application hosts and an edge that a test plays: health by HTTP, counters and drains by HAProxy's socket."""

from __future__ import annotations

import json
import re
import socket
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ADDRESSES = {"app1": "127.0.11.1", "app2": "127.0.11.2", "app3": "127.0.11.3"}
HEADER = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time "
HEADER += "srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state\n"
STATS = "# pxname,svname,scur,status,req_tot,hrsp_5xx,econ,eresp,wretr,rtime,ttime\n"
GREEN = 1000  # ports above, where a second set listens
REQUESTS = 100  # that a server answers between two looks at the counters


def free_port():
    """A port that is free, and has room for a second set above it."""
    while True:
        with socket.create_server((ADDRESSES["app1"], 0)) as found:
            port = found.getsockname()[1]
        if port + GREEN < 65536:
            return port


class World:
    """What runs on the hosts, and what the edge does with it. The tag of an image says how it behaves."""

    def __init__(self, path):
        self.path, self.told, self.traffic = path, [], []
        for host in ADDRESSES:
            (path / host / "app").mkdir(parents=True)
        self.web = {}
        self.port = free_port()
        for host, address in ADDRESSES.items():
            for name, above in (("api-1", 0), ("api-green-1", GREEN)):
                self.web[host, name] = ThreadingHTTPServer((address, self.port + above), self.handler(host, name))
        fresh = {"weight": 1, "n": 0, "e": 0, "rtime": 5}
        self.servers = {f"{host}-1": {"admin": 0, "place": (host, "api-1"), **fresh} for host in ADDRESSES}
        self.servers |= {f"{host}-1-green": {"admin": 5, "place": (host, "api-green-1"), **fresh} for host in ADDRESSES}
        self.edge = socketserver.ThreadingUnixStreamServer(str(path / "haproxy.sock"), self.talker())
        for server in [*self.web.values(), self.edge]:
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def close(self):
        for server in [*self.web.values(), self.edge]:
            server.shutdown()
            server.server_close()

    def engine(self, host):
        path = self.path / f"{host}.json"
        for _try in range(20):
            try:
                return json.loads(path.read_text()) if path.exists() else {"containers": {}, "images": {}}
            except ValueError:  # being written
                time.sleep(0.01)
        raise AssertionError(f"{path} is no JSON")

    def image(self, host, name="api-1"):
        found = self.engine(host)["containers"].get(name)
        return found["image"].rpartition(":")[2] if found and found["running"] else None

    def images(self):
        return [self.image(host) for host in ADDRESSES]

    def records(self, host="app1"):
        path = self.path / host / "app" / "releases.json"
        return json.loads(path.read_text()) if path.exists() else []

    def results(self, host="app1"):
        return [(record["release"].rpartition("-")[0], record["result"]) for record in self.records(host)]

    def healthy(self, host, name):
        """A late one turns bad once it has answered some times."""
        image = self.image(host, name)
        if image and "late" in image:
            self.asked = getattr(self, "asked", 0) + 1
            return self.asked < 12
        return bool(image) and "sick" not in image

    def handler(self, host, name):
        world = self

        class Health(BaseHTTPRequestHandler):
            def do_GET(self):
                status = 200 if world.healthy(host, name) else 503
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_words):
                pass

        return Health

    def talker(self):
        world = self

        class Talk(socketserver.StreamRequestHandler):
            def handle(self):
                line = self.rfile.readline().decode().strip()
                self.wfile.write("\n".join(world.say(word.strip()) for word in line.split(";")).encode())

        return Talk

    def say(self, command):
        if command == "show servers state":
            return HEADER + "".join(self.state_line(name, server) for name, server in self.servers.items())
        if command == "show stat":
            self.serve()
            return STATS + "".join(self.stat_line(name, server) for name, server in self.servers.items())
        self.told.append(command)
        backend_server = re.search(r"api/(\S+) (state|weight) (\S+)", command)
        if backend_server:
            name, what, value = backend_server.groups()
            server = self.servers[name]
            if what == "state":
                server["admin"] = server["admin"] & 4 | {"ready": 0, "drain": 8, "maint": 1}[value]
            else:
                server["weight"] = 1 if value == "100%" else int(value)
        return ""

    def state_line(self, name, server):
        up = 2 if self.healthy(*server["place"]) and not server["admin"] & 1 else 0
        return f"4 api 1 {name} 1.2.3.4 {up} {server['admin']} {server['weight']} 1 9 15 3 4 6 0\n"

    def serve(self):
        """Clients ask every server that takes them, and errors come as the image makes them."""
        for name, server in self.servers.items():
            if server["admin"] & 9 or not server["weight"]:
                continue
            image = self.image(*server["place"]) or ""
            self.traffic.append((name, image, server["weight"]))
            server["n"] += REQUESTS
            server["e"] += 5 if "flaky" in image else 0
            server["rtime"] = 400 if "slow" in image else 5

    def stat_line(self, name, server):
        up = "UP" if self.healthy(*server["place"]) else "DOWN"
        return f"api,{name},0,{up},{server['n']},{server['e']},0,0,0,{server['rtime']},{server['rtime']}\n"
