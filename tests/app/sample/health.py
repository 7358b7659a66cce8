# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does each dependency answer? Asked side by side, with short patience, and not more than once a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate

from sqlalchemy import text

from . import VERSION, cache, database, faults, metrics, migrations
from .settings import load

PATIENCE = 4.0  # seconds for all checks together
FRESH = 1.0  # seconds for which an answer is given again
HEARTBEATS = "sample:worker:*"
# Without these the application cannot do its work; the others only make it worse.
ESSENTIAL = ("database", "redis")

_pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="health")
_lock = threading.Lock()
_last: tuple[float, dict] = (0.0, {})


def _database() -> str:
    with database.writer().connect() as connection:
        if connection.execute(text("select pg_is_in_recovery()")).scalar():
            raise RuntimeError("the read-write entry leads to a replica")
        version = connection.execute(text("select max(version) from schema_migrations")).scalar()
    if (version or 0) < migrations.STEPS[-1][0]:
        raise RuntimeError(f"schema {version}; expected {migrations.STEPS[-1][0]}; run the migration")
    return f"primary answers, schema {version}"


def _replica() -> str:
    with database.reader().connect() as connection:
        if not connection.execute(text("select pg_is_in_recovery()")).scalar():
            return "the read-only entry leads to the primary"
    return "replica answers"


def _redis() -> str:
    cache.client(2.0).ping()
    return "master answers"


def _worker() -> str:
    workers = sorted(cache.client(2.0).scan_iter(HEARTBEATS, count=500))
    if not workers:
        raise RuntimeError("no worker has reported within 30 seconds")
    return f"{len(workers)} alive"


CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "replica": _replica,
    "redis": _redis,
    "worker": _worker,
}


def _result(name: str, future, deadline: float) -> dict:
    try:
        detail = future.result(timeout=max(0.0, deadline - time.monotonic()))
    except TooLate:
        return {"status": "failed", "detail": f"no answer within {PATIENCE:g} s"}
    except Exception as error:  # whatever is wrong with a dependency, the report names it
        # The first line only: drivers put the address there, and never the password.
        return {"status": "failed", "detail": str(error).strip().split("\n")[0][:200] or type(error).__name__}
    return {"status": "ok", "detail": detail}


def _ask() -> dict:
    deadline = time.monotonic() + PATIENCE
    futures = {name: _pool.submit(check) for name, check in CHECKS.items()}
    checks = {name: _result(name, future, deadline) for name, future in futures.items()}
    for name, check in checks.items():
        metrics.DEPENDENCY.labels(name).set(check["status"] == "ok")
    failed = [name for name, check in checks.items() if check["status"] != "ok"]
    status = "healthy" if not failed else "degraded"
    if any(name in ESSENTIAL for name in failed) or faults.is_unhealthy(load().fault):
        status = "unhealthy"
    return {"status": status, "version": VERSION, "instance": load().instance, "checks": checks}


def report() -> dict:
    """The state of this instance. `healthy` and `degraded` can serve; `unhealthy` cannot."""
    global _last
    with _lock:
        if time.monotonic() - _last[0] > FRESH or not _last[1]:
            _last = (time.monotonic(), _ask())
        return _last[1]
