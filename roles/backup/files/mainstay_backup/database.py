# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Talks to PostgreSQL through psql: over verified TLS to the cluster, over a socket to a scratch instance."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import uuid

from .common import Problem, as_postgres, note

# A value as text must not depend on who asks.
READING = """
set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'; set timezone = 'UTC'; set extra_float_digits = 1;
set bytea_output = 'hex'; set lc_monetary = 'C'; set search_path = ''; set row_security = off;
set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; set lock_timeout = '30s'
"""


def conninfo(**parts):
    """A connection string; values may hold anything."""
    quoted = {key: str(value).replace("\\", r"\\").replace("'", r"\'") for key, value in parts.items()}
    return " ".join(f"{key}='{value}'" for key, value in quoted.items())


def identifier(name):
    return '"' + name.replace('"', '""') + '"'


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def cluster_conninfo(settings, role, database="postgres", host=None, wanted="any"):
    """How to reach a member, or the first one of the wanted kind."""
    hosts = [host] if host else settings.postgres.hosts
    return conninfo(
        host=",".join(hosts),
        port=settings.postgres.port,
        user=role,
        dbname=database,
        sslmode="verify-full",
        sslrootcert=settings.tls_ca,
        connect_timeout=5,
        target_session_attrs=wanted,
        application_name="mainstay-backup",
        passfile=settings.postgres.passfile,
    )


class Session:
    """One connection that stays open, for what has to be asked within one transaction."""

    def __init__(self, connection, local=False):
        words = ["psql", "-X", "-A", "-t", "-q", "-w", "-d", connection]
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it lives as long as the session
        self.process = subprocess.Popen(
            as_postgres(words) if local else words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            cwd="/",
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )

    def __enter__(self):
        return self

    def __exit__(self, *_reason):
        self.close()

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def start(self, sql):
        """Send statements without waiting for their end."""
        self.token = uuid.uuid4().hex
        try:
            self.process.stdin.write(f"{sql.rstrip().rstrip(';')};\n\\echo {self.token} :ERROR :'LAST_ERROR_MESSAGE'\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self.lost() from None

    def finish(self):
        """The rows of what was started, as lines."""
        lines = []
        for line in self.process.stdout:
            if line.startswith(self.token):
                _token, failed, message = line.rstrip("\n").split(" ", 2)
                if failed == "true":
                    raise Problem(f"PostgreSQL: found the error {message}; expected none")
                return lines
            lines.append(line.rstrip("\n"))
        raise self.lost()

    def ask(self, sql):
        self.start(sql)
        return self.finish()

    def value(self, sql):
        rows = self.ask(sql)
        return rows[0] if rows else None

    def rows(self, sql):
        """The rows of a query as dictionaries; whatever they hold, one line each."""
        return [json.loads(line) for line in self.ask(f"select to_jsonb(mainstay_q) from ({sql}) mainstay_q")]

    def lost(self):
        self.process.wait()
        self.errors.seek(0)
        text = " ".join(self.errors.read().split()) or "the connection ended"
        return Problem(f"PostgreSQL: found {text[-400:]}; expected a connection; see whether the cluster runs")


def members(settings):
    """Who answers: {address: 'primary' or 'replica'}."""
    found, problems = {}, []
    for host in settings.postgres.hosts:
        try:
            with Session(cluster_conninfo(settings, settings.postgres.dump_role, host=host)) as session:
                found[host] = "replica" if session.value("select pg_is_in_recovery()") == "t" else "primary"
        except Problem as error:
            problems.append(str(error))
    return found, problems


@contextlib.contextmanager
def turn(settings, what):
    """One backup host at a time: pgBackRest takes one backup of a cluster at a time, a marker has its replica alone.

    The lock is the primary's, and goes with the connection, however this program ends.
    """
    with primary(settings) as session:
        session.ask("set statement_timeout = 0; set lock_timeout = 0; set idle_session_timeout = 0")
        taken = f"pg_try_advisory_lock(hashtext('mainstay-backup'), hashtext({literal(what)}))"
        if session.value(f"select {taken}") != "t":
            note(f"{what}: another backup host is at it; waiting for its end")
            session.ask(f"select {taken.replace('_try', '')}")
        yield


def primary(settings, database="postgres", role=None):
    """A session at the primary."""
    role = role or settings.postgres.dump_role
    session = Session(cluster_conninfo(settings, role, database, wanted="primary"))
    session.ask("select 1")
    return session
