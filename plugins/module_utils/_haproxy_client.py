# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Speaks to a running HAProxy over its socket. Private to this collection."""

from __future__ import annotations

import socket


class Refused(Exception):
    """HAProxy did not do as it was told."""


class Missing(Refused):
    """There is no such HAProxy or no such server."""


def say(path, command):
    """The answer of one HAProxy to one command, or to several with semicolons between."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        try:
            connection.connect(path)
        except OSError as error:
            kind = Missing if isinstance(error, (FileNotFoundError, ConnectionRefusedError)) else Refused
            raise kind(
                f"HAProxy at {path}: found {error.strerror or error}; expected it to answer; start haproxy, "
                "or name the socket that its configuration has"
            ) from error
        connection.sendall(f"{command}\n".encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer.decode(errors="replace")


def tell(path, command):
    """Have one HAProxy do something; what it does it does without a word."""
    answer = say(path, command).strip()
    if answer:
        raise Refused(
            f"HAProxy at {path}: found {answer!r} to '{command}'; expected it to be done; say it there by hand"
        )
