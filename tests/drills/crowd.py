"""Many sessions of the database that stay open, each of which writes now and then and comes back when it is lost.

Runs where the application runs, with its secret and its network:
    python3 -c "$(cat crowd.py)" hold N    N sessions, until its input ends
It says of each write TIME ok ID NUMBER, and of a session that is lost TIME failed ID REASON.
It speaks the protocol itself: verified TLS, SCRAM, statements. A login costs libpq 4.5 ms of a processor, more than the
servers; clients have processors of their own for that, those of the lab share them with the servers. So one context of
TLS serves all sessions, and the password is salted once, as RFC 5802 lets a client do: 2.6 ms.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import hmac
import os
import random
import ssl
import sys
import time
import urllib.parse
import uuid
from pathlib import Path

TABLE = "create table if not exists drill_entries (id uuid primary key, at timestamptz not null default now())"
# Seconds between writes of a session, and until one that was lost tries again; by chance half or half more.
PACE = 10.0
RETRY = 1.0
LOGIN, ANSWER = 3.0, 8.0  # seconds that each may take
SSL_REQUEST = bytes.fromhex("00000008 04d2162f")
PROTOCOL = bytes.fromhex("00030000")


class Failed(Exception):
    """The server says no, in its words."""


@functools.cache
def salted(password: bytes, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password, salt, iterations)


def digest(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def terminated(*words: str) -> bytes:
    return b"".join(word.encode() + b"\0" for word in words)


class Session:
    """One session, from its login to its end."""

    def __init__(self, url: str):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port, self.database = parts.hostname, parts.port, parts.path.strip("/")
        self.user, self.password = (urllib.parse.unquote(each) for each in (parts.username, parts.password))

    def send(self, kind: bytes, content: bytes) -> None:
        self.writer.write(kind + (len(content) + 4).to_bytes(4) + content)

    async def receive(self) -> tuple[bytes, bytes]:
        """The next message: its kind and its content."""
        head = await self.reader.readexactly(5)
        content = await self.reader.readexactly(int.from_bytes(head[1:]) - 4)
        if head[:1] == b"E":
            fields = [each.decode(errors="replace") for each in content.split(b"\0")]
            raise Failed(next((each[1:] for each in fields if each[:1] == "M"), "no reason"))
        return head[:1], content

    async def until(self, kind: bytes) -> bytes:
        while (message := await self.receive())[0] != kind:
            pass
        return message[1]

    async def open(self, context: ssl.SSLContext) -> None:
        self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        self.writer.write(SSL_REQUEST)
        if await self.reader.readexactly(1) != b"S":
            raise Failed("the server has no TLS")
        await self.writer.start_tls(context, server_hostname=self.host)
        self.send(b"", PROTOCOL + terminated("user", self.user, "database", self.database, ""))
        await self.until(b"R")
        await self.prove()
        await self.until(b"Z")

    async def prove(self) -> None:
        """SCRAM-SHA-256 of RFC 5802 and 7677; PostgreSQL has the name from the beginning."""
        first = f"n=,r={base64.b64encode(os.urandom(18)).decode()}"
        initial = f"n,,{first}".encode()
        self.send(b"p", terminated("SCRAM-SHA-256") + len(initial).to_bytes(4) + initial)
        challenge = (await self.until(b"R"))[4:].decode()
        given = dict(each.split("=", 1) for each in challenge.split(","))
        key = salted(self.password.encode(), base64.b64decode(given["s"]), int(given["i"]))
        last = f"c=biws,r={given['r']}"
        spoken = f"{first},{challenge},{last}".encode()
        mine = digest(key, b"Client Key")
        signature = digest(hashlib.sha256(mine).digest(), spoken)
        proof = bytes(one ^ other for one, other in zip(mine, signature, strict=True))
        self.send(b"p", f"{last},p={base64.b64encode(proof).decode()}".encode())
        verdict = (await self.until(b"R"))[4:].decode()
        theirs = digest(digest(key, b"Server Key"), spoken)
        if verdict != f"v={base64.b64encode(theirs).decode()}":
            raise Failed("the server does not know the password")

    async def execute(self, statement: str) -> None:
        self.send(b"Q", terminated(statement))
        await self.until(b"Z")

    async def lost(self, seconds: float) -> bool:
        """Whether the session ends before so long."""
        try:
            await asyncio.wait_for(self.reader.read(1), seconds)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        if hasattr(self, "writer"):
            self.writer.transport.abort()


def say(*words: object) -> None:
    os.write(1, f"{time.time():.4f} {' '.join(map(str, words))}\n".encode())


async def keep_on(number: int, url: str, context: ssl.SSLContext) -> None:
    def by_chance(seconds: float) -> float:
        return seconds * random.uniform(0.5, 1.5)

    session, opened = None, False
    await asyncio.sleep(random.uniform(0, PACE))
    while True:
        key = uuid.uuid4()
        try:
            if session is None:
                session = Session(url)
                await asyncio.wait_for(session.open(context), LOGIN)
            await asyncio.wait_for(session.execute(f"insert into drill_entries (id) values ('{key}')"), ANSWER)
            opened = True
            say("ok", key, number)
            if not await session.lost(by_chance(PACE)):
                continue
            reason = "the session was ended"
        except (Failed, OSError, EOFError, TimeoutError, ssl.SSLError) as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        if opened:  # the tries until it is back are many, and say nothing new
            say("failed", key, reason)
        session.close()
        session, opened = None, False
        await asyncio.sleep(by_chance(RETRY))


async def hold(sessions: int) -> None:
    url = Path(os.environ["DATABASE_URL_FILE"]).read_text().strip()
    trusted = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["sslrootcert"][0]
    context = ssl.create_default_context(cafile=trusted)
    first = Session(url)
    await first.open(context)
    await first.execute(TABLE)
    first.close()
    running = [asyncio.create_task(keep_on(number, url, context)) for number in range(sessions)]
    await asyncio.to_thread(sys.stdin.read)
    for each in running:
        each.cancel()


if __name__ == "__main__":
    asyncio.run(hold(int(sys.argv[2])))
