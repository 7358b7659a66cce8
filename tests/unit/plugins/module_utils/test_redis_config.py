# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils import _redis_config as config

SENTINEL = """\
# written by the package
SENTINEL resolve-hostnames no
sentinel monitor mymaster 127.0.0.1 6379 2
sentinel down-after-milliseconds mymaster 30000
sentinel monitor sessions 192.0.2.2 6379 2
sentinel myid 0123456789
sentinel known-replica sessions 192.0.2.1 6379
sentinel config-epoch sessions 7
user default on nopass ~* &* +@all
"""


@pytest.mark.parametrize(
    ("key", "found", "wanted", "equal"),
    [
        ("maxmemory", ["1610612736"], "1536mb", True),
        ("maxmemory", ["1610612736"], "1535mb", False),
        ("repl-backlog-size", ["16777216"], "16mb", True),
        ("notify-keyspace-events", ["xE"], "Ex", True),
        ("notify-keyspace-events", ["xE"], "", False),
        ("save", ["900 1 300 10"], ["900 1", "300 10"], True),
        ("save", [""], [], True),
        ("appendonly", ["no"], False, True),
        (
            "client-output-buffer-limit",
            "normal 0 0 0 slave 268435456 67108864 60",
            ["normal 0 0 0", "replica 256mb 64mb 60"],
            True,
        ),
        ("io-threads", None, 4, False),
    ],
)
def test_values_are_compared_by_meaning(key, found, wanted, equal):
    assert config.same(key, found, wanted) is equal


def test_merge_keeps_what_it_was_not_asked_about():
    text = 'port 6379\n# a comment\nreplicaof 192.0.2.2 6379\nmasterauth "se cret"\nsave 900 1\nsave 60 1\n'
    merged = config.merge(text, {"port": 0, "save": ["900 1", "300 10"]})
    assert config.parse(merged) == {
        "port": ["0"],
        "replicaof": ["192.0.2.2 6379"],
        "masterauth": ["se cret"],
        "save": ["900 1", "300 10"],
    }
    assert "# a comment" in merged


def test_merge_of_what_is_there_changes_no_byte():
    text = "save 900 1\n\nport 0"
    assert config.merge(text, {"port": 0, "save": ["900 1"]}) is text


def test_an_acl_file_stands_alone():
    merged = config.merge("requirepass x\nuser default on\n", {"aclfile": "/etc/redis/users.acl"})
    assert merged == "aclfile /etc/redis/users.acl\n"


@pytest.mark.parametrize(
    ("key", "value", "lines"),
    [
        ("save", [], ['save ""']),
        ("tls-protocols", "TLSv1.2 TLSv1.3", ['tls-protocols "TLSv1.2 TLSv1.3"']),
        ("bind", "192.0.2.1 127.0.0.1", ["bind 192.0.2.1 127.0.0.1"]),
        ("masterauth", 'a"b', ['masterauth "a\\"b"']),
    ],
)
def test_lines_are_written_as_the_server_reads_them(key, value, lines):
    assert config.lines_for(key, value) == lines


def test_a_sentinel_keeps_its_master_and_what_it_learned():
    kept = config.forget_others(SENTINEL, "sessions")
    wanted = config.sentinel_wanted("sessions", "192.0.2.2 6379", 2, {"down-after-milliseconds": 5000, "port": 0})
    parsed = config.parse(config.merge(kept, wanted))
    assert config.watched(parsed) == {"sessions": "192.0.2.2 6379 2"}
    assert parsed["sentinel down-after-milliseconds sessions"] == ["5000"]
    assert parsed["sentinel myid"] == ["0123456789"]
    assert parsed["sentinel known-replica sessions"] == ["192.0.2.1 6379"]
    assert parsed["sentinel config-epoch sessions"] == ["7"]
    assert parsed["sentinel resolve-hostnames"] == ["no"]


def test_a_sentinel_that_knows_nobody_gets_no_options_of_a_master():
    assert config.sentinel_wanted("sessions", "", 2, {"auth-user": "sentinel", "port": 0}) == {"port": 0}


def test_what_a_sentinel_leaves_out_has_its_default():
    assert config.changed_keys({}, {"sentinel parallel-syncs sessions": 1, "sentinel resolve-hostnames": "no"}) == []
    assert config.changed_keys({}, {"sentinel parallel-syncs sessions": 2}) == ["sentinel parallel-syncs sessions"]


CATEGORIES = {
    "slow": ["info", "flushall", "config|get", "config|set", "keys", "set"],
    "fast": ["ping", "get"],
    "dangerous": ["info", "flushall", "config|get", "config|set", "keys"],
}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["+@all", "-@dangerous", "+info"], ["-@all", "+ping", "+get", "+set", "+info"]),
        (["+config"], ["+config|get", "+config|set"]),
        ([], ["-@all"]),
    ],
)
def test_rules_that_allow_the_same_are_the_same(one, other):
    assert config.allowed_commands(one, CATEGORIES.get) == config.allowed_commands(other, CATEGORIES.get)


@pytest.mark.parametrize(
    "live",
    [
        "user app on #aa ~* &* +@all",
        "user app on #bb ~* &* +get",
        "user app off #aa ~* &* +get",
        "user app on #aa ~x &* +get",
        "user app on #aa ~* &* +get\nuser other on nopass ~* +@all",
        "",
    ],
)
def test_users_that_may_do_something_else_are_found(live):
    wanted = config.parse_users("user app on #aa ~* &* +get")
    assert config.different_users(wanted, config.parse_users(live), CATEGORIES.get)


def test_users_that_may_do_the_same_are_not():
    wanted = config.parse_users("user app on #aa allkeys &* +get")
    live = config.parse_users("user app on sanitize-payload #aa ~* &* -@all +GET")
    assert config.different_users(wanted, live, CATEGORIES.get) == []


def test_valkey_names_of_directives_are_the_same():
    text = 'primaryuser "replication"\nprimaryauth "secret"\n'
    wanted = {"masteruser": "replication", "masterauth": "secret"}
    assert config.merge(text, wanted) == text
    assert config.merge(text, {**wanted, "masterauth": "new"}) == 'primaryuser "replication"\nmasterauth new\n'
