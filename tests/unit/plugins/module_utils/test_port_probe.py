# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import errno
import socket
import time

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils import _port_probe as port_probe

HERE = "127.0.0.1"


@pytest.fixture
def ports():
    """A TCP port that accepts, a UDP port that says nothing, and one that is free in both."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as accepting,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute,
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as bound,
    ):
        for sock in (accepting, mute, bound):
            sock.bind((HERE, 0))
        accepting.listen()
        yield tuple(sock.getsockname()[1] for sock in (accepting, mute, bound))


@pytest.mark.parametrize("concurrent", [1, 100])
def test_states_of_ports(ports, concurrent):
    accepting, mute, free = ports
    wanted = [("tcp", HERE, accepting), ("tcp", HERE, free), ("udp", HERE, mute), ("udp", HERE, free)]
    states = {(proto, port): state for proto, _address, port, state in port_probe.probe(wanted, 0.3, concurrent)}
    assert states == {
        ("tcp", accepting): "open",
        ("tcp", free): "refused",
        ("udp", mute): "silent",
        ("udp", free): "refused",
    }


def test_many_ports_are_probed_at_once(ports):
    wanted = [("udp", HERE, ports[1])] * 50
    began = time.monotonic()
    found = list(port_probe.probe(wanted, 0.3, 50))
    assert time.monotonic() - began < 10, "one after the other they take 15 s"
    assert [state for *_one, state in found] == ["silent"] * 50


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (errno.ECONNREFUSED, "refused"),
        (errno.ECONNRESET, "refused"),
        (errno.ETIMEDOUT, "silent"),
        (errno.EHOSTUNREACH, "unreachable"),
        (errno.ENETUNREACH, "unreachable"),
    ],
)
def test_what_an_error_tells(code, state):
    assert port_probe.state_of(code) == state


def test_the_address_that_packets_leave_from():
    assert port_probe.local_address(HERE) == HERE
