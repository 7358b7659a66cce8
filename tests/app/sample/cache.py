# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Redis, through its Sentinels when they are named: whoever is master answers."""

from __future__ import annotations

import socket
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from redis import Redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from .settings import Settings, load

# A host that lost its power says nothing: what it never acknowledged is given up after 8 s, as in PostgreSQL's driver.
LIVELY = {
    "socket_keepalive": True,
    "socket_keepalive_options": {
        socket.TCP_KEEPIDLE: 10,
        socket.TCP_KEEPINTVL: 3,
        socket.TCP_KEEPCNT: 3,
        socket.TCP_USER_TIMEOUT: 8000,
    },
}


def parts(url: str) -> dict:
    """Account, database and TLS of a redis:// or rediss:// URL."""
    found = urlsplit(url)
    return {
        "host": found.hostname,
        "port": found.port or 6379,
        "username": unquote(found.username or "") or None,
        "password": unquote(found.password or "") or None,
        "db": int(found.path.strip("/") or 0),
        "tls": found.scheme == "rediss",
    }


def sentinels(settings: Settings) -> list[tuple[str, int]]:
    """The Sentinels' addresses, from host:port or URLs, by comma or semicolon."""
    found = []
    for item in settings.redis_sentinels.replace(";", ",").split(","):
        if item.strip():
            address = urlsplit(item.strip() if "://" in item else f"//{item.strip()}")
            found.append((address.hostname, address.port or 26379))
    return found


def tls(settings: Settings) -> dict:
    """TLS as redis-py wants it: always verified."""
    if not parts(settings.redis_url)["tls"]:
        return {}
    options = {"ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True}
    return {**options, "ssl_ca_certs": settings.redis_ca} if settings.redis_ca else options


def sentinel_options(settings: Settings) -> dict:
    """How a Sentinel is asked: once, for a second. The driver's retries make each connection wait for a dead one."""
    options = {"socket_timeout": 1, "socket_connect_timeout": 1, "retry": Retry(NoBackoff(), 0), **tls(settings)}
    if settings.sentinel_password:
        options.update(username=settings.sentinel_username or None, password=settings.sentinel_password)
    return options


@lru_cache
def client(timeout: float | None = None) -> Redis:
    """A client of the master with a pool of its own."""
    settings = load()
    server = parts(settings.redis_url)
    options = {
        "username": server["username"],
        "password": server["password"],
        "db": server["db"],
        "socket_timeout": timeout or settings.redis_timeout,
        "socket_connect_timeout": min(timeout or 3, 3),
        "max_connections": settings.redis_pool,
        "health_check_interval": 15,
        **LIVELY,
        "retry": Retry(ExponentialBackoff(cap=1, base=0.1), 3 if timeout is None else 0),
        "decode_responses": True,
        **tls(settings),
    }
    if not sentinels(settings):
        return Redis(host=server["host"], port=server["port"], **options)
    asked = {"username": None, "password": None, **sentinel_options(settings)}
    return Sentinel(sentinels(settings), sentinel_kwargs=asked, **options).master_for(settings.redis_master_name)


def heartbeat_key() -> str:
    """Where a worker says that it is alive. Here, because its health check must not load all that a worker needs."""
    return f"sample:worker:{load().instance}"
