# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks a service once, by HTTP, TCP, SQL or Redis, and gives (good, found). Private to this collection."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
from urllib.parse import urlsplit

from ansible_collections.mainstay.platform.plugins.module_utils._endpoint import join_endpoint
from ansible_collections.mainstay.platform.plugins.module_utils._health import (
    http_problems,
    one_line,
    same,
    text_problems,
)
from ansible_collections.mainstay.platform.plugins.module_utils._postgres_client import PostgresClient, PostgresError
from ansible_collections.mainstay.platform.plugins.module_utils._redis_client import RedisClient, RedisError
from ansible_collections.mainstay.platform.plugins.module_utils._tls import client_context

READ_LIMIT = 1 << 20


def open_socket(host, port, params, tls, server_name):
    """A connected socket, with TLS when wanted; chain and name are always verified."""
    sock = socket.create_connection((params.get("connect_to") or host, port), timeout=params["timeout"])
    if not tls:
        return sock
    try:
        context = client_context(params.get("ca_path"), params.get("cert_path"), params.get("key_path"))
        return context.wrap_socket(sock, server_hostname=server_name or host)
    except BaseException:
        sock.close()
        raise


def network_error(error):
    """A failed connection in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"a certificate that is not accepted ({error.verify_message})"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: nothing listens there"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"{type(error).__name__}: {one_line(error)}"


def request_headers(params, url):
    """The headers of a request; Host is the URL's, whichever address is connected to."""
    headers = {"Host": url.netloc.rpartition("@")[2], "User-Agent": "mainstay-health-gate", "Connection": "close"}
    if params.get("user"):
        account = f"{params['user']}:{params.get('password') or ''}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(account).decode()
    headers.update({name: str(value) for name, value in (params.get("headers") or {}).items()})
    return headers


def fetch(params):
    """One HTTP answer as {status, headers, text}; redirects are answers like any other."""
    url = urlsplit(params["url"])
    tls = url.scheme == "https"
    port = url.port or (443 if tls else 80)
    connection = http.client.HTTPConnection(url.hostname, port, timeout=params["timeout"])
    connection.sock = open_socket(url.hostname, port, params, tls, params.get("server_name"))
    try:
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.request(params["method"], target, params.get("body"), request_headers(params, url))
        answer = connection.getresponse()
        text = answer.read(READ_LIMIT).decode(errors="replace")
        return {"status": answer.status, "headers": dict(answer.getheaders()), "text": text}
    finally:
        connection.close()


def ask_http(params):
    try:
        answer = fetch(params)
    except (OSError, http.client.HTTPException) as error:
        return False, network_error(error)
    expect = {key: params.get(f"expect_{key}") for key in ("status", "headers", "text", "json")}
    problems = http_problems(answer, expect)
    return not problems, "; ".join(problems) or f"status {answer['status']}"


def ask_tcp(params):
    try:
        with open_socket(params["host"], params["port"], params, params["tls"], params.get("server_name")) as sock:
            if not params.get("expect_text"):
                return True, "connected"
            text = sock.recv(4096).decode(errors="replace")
    except OSError as error:
        return False, network_error(error)
    problems = text_problems(text, params["expect_text"])
    return not problems, "; ".join(problems) or one_line(text, 80)


def ask_redis(params):
    endpoint = join_endpoint(params.get("connect_to") or params["host"], params["port"])
    options = dict(params, server_name=params.get("server_name") or params["host"])
    try:
        with RedisClient(endpoint, options) as client:
            found = client.call(*params["command"])
    except RedisError as error:
        return False, str(error)
    if params.get("expect_text"):
        problems = text_problems(str(found), params["expect_text"])
        return not problems, "; ".join(problems) or one_line(found, 80)
    return judge_value(found, params.get("expect_value") if params.get("expect_value") is not None else "PONG")


def ask_sql(params):
    try:
        with PostgresClient(params, params.get("peer_user")) as client:
            rows = client.rows(params["query"])
    except PostgresError as error:
        return False, str(error)
    if not rows:
        return False, "no row"
    found = next(iter(rows[0].values()))
    if params.get("expect_value") is None:
        return True, one_line(found, 80)
    return judge_value(found, params["expect_value"])


def judge_value(found, expected):
    """One value against the expected one."""
    good = same(found, expected)
    return good, one_line(found, 80) if good else f"{one_line(found, 80)!r}, expected {expected!r}"


ASK = {"http": ask_http, "tcp": ask_tcp, "redis": ask_redis, "sql": ask_sql}
