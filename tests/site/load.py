"""A load on the lab at a pace of its own, and what came of each request."""

from __future__ import annotations

import http.client
import json
import os
import select
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import yaml
from client import ENTRIES, ENTRY, Client

from tests.lab import ROOT, Lab, sql

RATE = float(os.environ.get("RATE", "50"))  # requests a second, whether answers come or not
LEAST = 0.5  # part of the requests that were due that must have come to an end: a load that asks nothing proves nothing
PATH, WORD = "/api/v1/accounts", b"operating"
WRITES = 10  # one request of so many writes an entry: the edge sends those once, where it may ask again for others
ACCOUNT = "reserve"  # nobody else writes to it: what it has is of the last load
# Seconds after a request for which its connection is good for another: the edge closes it a little later, as it should.
KEPT = 0.75 * yaml.safe_load((ROOT / "roles/haproxy/defaults/main.yml").read_text())["haproxy_timeout_keep_alive"]


def unlimited(lab: Lab) -> dict:
    """What has the edge count no request of the machine that the load comes from."""
    return {"haproxy_rate_limit_exempt": [lab.edge_address.rpartition(".")[0] + ".1", lab.address("ops1")]}


def method(number: int) -> str:
    return "GET" if number % WRITES else "POST"


class Kept:
    """A connection that is kept for the next request, as clients do."""

    def __init__(self, connection: http.client.HTTPConnection):
        self.connection, self.asked = connection, 0.0

    @property
    def open(self) -> bool:
        return self.connection.sock is not None

    @property
    def old(self) -> bool:
        return self.open and time.monotonic() - self.asked > KEPT

    @property
    def closed(self) -> bool:
        """Whether the edge has closed it: no answer is due on it, so what can be read is its end."""
        return self.open and bool(select.select([self.connection.sock], [], [], 0)[0])

    def ask(self, kind: str, path: str, headers: dict, body: str | None = None) -> tuple[int, bytes]:
        self.asked = time.monotonic()
        self.connection.request(kind, path, body, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()


@dataclass
class Load:
    """Asks at a pace of its own through the floating address; a late answer counts from when it was due.

    A request that hangs keeps its worker for `patience` seconds: there are enough of them to keep the pace meanwhile.
    Afterwards the database is asked for every entry that was acknowledged.
    """

    lab: Lab
    patience: float = 10
    workers: int = 40
    before: float = 15  # seconds that tell what it is like before
    answers: list[tuple[float, float, str]] = field(default_factory=list)  # when it was due, seconds, what was wrong
    repeated: int = 0  # connections that were closed before their time, so that the request was sent by another one
    written: dict[str, int] = field(default_factory=dict)  # of each acknowledged entry the number of its request
    stored: list[tuple[str, int]] = field(default_factory=list)  # the same of what the database has at the end

    def __post_init__(self) -> None:
        client = Client(self.lab)
        self.host, self.headers, self.context = self.lab.edge_address, client.headers, client.context
        self.next, self.lock, self.stop, self.ended = 0, threading.Lock(), threading.Event(), 0.0

    def connection(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self.host, timeout=self.patience, context=self.context)

    def answer(self, kept: Kept, number: int) -> str:
        """What is wrong with an answer; nothing with a good one."""
        if method(number) == "GET":
            status, body = kept.ask("GET", PATH, self.headers)
            good = status == 200 and WORD in body
        else:
            # The number is the amount: a request that was carried out twice is there twice.
            entry = {**ENTRY, "account": ACCOUNT, "amount": number}
            status, body = kept.ask("POST", ENTRIES, self.headers, json.dumps(entry))
            if good := status == 201:
                self.written[json.loads(body)["id"]] = number
        return "" if good else f"{method(number)}: {status} {body[:80]!r}"

    def again(self, kept: Kept) -> None:
        kept.connection.close()
        with self.lock:
            self.repeated += 1

    def ask(self, kept: Kept, number: int) -> str:
        """The same, by another connection where the one that was kept is closed before its time, which is counted.

        Once, and never where a write may have arrived: nobody knows then what became of it.
        """
        if kept.old:
            kept.connection.close()
        elif kept.closed:
            self.again(kept)
        was_open = kept.open
        try:
            return self.answer(kept, number)
        except http.client.RemoteDisconnected:
            if not was_open or method(number) == "POST":
                raise
            self.again(kept)
            return self.answer(kept, number)

    def work(self) -> None:
        kept = Kept(self.connection())
        while not self.stop.is_set():
            with self.lock:
                number, self.next = self.next, self.next + 1
            due = self.begun + number / RATE
            if self.stop.wait(max(0.0, due - time.monotonic())):
                return
            try:
                wrong = self.ask(kept, number)
            except (OSError, http.client.HTTPException, ValueError, LookupError) as error:
                wrong = f"{method(number)}: {error!r}"
                kept.connection.close()
            self.answers.append((due, time.monotonic() - due, wrong))

    def __enter__(self) -> Load:
        sql(self.lab, f"delete from entries where account = '{ACCOUNT}'")
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
            rows = sql(self.lab, f"select id, amount::bigint from entries where account = '{ACCOUNT}'").splitlines()
            self.stored = [(entry, int(number)) for entry, number in (row.split("|") for row in rows)]

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

    @property
    def lost(self) -> list[str]:
        """Acknowledged entries that are not there, and requests, acknowledged or not, whose entry is there twice."""
        there, often = {entry for entry, _number in self.stored}, Counter(number for _entry, number in self.stored)
        missing = [
            f"{entry} of request {number} is missing" for entry, number in self.written.items() if entry not in there
        ]
        return missing + [f"request {number} is there {count} times" for number, count in often.items() if count > 1]

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
            f"{what}: {len(taken)} requests, {len(self.failed)} failed, {self.repeated} repeated, "
            f"{len(self.written)} written, {len(self.lost)} lost, p50/p95/p99 "
            f"{'/'.join(f'{seconds * 1000:.0f}' for seconds in points)} ms, longest gap {self.gap():.2f} s"
        )
