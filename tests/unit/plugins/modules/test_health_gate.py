# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import http.server
import socket
import threading

import pytest


@pytest.fixture
def server():
    """A service that answers with the scripted statuses, the last one for ever."""
    statuses = [200]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_words):
            pass

    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listener.server_port}/health", statuses
    listener.shutdown()


def test_good_answers_in_a_row(server, run_module):
    url, statuses = server
    statuses[:] = [200, 503, 200]
    result = run_module("health_gate", kind="http", url=url, successes=3, pause=0.01, deadline=10)
    assert (result["healthy"], result["changed"], result["attempts"]) == (True, False, 5)
    assert "3 times in a row" in result["evidence"]


def test_failure_returns_timeline_and_reason(server, run_module):
    url, statuses = server
    statuses[:] = [503]
    result = run_module("health_gate", kind="http", url=url)
    assert result["failed"] and not result["healthy"]
    assert "found status 503, expected 200" in result["msg"]
    assert result["timeline"][0]["good"] is False


def test_secrets_in_urls_stay_out_of_messages(run_module):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = run_module("health_gate", kind="http", url=f"http://user:hush@127.0.0.1:{port}/x?token=hush")
    assert "hush" not in result["msg"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"kind": "http"}, "url"),
        ({"kind": "tcp", "host": "a"}, "port"),
        ({"kind": "http", "url": "http://a", "successes": 0}, "successes: found 0"),
        ({"kind": "http", "url": "http://a", "window": 5}, "expected at least 2 answers to span a window"),
        (
            {"kind": "http", "url": "http://a", "window": 9, "successes": 2, "deadline": 5},
            "expected less than the deadline",
        ),
    ],
)
def test_wrong_arguments_are_refused(run_module, arguments, message):
    result = run_module("health_gate", **arguments)
    assert result["failed"] and message in result["msg"]
