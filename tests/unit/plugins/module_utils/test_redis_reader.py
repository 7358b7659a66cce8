# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.mainstay.platform.plugins.module_utils._redis_client import RedisError
from ansible_collections.mainstay.platform.plugins.module_utils._redis_reader import (
    parse_info,
    read_sentinel,
    read_server,
)

MASTER = """# Server
redis_version:8.0.2
# Persistence
loading:0
# Replication
role:master
connected_slaves:1
slave0:ip=192.0.2.2,port=6379,state=online,offset=90,lag=1
master_repl_offset:100
# Keyspace
db0:keys=7,expires=0,avg_ttl=0
db3:keys=2,expires=0,avg_ttl=0
"""
REPLICA = """role:slave
master_host:192.0.2.1
master_port:6379
master_link_status:up
slave_repl_offset:90
loading:1
"""
SENTINEL = [
    "name",
    "m",
    "ip",
    "192.0.2.1",
    "port",
    "6379",
    "flags",
    "master",
    "num-slaves",
    "2",
    "num-other-sentinels",
    "2",
]


def connect(replies):
    """A client class whose answers are the given ones by command; an exception is raised."""

    class Client:
        def __init__(self, endpoint, options):
            self.endpoint = endpoint

        def __enter__(self):
            return self

        def __exit__(self, *details):
            pass

        def call(self, *words):
            reply = replies[" ".join(words[:2])]
            if isinstance(reply, Exception):
                raise reply
            return reply

    return Client


def test_parse_info_ignores_headings():
    assert parse_info(MASTER)["role"] == "master"


def test_read_server_of_a_master():
    row = read_server("192.0.2.1:6379", {}, connect({"INFO": MASTER}))
    assert (row["role"], row["keys"], row["offset"], row["master"], row["kind"]) == ("master", 9, 100, "", "")
    assert row["replicas"] == [{"replica": "192.0.2.2:6379", "state": "online", "offset": 90, "lag": 1}]


def test_read_server_of_a_loading_replica():
    row = read_server("192.0.2.2:6379", {}, connect({"INFO": REPLICA}))
    assert (row["role"], row["master"], row["link"], row["offset"], row["kind"]) == (
        "replica",
        "192.0.2.1:6379",
        "up",
        90,
        "loading",
    )


def test_read_server_keeps_the_kind_of_failure():
    row = read_server("192.0.2.2:6379", {}, connect({"INFO": RedisError("auth", "NOAUTH")}))
    assert row == {"server": "192.0.2.2:6379", "reachable": False, "error": "NOAUTH", "kind": "auth"}


def test_read_sentinel():
    row = read_sentinel("s:1", "m", {}, connect({"SENTINEL MASTER": SENTINEL, "SENTINEL CKQUORUM": "OK 3 usable"}))
    assert (row["master"], row["sentinels"], row["replicas"], row["quorum"]) == ("192.0.2.1:6379", 3, 2, "OK 3 usable")


def test_read_sentinel_without_quorum_keeps_the_reason():
    replies = {"SENTINEL MASTER": SENTINEL, "SENTINEL CKQUORUM": RedisError("reply", "NOQUORUM 1 usable")}
    assert read_sentinel("s:1", "m", {}, connect(replies))["quorum"] == "NOQUORUM 1 usable"


def test_read_sentinel_that_does_not_know_the_name():
    row = read_sentinel(
        "s:1", "m", {}, connect({"SENTINEL MASTER": RedisError("reply", "ERR No such master with that name")})
    )
    assert (row["reachable"], row["master"]) == (True, "")
