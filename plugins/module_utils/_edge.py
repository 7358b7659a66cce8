# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pure parts of the questions to the edge: ARP frames, and judgement over answers. Private to this collection."""

from __future__ import annotations

import random
import socket
import struct

ETHERTYPE_ARP = 0x0806
FRAME = struct.Struct("!6s6sHHHBBH6s4s6s4s")


def arp_request(mac, sender, target):
    """The frame that asks everybody on the wire who has the target address."""
    return FRAME.pack(
        b"\xff" * 6,
        mac,
        ETHERTYPE_ARP,
        1,
        0x0800,
        6,
        4,
        1,
        mac,
        socket.inet_aton(sender),
        b"\x00" * 6,
        socket.inet_aton(target),
    )


def arp_answer(frame, target):
    """The hardware address of whoever says in this frame that the target address is theirs, or None."""
    if len(frame) < FRAME.size:
        return None
    parts = FRAME.unpack(frame[: FRAME.size])
    ethertype, operation, mac, sender = parts[2], parts[7], parts[8], parts[9]
    if ethertype != ETHERTYPE_ARP or operation != 2 or sender != socket.inet_aton(target):
        return None
    return ":".join(f"{byte:02x}" for byte in mac)


def judge_holders(address, own, others):
    """(good, sentence) about who holds an address that exactly one host must hold."""
    holders = (["this host"] if own else []) + sorted(others)
    if len(holders) == 1:
        return True, f"{address} is held by {holders[0]}"
    found = "nobody" if not holders else " and ".join(holders)
    return False, f"{address}: found it held by {found}; expected exactly one host"


def loopback_source(choose=random.randrange):
    """An address of this host that nobody has used lately, so that its count starts at zero."""
    return f"127.{choose(64, 250)}.{choose(1, 250)}.{choose(1, 250)}"


def judge_limit(statuses, retry_after, allowed, limited_status):
    """(good, sentence) about the answers to the last request that a source may send, and to one more."""
    passed = next((index for index, status in enumerate(statuses) if status == limited_status), None)
    if passed is None:
        return False, f"found request {allowed + 1} of a source passed; expected {limited_status} after {allowed}"
    if not passed:
        return False, f"found {limited_status} to request {allowed} of a source; expected it after {allowed}"
    if not str(retry_after or "").isdigit():
        return False, f"found {limited_status} with Retry-After {retry_after!r}; expected it to name seconds"
    return True, f"request {allowed} passed, the next one was answered {limited_status} with Retry-After {retry_after}"
