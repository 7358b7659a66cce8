# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import http.server
import socket
import threading

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils._health_client import ask_http, ask_redis, ask_tcp

HTTP = {"method": "GET", "timeout": 2, "expect_status": [200]}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{self.headers['Host']} {self.headers.get('Authorization')} {self.path}".encode()
        self.send_response(301 if self.path == "/moved" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words):
        pass


@pytest.fixture(scope="module")
def port():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


def test_http_keeps_the_name_when_it_connects_elsewhere(port):
    params = {**HTTP, "url": f"http://pay.example.org:{port}/a?b=c", "connect_to": "127.0.0.1"}
    assert ask_http({**params, "expect_text": [f"^pay.example.org:{port} None /a\\?b=c$"]}) == (True, "status 200")


def test_http_sends_an_account(port):
    params = {**HTTP, "url": f"http://127.0.0.1:{port}/", "user": "u", "password": "p", "expect_text": ["Basic dTpw"]}
    assert ask_http(params)[0]


def test_http_does_not_follow_redirects(port):
    assert ask_http({**HTTP, "url": f"http://127.0.0.1:{port}/moved"}) == (False, "status 301, expected 200")


def test_http_reports_tls_to_a_plain_service(port):
    good, found = ask_http({**HTTP, "url": f"https://127.0.0.1:{port}/"})
    assert not good and "SSL" in found


def test_tcp_reports_a_closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.getsockname()[1]
    params = {"host": "127.0.0.1", "port": number, "tls": False, "timeout": 2}
    assert ask_tcp(params) == (False, "connection refused: nothing listens there")


def test_tcp_reads_what_the_service_says_first():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk():
            connection, _address = listener.accept()
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        threading.Thread(target=talk, daemon=True).start()
        params = {"host": "127.0.0.1", "port": listener.getsockname()[1], "tls": False, "timeout": 2}
        assert ask_tcp({**params, "expect_text": ["^SSH-2"]}) == (True, "SSH-2.0-OpenSSH")


@pytest.mark.parametrize(("role", "good"), [("master", True), ("slave", False)])
def test_redis_is_asked_for_a_text_in_its_answer(role, good):
    answer = f"# Replication\r\nrole:{role}\r\nconnected_slaves:2\r\n".encode()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk():
            connection, _address = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"$%d\r\n%s\r\n" % (len(answer), answer))

        threading.Thread(target=talk, daemon=True).start()
        params = {
            "host": "127.0.0.1",
            "port": listener.getsockname()[1],
            "command": ["INFO", "replication"],
            "timeout": 2,
        }
        healthy, found = ask_redis({**params, "expect_text": ["(?m)^role:master"]})
    assert healthy is good and f"role:{role}" in found
