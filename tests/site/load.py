"""A load on the lab at a pace of its own, and what came of each request."""

from __future__ import annotations

import http.client
import os
import ssl
import threading
import time
from dataclasses import dataclass, field

from client import Client

from tests.lab import Lab

RATE = float(os.environ.get("RATE", "50"))  # requests a second, whether answers come or not
LEAST = 0.5  # part of the requests that were due that must have come to an end: a load that asks nothing proves nothing
PATH, WORD = "/api/v1/accounts", b"operating"


def unlimited(lab: Lab) -> dict:
    """What has the edge count no request of the machine that the load comes from."""
    return {"haproxy_rate_limit_exempt": [lab.edge_address.rpartition(".")[0] + ".1", lab.address("ops1")]}


@dataclass
class Load:
    """Asks at a pace of its own through the floating address; a late answer counts from when it was due.

    A request that hangs keeps its worker for `patience` seconds: there are enough of them to keep the pace meanwhile.
    """

    lab: Lab
    patience: float = 10
    workers: int = 40
    before: float = 15  # seconds that tell what it is like before
    answers: list[tuple[float, float, str]] = field(default_factory=list)  # when it was due, seconds, what was wrong

    def __post_init__(self) -> None:
        client = Client(self.lab)
        self.host, self.headers, self.context = self.lab.edge_address, client.headers, client.context
        self.next, self.lock, self.stop, self.ended = 0, threading.Lock(), threading.Event(), 0.0

    def connection(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self.host, timeout=self.patience, context=self.context)

    def ask(self, connection: http.client.HTTPSConnection) -> str:
        """What is wrong with an answer; nothing with a good one."""
        connection.request("GET", PATH, headers=self.headers)
        answer = connection.getresponse()
        body = answer.read()
        return "" if answer.status == 200 and WORD in body else f"{answer.status} {body[:80]!r}"

    def work(self) -> None:
        connection = None
        while not self.stop.is_set():
            with self.lock:
                due, self.next = self.begun + self.next / RATE, self.next + 1
            if self.stop.wait(max(0.0, due - time.monotonic())):
                return
            try:
                connection = connection or self.connection()
                wrong = self.ask(connection)
            except (OSError, http.client.HTTPException, ssl.SSLError) as error:
                # An idle connection may be closed while a request is on its way: any client asks again then, once.
                wrong = self.again() if isinstance(error, http.client.RemoteDisconnected) else f"{error!r}"
                connection = None
            self.answers.append((due, time.monotonic() - due, wrong))

    def again(self) -> str:
        try:
            return self.ask(self.connection())
        except (OSError, http.client.HTTPException) as error:
            return f"{error!r}"

    def __enter__(self) -> Load:
        self.begun = time.monotonic()
        self.threads = [threading.Thread(target=self.work, daemon=True) for _number in range(self.workers)]
        for thread in self.threads:
            thread.start()
        time.sleep(self.before)
        return self

    def __exit__(self, kind, *_details) -> None:
        self.ended = time.monotonic()
        self.stop.set()
        for thread in self.threads:
            thread.join(self.patience + 20)
        if kind is None:
            self.taken(0, self.now())

    def reach(self, count: int) -> None:
        """Go on until so many requests have come to an end, at the pace of this load."""
        patience = self.patience + (count - len(self.answers)) / (LEAST * RATE)
        end = time.monotonic() + patience
        while len(self.answers) < count:
            assert time.monotonic() < end, f"found {len(self.answers)} answers in the time for {count} requests"
            self.stop.wait(0.2)

    @property
    def failed(self) -> list[str]:
        return [wrong for _due, _seconds, wrong in list(self.answers) if wrong]

    def taken(self, begin: float, end: float) -> list[float]:
        """Seconds of the requests that were due in a time, sorted; there must be enough of them."""
        taken = sorted(seconds for due, seconds, _wrong in list(self.answers) if begin <= due - self.begun < end)
        least = max(1, LEAST * RATE * (min(end, self.now()) - begin))
        assert len(taken) >= least, f"found {len(taken)} answers from {begin:.0f} s on, expected {least:.0f} or more"
        return taken

    def p95(self, begin: float, end: float) -> float:
        taken = self.taken(begin, end)
        return taken[int(len(taken) * 0.95)]

    def gap(self, since: float = 0.0) -> float:
        """The longest time without a good answer, from a moment of this load to its end, or until now."""
        end = self.now()
        ended = [due + seconds - self.begun for due, seconds, wrong in list(self.answers) if not wrong]
        points = [since, *sorted(moment for moment in ended if since < moment < end), end]
        return max(later - earlier for earlier, later in zip(points, points[1:], strict=False))

    def now(self) -> float:
        """Seconds since its begin; at its end they stand still."""
        return (self.ended or time.monotonic()) - self.begun

    def report(self, what: str) -> None:
        taken = sorted(seconds for _due, seconds, _wrong in self.answers) or [0.0]
        points = [taken[int(len(taken) * part)] for part in (0.5, 0.95, 0.99)]
        print(
            f"{what}: {len(taken)} requests, {len(self.failed)} failed, p50/p95/p99 "
            f"{'/'.join(f'{seconds * 1000:.0f}' for seconds in points)} ms, longest gap {self.gap():.2f} s"
        )
