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
    ],
)
def test_what_cannot_work_is_refused(tmp_path, given, said):
    (done,) = render_all([("render_role.yml", {"out": str(tmp_path), **FILES, **given})])
    assert done.returncode != 0 and said in " ".join(done.stdout.split())
    assert not list(tmp_path.iterdir()), "nothing was written"
