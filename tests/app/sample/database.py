# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two entries to PostgreSQL: one that writes, one that reads from replicas. Both outlive a failover."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, TimeoutError

from . import metrics
from .settings import load

T = TypeVar("T")
# What the server says while it starts, stops, or has just stopped being the primary.
MOVING = {"25006", "57P01", "57P02", "57P03", "08000", "08001", "08003", "08004", "08006"}
PAUSE = 0.25  # seconds between two tries
CONNECT = {
    "connect_timeout": "3",
    "client_encoding": "utf8",
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "8000",
    "application_name": "mainstay-sample",
}


def engine_for(url: str, **options) -> Engine:
    """An engine whose connections notice quickly that the other side is gone."""
    target = make_url(url).set(drivername="postgresql+psycopg")
    given = {key: value for key, value in CONNECT.items() if key not in target.query}
    # A session belongs to one transaction and keeps no prepared statements; how long one may take, the role says.
    given["prepare_threshold"] = None
    return create_engine(target, connect_args=given, pool_pre_ping=True, **options)


def _pooled(url: str) -> Engine:
    settings = load()
    return engine_for(
        url,
        pool_size=settings.pool_size,
        max_overflow=settings.pool_overflow,
        pool_timeout=settings.pool_timeout,
        pool_recycle=settings.pool_recycle,
    )


@lru_cache
def writer() -> Engine:
    return _pooled(load().database_url)


@lru_cache
def reader() -> Engine:
    return _pooled(load().database_read_url)


def is_moving(error: DBAPIError) -> bool:
    """Tell whether the same statement may well work in a moment."""
    if error.connection_invalidated or isinstance(error, InterfaceError):
        return True
    state = getattr(error.orig, "sqlstate", None)
    return state in MOVING or (state is None and isinstance(error, OperationalError))


def write(work: Callable[[Connection], T]) -> T:
    """Run work in a transaction, again while the primary moves. Work must bear being run twice."""
    deadline = time.monotonic() + load().retry_seconds
    while True:
        try:
            with writer().begin() as connection:
                return work(connection)
        except DBAPIError as error:
            if not is_moving(error) or time.monotonic() > deadline:
                raise
            metrics.DATABASE_RETRIES.inc()
            # The other connections of the pool lead to the same place.
            writer().dispose()
            time.sleep(PAUSE)


def read(work: Callable[[Connection], T]) -> T:
    """Run work on a replica, or on the primary when no replica answers."""
    try:
        with reader().connect() as connection:
            return work(connection)
    except DBAPIError as error:
        if not is_moving(error):
            raise
    except TimeoutError:
        pass
    metrics.READ_FALLBACKS.inc()
    return write(work)


def where(connection: Connection) -> dict:
    """Which server answers, and whether it is a replica."""
    row = connection.execute(text("select host(inet_server_addr()), pg_is_in_recovery()")).one()
    return {"server": row[0], "replica": row[1]}
