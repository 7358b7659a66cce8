# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens many connections at once and says what became of each. Private to this collection."""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections import deque

OPEN, REFUSED, SILENT, UNREACHABLE = "open", "refused", "silent", "unreachable"
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
WAITS = {0, errno.EINPROGRESS, errno.EAGAIN}


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def state_of(code):
    """What an error of a connection tells of the other side. A refusal is an answer: its packets came through."""
    if code in (errno.ECONNREFUSED, errno.ECONNRESET):
        return REFUSED
    return SILENT if code in (errno.ETIMEDOUT, errno.EAGAIN) else UNREACHABLE


def local_address(address, port=9):
    """The address from which packets to this one leave; empty without a route. Sends nothing."""
    with socket.socket(family(address), socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((address, port))
            return sock.getsockname()[0]
        except OSError:
            return ""


def begin(proto, address, port):
    """A socket that is under way, or the state that it has at once."""
    sock = socket.socket(family(address), KINDS[proto])
    sock.setblocking(False)
    code = sock.connect_ex((address, port))
    if code in WAITS and proto == "udp":
        code = _send(sock)
    if code in WAITS:
        return sock, None
    sock.close()
    return None, state_of(code)


def _send(sock):
    try:
        sock.send(b"\0")
        return 0
    except OSError as error:
        return error.errno


def finish(proto, sock):
    """The state of a socket that has something to say."""
    if proto == "tcp":
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return state_of(code) if code else OPEN
    try:
        sock.recv(1)
        return OPEN
    except OSError as error:
        return state_of(error.errno)


def probe(wanted, timeout, concurrent):
    """Yield each wanted (protocol, address, port) with its state; at most so many are under way at a time."""
    waiting, running = deque(wanted), {}
    events = {"tcp": selectors.EVENT_WRITE, "udp": selectors.EVENT_READ}
    with selectors.DefaultSelector() as selector:
        while waiting or running:
            while waiting and len(running) < concurrent:
                one = waiting.popleft()
                sock, state = begin(*one)
                if sock is None:
                    yield (*one, state)
                    continue
                selector.register(sock, events[one[0]])
                running[sock] = (one, time.monotonic() + timeout)
            # The dictionary keeps its order, so the first one ends first.
            until = next((end for _one, end in running.values()), None)
            if until is None:
                continue
            for key, _events in selector.select(max(0.0, until - time.monotonic())):
                one, _end = running.pop(key.fileobj)
                yield (*one, _closed(selector, key.fileobj, finish(one[0], key.fileobj)))
            now = time.monotonic()
            for sock, (one, end) in list(running.items()):
                if end > now:
                    break
                del running[sock]
                yield (*one, _closed(selector, sock, SILENT))


def _closed(selector, sock, state):
    selector.unregister(sock)
    sock.close()
    return state
