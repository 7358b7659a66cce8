# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bad versions on purpose, for the drills: the setting APP_FAULT says what goes wrong.

unhealthy | unhealthy-after:20 | slow:1.5 | errors:20 (one request in twenty) | migration | deaf (ignores SIGTERM)
"""

from __future__ import annotations

import signal
import time

STARTED = time.monotonic()
KINDS = {"", "unhealthy", "unhealthy-after", "slow", "errors", "migration", "deaf"}
_count = 0


class Fault(Exception):
    """The fault that was asked for."""


def parse(fault: str) -> tuple[str, float]:
    kind, _colon, value = fault.partition(":")
    if kind not in KINDS:
        raise Fault(f"APP_FAULT: found {fault!r}; expected one of {', '.join(sorted(KINDS))}")
    return kind, float(value or 0)


def is_unhealthy(fault: str) -> bool:
    kind, value = parse(fault)
    return kind == "unhealthy" or (kind == "unhealthy-after" and time.monotonic() - STARTED > value)


def delay(fault: str) -> float:
    kind, value = parse(fault)
    return value if kind == "slow" else 0


def fails_now(fault: str) -> bool:
    global _count
    kind, value = parse(fault)
    if kind != "errors":
        return False
    _count += 1
    return _count % int(value or 20) == 0


def on_migration(fault: str) -> None:
    if parse(fault)[0] == "migration":
        raise Fault("the migration fails on purpose")


def on_start(fault: str) -> None:
    if parse(fault)[0] == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
