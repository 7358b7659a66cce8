# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import http.server
import json
import threading

import pytest


@pytest.fixture
def patroni():
    """One Patroni that is the leader of a cluster of one."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            base = f"http://127.0.0.1:{self.server.server_port}"
            leader = {"name": "db1", "role": "leader", "state": "running", "timeline": 1, "api_url": f"{base}/patroni"}
            body = json.dumps({"members": [leader]} if self.path == "/cluster" else {"state": "running"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words):
            pass

    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listener.server_port}"
    listener.shutdown()


def test_a_cluster_of_one(run_module, patroni):
    result = run_module("postgres_replica_check", patroni_urls=[patroni], members=["db1"], sql=False)
    assert (result["changed"], result["leader"], result["problems"]) == (False, "db1", [])


def test_a_missing_member_fails(run_module, patroni):
    result = run_module("postgres_replica_check", patroni_urls=[patroni], members=["db1", "db2"], sql=False)
    assert result["failed"] and result["msg"].startswith("PostgreSQL cluster: member db2: found nothing")
