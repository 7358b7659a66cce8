"""Secrets from a store: a server of this test that speaks version 2 of the key-value engine, and nothing else."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.unit.roles.repository import render_with

pytest.importorskip("hvac")
TOKEN = "a token of the test"
# One that would be a template if it were believed.
SECRETS = {"first": "{{ 1 + 1 }}q8Z3kTn0LmWx5RvYpD2sHb7c", "second": "Jd4fQe9GtUa6SiXo1KcVn0Br" * 2}


class Store(BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = 404, {"errors": []}
        if self.headers.get("X-Vault-Token") != TOKEN:
            status, body = 403, {"errors": ["permission denied"]}
        elif self.path == "/v1/secret/data/mainstay/lab":
            status, body = 200, {"data": {"data": SECRETS, "metadata": {"version": 1}}}
        elif self.path == "/v1/auth/token/lookup-self":
            status, body = 200, {"data": {"id": TOKEN}}
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_words):
        pass


@pytest.fixture(scope="module")
def url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def preflight(url, path="mainstay/lab", token=TOKEN, names=("first", "second")):
    words = f"'{path}', url='{url}', token='{token}', auth_method='token', retries=0"
    done = render_with(
        "stored_secrets.yml",
        {
            "platform_secrets": f"{{{{ lookup('mainstay.platform.stored_secrets', {words}) }}}}",
            "platform_secret_names": list(names),
        },
    )
    said = " ".join((done.stdout + done.stderr).split())
    assert not any(value in said for value in SECRETS.values())
    return done.returncode, said


def test_the_preflight_takes_secrets_of_a_store_as_they_are(url):
    status, said = preflight(url)
    assert status == 0, said
    assert hashlib.sha256(SECRETS["first"].encode()).hexdigest() in said


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"path": "mainstay/other"}, "entry mainstay/other of the secret store: found Invalid or missing path"),
        ({"token": "wrong"}, "entry mainstay/lab of the secret store: found Forbidden: Permission Denied"),
        ({"url": "http://127.0.0.1:9"}, "Connection refused"),
        ({"names": ["first", "third"]}, "third"),
    ],
)
def test_what_the_store_does_not_give_is_refused_with_the_reason(url, given, reason):
    status, said = preflight(**{"url": url, **given})
    assert status != 0 and reason in said and "expected" in said, said
