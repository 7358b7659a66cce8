"""Clients that an edge must bear: many slow ones, or one that asks too often. Runs in a host, by its Python.

    python3 - slow ADDRESS NAME COUNT SECONDS < crowd.py    COUNT connections at a time that never finish their headers
    python3 - flood ADDRESS NAME RATE SECONDS < crowd.py    RATE requests a second, whatever comes back
Prints a line of JSON. For `slow`: connections made, refused, most at once. For `flood`: answers by status, and how many
429 came without Retry-After.
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


class Slow:
    """Headers drop by drop: the edge closes, and the client comes again."""

    def __init__(self, address: str, name: str, count: int, seconds: float):
        self.address, self.name, self.count, self.end = address, name, count, time.monotonic() + seconds
        self.made = self.refused = self.open = self.most = 0

    async def one(self, number: int) -> None:
        await asyncio.sleep(number / 100)  # a hundred of them a second: the handshakes are not what is tried here
        while time.monotonic() < self.end:
            try:
                _reader, writer = await asyncio.open_connection(
                    self.address, 443, ssl=CONTEXT, server_hostname=self.name
                )
            except OSError:
                self.refused += 1
                await asyncio.sleep(1)
                continue
            self.made, self.open = self.made + 1, self.open + 1
            self.most = max(self.most, self.open)
            try:
                writer.write(f"GET / HTTP/1.1\r\nHost: {self.name}\r\nX-Slow: ".encode())
                while time.monotonic() < self.end and not _reader.at_eof():
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


async def ask(address: str, name: str) -> tuple[int, bool]:
    """The status of one answer, and whether it says when to come again."""
    reader, writer = await asyncio.open_connection(address, 443, ssl=CONTEXT, server_hostname=name)
    writer.write(f"GET /health HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
    head = (await reader.read()).partition(b"\r\n\r\n")[0].decode().lower()
    writer.close()
    return int(head.split()[1]), "\r\nretry-after: " in head


async def flood(address: str, name: str, rate: float, seconds: float) -> dict:
    began, asked = time.monotonic(), []
    while (due := began + len(asked) / rate) < began + seconds:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        asked.append(asyncio.create_task(ask(address, name)))
    statuses, silent = collections.Counter(), 0
    for answer in await asyncio.gather(*asked, return_exceptions=True):
        status, told = answer if isinstance(answer, tuple) else (type(answer).__name__, True)
        statuses[str(status)] += 1
        silent += status == 429 and not told
    return {"statuses": statuses, "silent": silent}


if __name__ == "__main__":
    job, where, name, amount, length = sys.argv[1:]
    if job == "slow":
        print(json.dumps(asyncio.run(Slow(where, name, int(amount), float(length)).run())))
    else:
        print(json.dumps(asyncio.run(flood(where, name, float(amount), float(length)))))
