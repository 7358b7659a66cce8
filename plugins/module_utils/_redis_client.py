# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small Redis client (RESP2 over TCP or TLS, standard library only). Private to this collection."""

from __future__ import annotations

import socket
import ssl

from ansible_collections.mainstay.platform.plugins.module_utils._endpoint import split_endpoint
from ansible_collections.mainstay.platform.plugins.module_utils._tls import client_context


class RedisError(Exception):
    """A failed conversation. `kind` is one of refused, unreachable, tls, auth, loading and reply."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


REPLY_KINDS = {"NOAUTH": "auth", "WRONGPASS": "auth", "NOPERM": "auth", "DENIED": "auth", "LOADING": "loading"}


def encode_command(words):
    """A command as an array of bulk strings."""
    chunks = [b"*%d\r\n" % len(words)]
    for word in words:
        data = str(word).encode()
        chunks.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(chunks)


def read_reply(stream):
    """One RESP2 reply from a binary file object; an error reply raises RedisError."""
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise RedisError("unreachable", "the connection was closed before the answer was complete")
    mark, rest = line[:1], line[1:-2].decode(errors="replace")
    if mark == b"+":
        return rest
    if mark == b"-":
        raise RedisError(REPLY_KINDS.get(rest.split(" ", 1)[0], "reply"), rest)
    if mark == b":":
        return int(rest)
    if mark == b"$":
        if int(rest) < 0:
            return None
        return stream.read(int(rest) + 2)[:-2].decode(errors="replace")
    if mark == b"*":
        return None if int(rest) < 0 else [read_reply(stream) for _item in range(int(rest))]
    raise RedisError("reply", f"found an answer that starts with {mark!r}; expected the Redis protocol")


class RedisClient:
    """One authenticated connection.

    `options` holds user, password, tls, ca_path, cert_path, key_path, server_name and timeout.
    """

    def __init__(self, endpoint, options):
        self.endpoint = endpoint
        self.options = options
        self.stream = None
        self.sock = None

    def __enter__(self):
        host, port = split_endpoint(self.endpoint)
        try:
            self.sock = socket.create_connection((host, port), timeout=self.options.get("timeout") or 3)
            if self.options.get("tls"):
                context = client_context(*(self.options.get(key) for key in ("ca_path", "cert_path", "key_path")))
                self.sock = context.wrap_socket(self.sock, server_hostname=self.options.get("server_name") or host)
            self.stream = self.sock.makefile("rb")
            if self.options.get("password"):
                self.call("AUTH", self.options.get("user") or "default", self.options["password"])
        except BaseException as error:
            self.close()
            raise self._explain(error) from None
        return self

    def __exit__(self, *_details):
        self.close()

    def close(self):
        for part in (self.stream, self.sock):
            if part is not None:
                part.close()

    def call(self, *words):
        """Send one command and return its reply."""
        try:
            self.sock.sendall(encode_command(words))
            return read_reply(self.stream)
        except OSError as error:
            raise self._explain(error) from None

    @staticmethod
    def _explain(error):
        if isinstance(error, ConnectionRefusedError):
            return RedisError("refused", "connection refused: nothing listens there")
        if isinstance(error, ssl.SSLError):
            return RedisError("tls", f"TLS failed: {getattr(error, 'verify_message', '') or error.reason or error}")
        if isinstance(error, TimeoutError):
            return RedisError("unreachable", "no answer in time")
        if isinstance(error, OSError):
            return RedisError("unreachable", str(error))
        return error
