# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The schema, in steps that run once each. Safe to repeat and to run from two places at once."""

from __future__ import annotations

import logging

from sqlalchemy import text

from . import auth, faults
from .database import engine_for
from .settings import load

log = logging.getLogger(__name__)
LOCK = 7232001  # any number, the same for everybody who migrates this schema

STEPS = [
    (
        1,
        "accounts, entries and users",
        """
        create table accounts (code text primary key, name text not null, currency char(3) not null default 'EUR');
        create table users (username text primary key, password text not null,
                            created_at timestamptz not null default now());
        create table entries (id uuid primary key, account text not null references accounts,
                              amount numeric(18,2) not null, memo bytea, occurred_on date not null,
                              created_at timestamptz not null default now(), settled_at timestamptz);
        insert into accounts (code, name) values ('operating', 'Operating account'), ('payroll', 'Payroll'),
                                                 ('reserve', 'Reserve');
    """,
    ),
    (
        2,
        "indexes of lists and reports",
        """
        create index entries_by_time on entries (created_at desc, id desc);
        create index entries_by_day on entries (occurred_on, account) include (amount);
    """,
    ),
]


def migrate() -> list[int]:
    """Bring the schema up to date; give the numbers of the steps that were run."""
    settings = load()
    faults.on_migration(settings.fault)
    engine = engine_for(settings.database_url)
    done = []
    with engine.begin() as connection:
        # A migration takes as long as it takes.
        connection.execute(text("set local statement_timeout = 0"))
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        connection.execute(
            text(
                "create table if not exists schema_migrations (version integer primary key, name text not null,"
                " applied_at timestamptz not null default now())"
            )
        )
        known = set(connection.execute(text("select version from schema_migrations")).scalars())
        for version, name, sql in STEPS:
            if version in known:
                continue
            for statement in filter(str.strip, sql.split(";")):
                connection.execute(text(statement))
            connection.execute(
                text("insert into schema_migrations (version, name) values (:version, :name)"),
                {"version": version, "name": name},
            )
            done.append(version)
            log.info("applied migration", extra={"migration": version, "name_of_migration": name})
        if settings.admin_password:
            auth.set_password(connection, settings.admin_username, settings.admin_password)
    engine.dispose()
    return done
