"""Clients that an edge must bear: many slow ones, or one that asks too often. Runs in a host, by its Python.

    python3 - slow ADDRESS NAME COUNT SECONDS < crowd.py    COUNT connections at a time that never finish what they say
    python3 - flood ADDRESS NAME RATE SECONDS < crowd.py    RATE requests a second, whatever comes back
Prints a line of JSON. For `slow`: connections made, refused, most at once. For `flood`: answers by status, and how many
429 came without Retry-After.

The hosts of a lab share the edge's processors, so a crowd may cost little of them: few of its handshakes are whole, and
connections are kept while the edge keeps them.
"""

from __future__ import annotations

import asyncio
import collections
import json
import ssl
import sys
import time

CONTEXT = ssl.create_default_context()
# Who they are is of no interest to them; the tests that verify the edge are others.
CONTEXT.check_hostname, CONTEXT.verify_mode = False, ssl.CERT_NONE


HELLO = bytes.fromhex("160301020001")  # how a handshake begins, of 512 bytes more to come
PATIENCE = 10  # seconds; a ban drops packets, and whoever waits for an answer waits for ever
CUT = 10  # seconds that the edge gives a client for its headers
KEPT = 20  # connections of a flood


class Slow:
    """What they say comes drop by drop: the edge closes, and they come again."""

    def __init__(self, address: str, name: str, count: float, seconds: float):
        self.address, self.name, self.count, self.end = address, name, int(count), time.monotonic() + seconds
        self.made = self.refused = self.open = self.most = 0

    async def begin(self, number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """One in four is slow after its handshake, one in clear text, and two in the handshake itself."""
        if number % 4 == 0:
            return await asyncio.open_connection(self.address, 443, ssl=CONTEXT, server_hostname=self.name)
        return await asyncio.open_connection(self.address, 80 if number % 4 == 1 else 443)

    async def one(self, number: int) -> None:
        first = HELLO if number % 4 > 1 else f"GET / HTTP/1.1\r\nHost: {self.name}\r\nX-Slow: ".encode()
        # The edge cuts each after that time, and they come again as evenly: to connect is not what is tried here.
        await asyncio.sleep(number / self.count * CUT)
        while time.monotonic() < self.end:
            try:
                reader, writer = await self.begin(number)
            except OSError:
                self.refused += 1
                await asyncio.sleep(1)
                continue
            self.made, self.open = self.made + 1, self.open + 1
            self.most = max(self.most, self.open)
            try:
                writer.write(first)
                while time.monotonic() < self.end and not reader.at_eof():
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(1)
            except OSError:
                pass
            self.open -= 1
            writer.transport.abort()

    async def run(self) -> dict:
        await asyncio.gather(*map(self.one, range(self.count)))
        return {"made": self.made, "refused": self.refused, "most": self.most}


class Flood:
    """Asks at a pace of its own by a few connections."""

    def __init__(self, address: str, name: str, rate: float, seconds: float):
        self.address, self.name = address, name
        begun = time.monotonic()
        self.due = (begun + number / rate for number in range(int(rate * seconds)))
        self.statuses, self.silent = collections.Counter(), 0

    async def ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, dict]:
        writer.write(f"GET /health HTTP/1.1\r\nHost: {self.name}\r\n\r\n".encode())
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")[:-2]
        headers = dict(line.split(": ", 1) for line in lines)
        await reader.readexactly(int(headers["content-length"]))
        return int(first.split()[1]), headers

    async def answer(self, streams: tuple | None) -> tuple[str, dict, tuple | None]:
        """The status, or what went wrong; the headers; and the connection, while the edge keeps it."""
        try:
            streams = streams or await asyncio.wait_for(
                asyncio.open_connection(self.address, 443, ssl=CONTEXT, server_hostname=self.name), PATIENCE
            )
            status, headers = await asyncio.wait_for(self.ask(*streams), PATIENCE)
        except (OSError, asyncio.IncompleteReadError) as error:
            status, headers = type(error).__name__, {}
        if streams and (not headers or headers.get("connection") == "close"):
            streams = streams[1].transport.abort()
        return str(status), headers, streams

    async def one(self) -> None:
        kept = None
        for due in self.due:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            former = kept
            status, headers, kept = await self.answer(former)
            if former and not headers:  # it was closed meanwhile, so once more by a new one
                status, headers, kept = await self.answer(None)
            self.statuses[status] += 1
            self.silent += status == "429" and "retry-after" not in headers

    async def run(self) -> dict:
        await asyncio.gather(*(self.one() for _number in range(KEPT)))
        return {"statuses": self.statuses, "silent": self.silent}


if __name__ == "__main__":
    job, where, name, amount, length = sys.argv[1:]
    jobs = {"slow": Slow, "flood": Flood}
    print(json.dumps(asyncio.run(jobs[job](where, name, float(amount), float(length)).run())))
