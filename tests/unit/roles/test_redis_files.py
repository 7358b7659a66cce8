# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files of the role redis as they are rendered."""

from __future__ import annotations

import re

import pytest
from repository import ROOT, load, render_all

DEFAULTS = load(ROOT / "roles/redis/defaults/main.yml")
FILES = {"role": "redis", "host": "cache1", "templates": ["restart.conf", "users.acl", "sentinel-users.acl"]}
CASES = {
    "three": {},
    "slow": {"redis_down_after": 30000},
    "alone": {"redis_members": [{"name": "cache1", "address": "10.0.21.21"}]},
}
SIX = [{"name": f"cache{number}", "address": f"10.0.21.2{number}"} for number in range(1, 7)]
CLUSTER = {"redis_mode": "cluster", "redis_members": SIX}
CASES["cluster"] = CLUSTER


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    places = {name: tmp_path_factory.mktemp("redis") for name in CASES}
    runs = render_all(
        [("render_role.yml", {"out": str(places[name]), **FILES, **more}) for name, more in CASES.items()]
    )
    for done in runs:
        assert done.returncode == 0, done.stdout + done.stderr
    return places


def seconds(place):
    return int(re.search(r"^RestartSec=(\d+)$", (place / "restart.conf").read_text(), re.M)[1])


def test_a_master_that_failed_comes_back_after_the_failover(files):
    # Up to a second until the silence is noticed, and 1.2 s of election on top of it.
    assert seconds(files["three"]) >= DEFAULTS["redis_down_after"] / 1000 + 2.2
    assert seconds(files["slow"]) >= 30 + 2.2
    assert seconds(files["alone"]) == 1, "nobody takes over from it"
    # Silence is seen after at most one and a half times the timeout, and electing takes two seconds.
    assert seconds(files["cluster"]) >= DEFAULTS["redis_node_timeout"] / 1000 * 1.5 + 2


def test_the_users_of_a_cluster_may_ask_about_it_and_there_are_none_that_nobody_needs(files):
    lines = (files["cluster"] / "users.acl").read_text().splitlines()
    users = {line.split()[1]: line for line in lines}
    assert set(users) == {"default", "admin", "app", "replication", "monitoring", "backup"}
    assert users["monitoring"].endswith(" +cluster|info") and users["backup"].endswith(" +cluster|nodes")
    assert "cluster" not in (files["three"] / "users.acl").read_text()


@pytest.mark.parametrize(
    ("file", "rules"),
    [("users.acl", "+ping +info"), ("sentinel-users.acl", "+ping +sentinel|get-master-addr-by-name")],
)
def test_the_edge_may_ask_and_nothing_else(files, file, rules):
    lines = (files["three"] / file).read_text().splitlines()
    (edge,) = [line for line in lines if line.startswith("user edge ")]
    assert re.fullmatch(rf"user edge on #[0-9a-f]{{64}} resetchannels {re.escape(rules)}", edge)
    assert not [line for line in lines if "secret" in line], "only digests of passwords are written"
    assert "user default off resetchannels -@all" in lines


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"redis_settings": {"rename-command": "FLUSHALL x"}}, "redis_settings: found rename-command"),
        ({"redis_settings": {"Include": "/etc/redis/more.conf", "hz": 10}}, "redis_settings: found include,"),
        ({"redis_settings": {"replicaof": "10.0.21.22 6379"}}, "redis_settings: found replicaof"),
        (
            {"redis_settings": {"save": "", "min-replicas-to-write": 2}},
            "redis_settings: found min-replicas-to-write, save,",
        ),
        (
            {"__redis_release": "Ubuntu22"},
            "found redis with Ubuntu22, expected redis, or valkey with Debian13, and none of",
        ),
        ({"redis_min_replicas": 2}, "redis_min_replicas: found 2 with 3 hosts, expected 0 to 1"),
        ({"redis_save": []}, "redis_save: found no snapshots, and no log (redis_appendonly), with 3 hosts"),
        ({"redis_quorum": 4}, "redis_quorum: found 4, expected 1 to 3"),
        (
            {"redis_members": [{"name": "cache1", "address": "10.0.21.21"}, {"name": "c2", "address": "cache2.test"}]},
            "redis_members: found cache2.test, expected addresses",
        ),
        ({"platform_redis_engine": "keydb"}, "found keydb with Debian13, expected redis, or valkey with Debian13"),
        (
            {"platform_redis_engine": "valkey", "release": "12"},
            "platform_redis_engine on cache1: found valkey with Debian12, expected redis",
        ),
        ({"__redis_other_program": "/bin/sh"}, "found redis and /bin/sh, expected one of them"),
        ({"redis_maxmemory_mb": 9000}, "redis_maxmemory_mb on cache1: found 9000, expected 64 to 8192"),
        ({"redis_settings": {"cluster-enabled": "yes"}}, "redis_settings: found cluster-enabled"),
        (
            {"redis_mode": "cluster"},
            "redis_members: found 3 hosts with redis_replicas 1, expected at least one replica",
        ),
        (
            {**CLUSTER, "redis_replicas": 2},
            "found 6 hosts with redis_replicas 2, expected at least one replica of each",
        ),
        (
            {**CLUSTER, "redis_replicas": 0},
            "found 6 hosts with redis_replicas 0, expected at least one replica of each",
        ),
        ({**CLUSTER, "redis_min_replicas": 1}, "found 1 with 6 hosts and 1 replicas of each master, expected 0 to 0"),
        ({**CLUSTER, "redis_leaving": ["10.0.21.23"]}, "redis_leaving 10.0.21.23; expected redis and not valkey"),
        (
            {**CLUSTER, "redis_node_timeout": 100},
            "redis_node_timeout 100, redis_leaving (none); expected redis and not valkey",
        ),
        ({**CLUSTER, "redis_port": 6390}, "redis_port 6390"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path, given, said):
    (done,) = render_all([("render_role.yml", {"out": str(tmp_path), **FILES, **given})])
    assert done.returncode != 0 and said in " ".join(done.stdout.split())
    assert not list(tmp_path.iterdir()), "nothing was written"


@pytest.mark.parametrize(
    ("mode", "file", "line", "found"),
    [
        ("sentinel", "redis.conf", "cluster-enabled yes", "found sentinel, and a server that was set up as cluster"),
        ("cluster", "sentinel.conf", "aclfile /x", "found cluster, and a server that was set up as sentinel"),
    ],
)
def test_a_host_of_the_other_mode_is_refused_and_one_of_the_same_is_not(tmp_path, mode, file, line, found):
    out, host = tmp_path / "out", tmp_path / "redis"
    out.mkdir()
    host.mkdir()
    given = {**FILES, **CLUSTER, "redis_mode": mode, "out": str(out), "__redis_dir": str(host)}
    (host / file).write_text(f"# {line}\nport 0\n")
    (done,) = render_all([("render_role.yml", given)])
    assert done.returncode == 0, done.stdout + done.stderr
    (host / file).write_text(f"port 0\n{line}\n")
    (done,) = render_all([("render_role.yml", {**given, "templates": []})])
    assert done.returncode != 0 and found in " ".join(done.stdout.split())
