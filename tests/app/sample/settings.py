# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings come from the environment; any of them may instead be a file, named by NAME_FILE."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

REQUIRED = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEY")


class SettingsError(Exception):
    """The environment does not say enough to start."""


def read(name: str, default: str = "") -> str:
    """Give the setting from NAME, or from the file that NAME_FILE names."""
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return os.environ.get(name, default)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{name}_FILE: found {path}, which cannot be read ({error.strerror})") from error


def number(name: str, default: float) -> float:
    value = read(name, str(default))
    try:
        return float(value)
    except ValueError as error:
        raise SettingsError(f"{name}: found {value!r}; expected a number") from error


@dataclass(frozen=True)
class Settings:
    """What the environment asked for."""

    database_url: str
    database_read_url: str
    redis_url: str
    redis_sentinels: str
    redis_master_name: str
    redis_ca: str
    sentinel_username: str
    sentinel_password: str
    secret_key: str
    jwt_secret_key: str
    encryption_key: str
    admin_username: str
    admin_password: str
    instance: str
    host: str
    port: int
    metrics_port: int
    workers: int
    pool_size: int
    pool_overflow: int
    pool_timeout: float
    pool_recycle: int
    retry_seconds: float
    redis_pool: int
    redis_timeout: float
    token_seconds: int
    grace_seconds: int
    log_dir: str
    fault: str


@lru_cache
def load() -> Settings:
    """Read every setting, and refuse to go on without the required ones."""
    missing = [name for name in REQUIRED if not read(name)]
    if missing:
        raise SettingsError(
            f"missing settings: {', '.join(missing)}; expected each as NAME or as a file named by NAME_FILE"
        )
    workers = max(1, int(number("WORKERS", 8)))
    # The pool is what one instance may hold: its workers share it.
    return Settings(
        database_url=read("DATABASE_URL"),
        database_read_url=read("DATABASE_READ_URL") or read("DATABASE_URL"),
        redis_url=read("REDIS_URL"),
        redis_sentinels=read("REDIS_SENTINELS"),
        redis_master_name=read("REDIS_MASTER_NAME", "mymaster"),
        redis_ca=os.environ.get("REDIS_CA", ""),
        sentinel_username=read("REDIS_SENTINEL_USERNAME"),
        sentinel_password=read("REDIS_SENTINEL_PASSWORD"),
        secret_key=read("SECRET_KEY"),
        jwt_secret_key=read("JWT_SECRET_KEY"),
        encryption_key=read("ENCRYPTION_KEY"),
        admin_username=read("ADMIN_USERNAME", "admin"),
        admin_password=read("ADMIN_PASSWORD"),
        instance=read("APP_INSTANCE") or socket.gethostname(),
        host=read("HOST", "0.0.0.0"),  # noqa: S104 - the container's own network decides who reaches it
        port=int(number("PORT", 8000)),
        metrics_port=int(number("METRICS_PORT", 8001)),
        workers=workers,
        pool_size=max(1, int(number("DATABASE_POOL_SIZE", 50)) // workers),
        pool_overflow=int(number("DATABASE_MAX_OVERFLOW", 100)) // workers,
        pool_timeout=number("DATABASE_POOL_TIMEOUT", 30),
        pool_recycle=int(number("DATABASE_POOL_RECYCLE", 3600)),
        retry_seconds=number("DATABASE_RETRY_SECONDS", 8),
        redis_pool=max(2, int(number("REDIS_POOL_SIZE", 100)) // workers),
        redis_timeout=number("REDIS_SOCKET_TIMEOUT", 30),
        token_seconds=int(number("JWT_SECONDS", 3600)),
        grace_seconds=int(number("GRACE_SECONDS", 25)),
        log_dir=read("LOG_DIR"),
        fault=read("APP_FAULT"),
    )
