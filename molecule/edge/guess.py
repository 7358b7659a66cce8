"""Guesses at a name for operators, from an address that is no host's of the platform, until it is banned.

Runs in a host:  python3 - ADDRESS SOURCE NAME < guess.py
"""

from __future__ import annotations

import socket
import ssl
import sys
import time

ADDRESS, SOURCE, NAME = sys.argv[1:]
CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname, CONTEXT.verify_mode = False, ssl.CERT_NONE  # who it is, checks.py asks
HEADERS = ("GET / HTTP/1.1", f"Host: {NAME}", "Authorization: Basic b3BlcmF0b3I6eA==", "Connection: close", "", "")
REQUEST = "\r\n".join(HEADERS).encode()


def guess() -> str:
    """The status of an answer, `banned` for a connection that is refused, `cut off` for one that was under way."""
    try:
        plain = socket.create_connection((ADDRESS, 443), timeout=10, source_address=(SOURCE, 0))
        with CONTEXT.wrap_socket(plain, server_hostname=NAME) as connection:
            connection.sendall(REQUEST)
            return connection.recv(100).split()[1].decode()
    except ConnectionRefusedError:
        return "banned"
    except (OSError, IndexError):
        return "cut off"


answers, deadline = [], time.monotonic() + 60
while "banned" not in answers:
    assert time.monotonic() < deadline, f"{SOURCE} is not banned after {len(answers)} guesses"
    answers.append(guess())
    time.sleep(0.2)
while answers[-1] in ("banned", "cut off"):
    answers.pop()
assert set(answers) == {"403"} and len(answers) > 60, answers
print(f"banned after {len(answers)} guesses")
