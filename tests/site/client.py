"""A client of the platform from outside: writes entries through the floating address and keeps its own log."""

from __future__ import annotations

import json
import ssl
import threading
import time
from dataclasses import dataclass, field
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tests.lab import Lab

PACE = 0.7  # seconds between writes: under the edge's limit of 20 requests in 10 s
ENTRIES, ENTRY = "/api/v1/entries", {"amount": "0.01", "memo": "drill"}


class Client:
    """JSON over HTTPS at the floating address, verified with the platform's authority."""

    def __init__(self, lab: Lab):
        self.base = f"https://{lab.edge_address}"
        self.context = ssl.create_default_context(cadata=lab.shell(lab.hosts[0], "cat /etc/mainstay/tls/ca.crt"))
        self.headers = {"Content-Type": "application/json"}
        credentials = {"username": "admin", "password": lab.secrets()["app_admin_password"]}
        self.headers["Authorization"] = "Bearer " + self.ask("POST", "/api/v1/auth/login", credentials)["access_token"]

    def ask(self, method: str, path: str, body: dict | None = None, timeout: float = 5) -> dict:
        content = None if body is None else json.dumps(body).encode()
        request = Request(self.base + path, content, self.headers, method=method)
        with urlopen(request, timeout=timeout, context=self.context) as answer:
            return json.loads(answer.read() or b"{}")

    def write(self) -> str:
        return self.ask("POST", ENTRIES, ENTRY)["id"]

    def settled_within(self, entry: str, seconds: float) -> dict:
        """Wait until a replica has the entry and the worker, through Redis, has settled it."""
        deadline = time.monotonic() + seconds
        found = {}
        while time.monotonic() < deadline:
            try:
                found = self.ask("GET", f"{ENTRIES}/{entry}")
                if found["settled_at"]:
                    return found
            except (HTTPError, URLError, TimeoutError, ConnectionError) as error:
                found = {"error": str(error)}
            time.sleep(1.5)
        raise AssertionError(f"entry {entry} was not settled within {seconds} s; last: {found}")


@dataclass
class Writer:
    """Writes all the time from a thread; afterwards it tells what was acknowledged, and the longest time without."""

    client: Client
    acknowledged: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stop.wait(PACE):
            try:
                self.acknowledged.append(self.client.write())
                self.times.append(time.monotonic())
            except (HTTPError, URLError, TimeoutError, ConnectionError) as error:
                self.failures.append(str(error))

    def __enter__(self) -> Writer:
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_details) -> None:
        self.stop.set()
        self.thread.join()

    @property
    def longest_gap(self) -> float:
        return max((later - earlier for earlier, later in zip(self.times, self.times[1:], strict=False)), default=0.0)

    def until(self, more: int, seconds: float) -> None:
        """Wait until so many more writes were acknowledged."""
        target, deadline = len(self.acknowledged) + more, time.monotonic() + seconds
        while len(self.acknowledged) < target:
            if time.monotonic() > deadline:
                raise AssertionError(f"no {more} writes within {seconds} s; last failures: {self.failures[-3:]}")
            time.sleep(0.2)
