# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read-only questions to PostgreSQL through psycopg2. Private to this collection."""

from __future__ import annotations

import contextlib
import os
import pwd

try:
    import psycopg2
except ImportError:  # judged when a question is asked, so that documentation and other kinds work without it
    psycopg2 = None

SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
MISSING = "psycopg2: not found for this Python on the host; expected it; install python3-psycopg2"


class PostgresError(Exception):
    """A question that got no answer."""


@contextlib.contextmanager
def effective_user(name):
    """Act as a system user while connecting, which is what peer authentication looks at."""
    if not name or os.geteuid() != 0:
        yield
        return
    account = pwd.getpwnam(name)
    group = os.getegid()
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)


def connection_options(params):
    """Keyword arguments of psycopg2.connect out of a module's parameters."""
    if params.get("dsn"):
        options = {"dsn": params["dsn"]}
    else:
        options = {
            "host": params.get("host"),
            "port": params.get("port"),
            "user": params.get("user"),
            "password": params.get("password"),
            "dbname": params.get("database") or "postgres",
        }
        if params.get("tls"):
            options["sslmode"] = "verify-full"
            options["sslrootcert"] = params.get("ca_path") or SYSTEM_AUTHORITIES
            options["sslcert"] = params.get("cert_path")
            options["sslkey"] = params.get("key_path")
    options["connect_timeout"] = max(2, int(params.get("timeout") or 5))
    options["application_name"] = "mainstay gate"
    return {key: value for key, value in options.items() if value is not None}


class PostgresClient:
    """One connection whose every question runs in a read-only transaction with a time limit."""

    def __init__(self, params, peer_user=None):
        if psycopg2 is None:
            raise PostgresError(MISSING)
        self.timeout_ms = int((params.get("timeout") or 5) * 1000)
        try:
            with effective_user(peer_user):
                self.connection = psycopg2.connect(**connection_options(params))
            self.connection.set_session(readonly=True)
        except (psycopg2.Error, KeyError, OSError) as error:
            raise PostgresError(" ".join(str(error).split())) from None

    def __enter__(self):
        return self

    def __exit__(self, *_details):
        self.connection.close()

    def rows(self, query, values=None):
        """The rows of one query as dictionaries."""
        try:
            with self.connection.cursor() as cursor:
                # LOCAL, because behind a pooler the server's session outlives this one.
                cursor.execute("SET LOCAL statement_timeout = %s", (self.timeout_ms,))
                cursor.execute(query, values)
                names = [column.name for column in cursor.description or []]
                rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()] if names else []
            self.connection.rollback()
            return rows
        except psycopg2.Error as error:
            raise PostgresError(" ".join(str(error).split())) from None
