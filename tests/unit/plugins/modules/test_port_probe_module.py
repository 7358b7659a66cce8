# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import socket


def test_ports_are_grouped_by_address_and_protocol(run_module):
    with socket.socket() as accepting, socket.socket() as bound:
        for sock in (accepting, bound):
            sock.bind(("127.0.0.1", 0))
        accepting.listen()
        open_port, free_port = (sock.getsockname()[1] for sock in (accepting, bound))
        found = run_module(
            "port_probe", addresses=["127.0.0.1"], tcp=[free_port, open_port], udp=[free_port], timeout=1
        )
    tcp, udp = found["probes"]
    assert tcp == {
        "address": "127.0.0.1",
        "source": "127.0.0.1",
        "proto": "tcp",
        "open": [open_port],
        "refused": [free_port],
        "silent": [],
        "unreachable": [],
    }
    assert (udp["proto"], udp["refused"]) == ("udp", [free_port])
    assert not found["changed"] and "3 ports of 1 address(es)" in found["evidence"]


def test_what_no_socket_takes_is_refused(run_module):
    found = run_module("port_probe", addresses=["no address"], tcp=[1], timeout=1)
    assert found["failed"] and "expected addresses and ports that a socket takes" in found["msg"]
