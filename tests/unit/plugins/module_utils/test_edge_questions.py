# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The questions to the edge: frames of ARP, and what is a good answer."""

from __future__ import annotations

import socket

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils import _edge

MAC = bytes.fromhex("0242ac1e0e0b")


def answer(sender, operation=2):
    return _edge.FRAME.pack(
        MAC, MAC, 0x0806, 1, 0x0800, 6, 4, operation, MAC, socket.inet_aton(sender), MAC, socket.inet_aton("10.0.0.1")
    )


def test_a_request_asks_everybody():
    frame = _edge.arp_request(MAC, "10.0.0.1", "10.0.0.10")
    assert len(frame) == 42
    assert frame[:6] == b"\xff" * 6
    assert frame[-4:] == socket.inet_aton("10.0.0.10")


def test_an_answer_names_its_sender():
    assert _edge.arp_answer(answer("10.0.0.10") + b"\x00" * 18, "10.0.0.10") == "02:42:ac:1e:0e:0b"


@pytest.mark.parametrize("frame", [answer("10.0.0.11"), answer("10.0.0.10", operation=1), b"", b"\x00" * 60])
def test_other_frames_are_no_answer(frame):
    assert _edge.arp_answer(frame, "10.0.0.10") is None


@pytest.mark.parametrize(
    ("own", "others", "good", "text"),
    [
        (True, set(), True, "this host"),
        (False, {"02:00"}, True, "02:00"),
        (False, set(), False, "nobody"),
        (True, {"02:00"}, False, "this host and 02:00"),
        (False, {"02:00", "03:00"}, False, "02:00 and 03:00"),
    ],
)
def test_exactly_one_holder_is_good(own, others, good, text):
    assert _edge.judge_holders("10.0.0.10", own, others)[0] is good
    assert text in _edge.judge_holders("10.0.0.10", own, others)[1]


@pytest.mark.parametrize(
    ("statuses", "retry_after", "good", "text"),
    [
        ([404, 429], "10", True, "request 2 passed, the next one was answered 429 with Retry-After 10"),
        ([503, 429], "10", True, "request 2 passed"),
        ([200, 200], None, False, "request 3 of a source passed; expected 429 after 2"),
        ([429], "10", False, "found 429 to request 2"),
        ([200, 429], None, False, "Retry-After None"),
        ([200, 429], "soon", False, "Retry-After 'soon'"),
    ],
)
def test_the_limit_comes_at_its_threshold(statuses, retry_after, good, text):
    found = _edge.judge_limit(statuses, retry_after, 2, 429)
    assert found[0] is good
    assert text in found[1]


def test_the_source_is_a_loopback_address_of_its_own():
    found = {_edge.loopback_source() for _place in range(50)}
    assert len(found) > 40
    assert all(address.startswith("127.") and not address.startswith("127.0.") for address in found)
