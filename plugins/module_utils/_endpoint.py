# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses as text, "host:port" both ways. Private to this collection."""

from __future__ import annotations


def split_endpoint(text, default_port=None):
    """("host", port) of "host:port", "[v6]:port" or, with a default port, of the bare host."""
    host, separator, port = str(text).strip().rpartition(":")
    if text.strip().startswith("["):
        host, _closing, rest = text.strip()[1:].partition("]")
        separator, port = (":", rest[1:]) if rest.startswith(":") else ("", "")
    elif not separator or ":" in host:
        host, separator, port = text.strip(), "", ""
    if not separator and default_port is not None:
        return host, int(default_port)
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"endpoint: found {text!r}; expected host:port; write the port behind the address")
    return host, int(port)


def join_endpoint(host, port):
    """The text form of an address and a port."""
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
