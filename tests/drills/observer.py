"""A client of the lab's database, or of its Redis, and its log. It runs where the application does; see client.py."""

from __future__ import annotations

import subprocess
import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from acts import Broken, wait

from tests.lab import Lab

DATABASE, CROWD, REDIS = "client.py", "crowd.py", "redis_client.py"
RATE = 40  # statements per second


def command(lab: Lab, program: str, *arguments: object, host: str = "app1") -> list[str]:
    text = (Path(__file__).parent / program).read_text()
    return [*lab.application(host), "python3", "-u", "-c", text, *map(str, arguments)]


def ask(lab: Lab, *arguments: object, program: str = DATABASE, keys: list[str] | None = None) -> list[list[str]]:
    """The lines of a job that ends by itself, in words."""
    given = "\n".join(keys or [])
    done = subprocess.run(command(lab, program, *arguments), input=given, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def lost(lab: Lab, keys: list[str], program: str = DATABASE) -> int:
    """How many of the acknowledged rows, or keys, are not there."""
    return len(ask(lab, "lost", program=program, keys=keys))


@dataclass
class Client:
    """A client that writes, or reads, from `with` to the end of it."""

    lab: Lab
    job: str
    program: str = DATABASE
    host: str = "app1"
    sessions: int = 0  # of a crowd, which has no rate
    acknowledged: list[tuple[float, str]] = field(default_factory=list)
    writes: dict[str, list[float]] = field(default_factory=dict)  # when each session was answered, where it says so
    failed: list[str] = field(default_factory=list)
    ended: float = 0.0

    def __enter__(self) -> Client:
        arguments = command(self.lab, self.program, self.job, self.sessions or RATE, host=self.host)
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        try:
            wait(f"the client on {self.host} gets answers to {self.job}", self._answered, 60)
        except Broken:
            self.__exit__()
            raise
        return self

    def _answered(self) -> bool:
        return len(self.writes) == self.sessions if self.sessions else len(self.acknowledged) > RATE

    def _read(self) -> None:
        for line in self.process.stdout:
            at, verdict, key, *rest = line.split(maxsplit=3)
            if verdict == "ok":
                self.acknowledged.append((float(at), key))
                for number in rest:
                    self.writes.setdefault(number.strip(), []).append(float(at))
            else:
                self.failed.append(rest[0].strip() if rest else "")

    def __exit__(self, *_details) -> None:
        self.ended = time.time()
        self.process.stdin.close()
        self.process.wait(60)
        self.reader.join()

    @property
    def keys(self) -> list[str]:
        return [key for _at, key in self.acknowledged]

    @property
    def newest(self) -> float:
        return self.acknowledged[-1][0]

    @property
    def gap(self) -> float:
        """Seconds of the longest time without an acknowledgement, also when none came any more: of the session that
        waited longest where sessions are told apart, for any session elsewhere."""
        sessions = self.writes.values() or [[at for at, _key in self.acknowledged]]
        waits = [pairwise(sorted([*answered, self.ended])) for answered in sessions]
        return max((later - earlier for pairs in waits for earlier, later in pairs), default=0.0)
