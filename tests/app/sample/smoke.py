# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a client does, from outside: log in, write an entry, read it back from a replica, see it settled, remove it."""

from __future__ import annotations

import json
import os
import ssl
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from .settings import load, read

PATIENCE = 20.0  # seconds for replication and the worker
REPORTS = ("/api/v1/accounts", "/api/v1/cash-flows", "/api/v1/forecasting/performance")


class Refused(Exception):
    """The answer was not the one that a client needs."""


class Client:
    """JSON over HTTPS, with the platform's authority."""

    def __init__(self, base: str, ca: str):
        self.base = base.rstrip("/")
        self.context = ssl.create_default_context(cafile=ca or None) if base.startswith("https") else None
        self.headers = {"Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: dict | None = None) -> dict:
        content = None if body is None else json.dumps(body).encode()
        request = Request(self.base + path, content, self.headers, method=method)
        try:
            with urlopen(request, timeout=10, context=self.context) as answer:
                return json.loads(answer.read() or b"{}")
        except HTTPError as error:
            said = error.read()[:200].decode(errors="replace")
            raise Refused(f"{method} {path}: found {error.code} {said}") from error


def _read_back(client: Client, entry: str) -> dict:
    """Ask until a replica has the entry, where there is one, and the worker has settled it."""
    replica = read("READS_FROM_REPLICA", "yes") == "yes"
    source = "a replica" if replica else "the primary"
    deadline = time.monotonic() + PATIENCE
    last = "nothing"
    while time.monotonic() < deadline:
        try:
            found = client.ask("GET", f"/api/v1/entries/{entry}")
        except Refused as error:
            last = str(error)
        else:
            if found["settled_at"] and found["read_from"]["replica"] is replica:
                return found
            last = f"read from {found['read_from']}, settled at {found['settled_at']}"
        # Few questions: the edge counts them.
        time.sleep(2)
    raise Refused(f"entry {entry} did not come back from {source}, settled, within {PATIENCE:g} s; last: {last}")


def run() -> dict:
    """Give what was seen; raise when anything is not as it should be."""
    settings = load()
    base = os.environ.get("EDGE_URL") or f"http://127.0.0.1:{settings.port}"
    client = Client(base, os.environ.get("EDGE_CA", ""))
    credentials = {"username": settings.admin_username, "password": read("ADMIN_PASSWORD")}
    client.headers["Authorization"] = "Bearer " + client.ask("POST", "/api/v1/auth/login", credentials)["access_token"]
    written = client.ask("POST", "/api/v1/entries", {"amount": "0.01", "memo": "smoke"})
    found = _read_back(client, written["id"])
    for path in REPORTS:
        client.ask("GET", path)
    client.ask("DELETE", f"/api/v1/entries/{written['id']}")
    if found["memo"] != "smoke":
        raise Refused(f"entry {written['id']}: found memo {found['memo']!r}; expected 'smoke'")
    return {"url": base, "written_to": written["written_to"]["server"], "read_from": found["read_from"]["server"]}
