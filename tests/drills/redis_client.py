"""A client of Redis: writes at a steady pace and says, line by line, what it got.

Runs where the application runs, with its driver, its secrets and its network; it reads the application's settings:
    python3 -c "$(cat redis_client.py)" edge RATE      writes through the edge's entry until its input ends
    python3 -c "$(cat redis_client.py)" sentinel RATE  the same to whom the Sentinels name
    python3 -c "$(cat redis_client.py)" cluster RATE   the same to the masters of a cluster
                                                       per attempt: TIME ok KEY [SESSION], or TIME failed KEY REASON
    python3 -c "$(cat redis_client.py)" lost < KEYS    prints those of the keys that the masters do not have
    python3 -c "$(cat redis_client.py)" drop           removes what drills have written
A session is a connection, which is kept until it fails; to a cluster it has one to each master. A write that failed is
never sent again: it counts.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import unquote, urlsplit

from redis import Redis, RedisCluster
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.crc import key_slot
from redis.retry import Retry
from redis.sentinel import Sentinel

SESSIONS = 4
# Of a cluster: each session has its part of the slots. Each of three masters has one or more of them alone, so one that
# is gone is a session without an answer, though the others go on.
PARTS, SLOTS = 8, 16384
PAUSE = 0.05  # seconds until a session that failed is opened again
ENTRY = 6380
PATIENCE = 0.5  # seconds that a client waits for a connection or an answer
KEPT = 7200  # seconds after which what a drill wrote goes away by itself
KEY = "drill:"


def setting(name: str) -> str:
    path = os.environ.get(f"{name}_FILE")
    return Path(path).read_text().strip() if path else os.environ[name]


def options(user: str, password: str) -> dict:
    tls = {"ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_ca_certs": setting("REDIS_CA")}
    waits = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE, "retry": Retry(NoBackoff(), 0)}
    return {"username": user, "password": password, **tls, **waits}


def account() -> dict:
    url = urlsplit(setting("REDIS_URL"))
    return {**options(unquote(url.username), unquote(url.password)), "decode_responses": True}


def through_edge() -> Redis:
    return Redis(host=urlsplit(setting("EDGE_URL")).hostname, port=ENTRY, max_connections=1, **account())


def through_sentinels() -> Redis:
    named = [item.rsplit(":", 1) for item in setting("REDIS_SENTINELS").split(",")]
    asked = options(setting("REDIS_SENTINEL_USERNAME"), setting("REDIS_SENTINEL_PASSWORD"))
    sentinels = Sentinel([(host, int(port)) for host, port in named], sentinel_kwargs=asked, **account())
    return sentinels.master_for(setting("REDIS_MASTER_NAME"), max_connections=1)


def through_cluster() -> RedisCluster:
    named = [item.rsplit(":", 1) for item in setting("REDIS_NODES").split(",")]
    return RedisCluster(startup_nodes=[ClusterNode(host, int(port)) for host, port in named], **account())


WAYS = {"edge": through_edge, "sentinel": through_sentinels, "cluster": through_cluster}


def to_masters() -> Redis | RedisCluster:
    """By what the settings name, past the edge."""
    return through_cluster() if "REDIS_NODES" in os.environ else through_sentinels()


def say(*words: object) -> None:
    os.write(1, f"{' '.join(map(str, words))}\n".encode())  # in one piece: sessions speak at the same time


def new_key(parts: list[int]) -> str:
    """One of these parts of the slots, or any."""
    while True:
        key = f"{KEY}{uuid.uuid4()}"
        if not parts or key_slot(key.encode()) * PARTS // SLOTS in parts:
            return key


def session(rate: float, stopped: threading.Event, way: str, parts: list[int]) -> None:
    """One connection after the other, with its share of the pace; late writes follow at once, none is skipped."""
    client, due = WAYS[way](), time.monotonic()
    while not stopped.is_set():
        due = max(due + 1 / rate, time.monotonic() - 1)
        time.sleep(max(0.0, due - time.monotonic()))
        key = new_key(parts)
        try:
            client.set(key, way, ex=KEPT)
            say(f"{time.time():.4f}", "ok", key, *parts)
        except Exception as error:  # the driver has some that are no RedisError, and stumbles over nodes that are new
            said = f"{type(error).__name__}: {error}"
            say(f"{time.time():.4f}", "failed", key, " ".join(said.split())[:160])
            if way != "cluster":  # whose driver keeps the connections that are well, and asks anew who has which slots
                client.connection_pool.disconnect()
            time.sleep(PAUSE)


def keep_on(way: str, rate: float) -> None:
    stopped = threading.Event()
    parts = [[part] for part in range(PARTS)] if way == "cluster" else [[]] * SESSIONS
    shares = [(rate / len(parts), stopped, way, own) for own in parts]
    threads = [threading.Thread(target=session, args=share) for share in shares]
    for thread in threads:
        thread.start()
    while select.select([sys.stdin], [], [], 1)[0] == [] or sys.stdin.readline():
        pass
    stopped.set()
    for thread in threads:
        thread.join()


def lost() -> None:
    client = to_masters()
    for key in sys.stdin.read().split():
        if not client.exists(key):
            say(key)


def drop() -> None:
    client = to_masters()
    for key in client.scan_iter(f"{KEY}*", count=1000):
        client.delete(key)


if __name__ == "__main__":
    job, *rest = sys.argv[1:]
    if job in WAYS:
        keep_on(job, float(rest[0]))
    else:
        {"lost": lost, "drop": drop}[job]()
