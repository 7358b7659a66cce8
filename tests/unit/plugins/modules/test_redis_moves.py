# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.modules import redis_failover, redis_follow

A, B = "192.0.2.1:6379", "192.0.2.2:6379"


@pytest.mark.parametrize(
    ("row", "tell"),
    [
        ({"server": A, "role": "master", "keys": 0, "replicas": []}, False),
        ({"server": B, "role": "master", "keys": 0, "replicas": []}, True),
        ({"server": B, "role": "master", "keys": 1, "replicas": []}, False),
        ({"server": B, "role": "master", "keys": 0, "replicas": [{}]}, False),
        ({"server": B, "role": "replica", "master": "192.0.2.9:6379"}, False),
    ],
)
def test_only_an_empty_server_that_follows_nobody_is_told(row, tell):
    assert redis_follow.judge(row, A)[0] is tell


class Group:
    """Sentinel and servers; the master changes after some looks."""

    def __init__(self, looks):
        self.looks = looks
        self.asked = []

    def __call__(self, endpoint, options):
        self.endpoint = endpoint
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_details):
        pass

    def call(self, *words):
        self.asked.append(words[1])
        if words[1] == "GET-MASTER-ADDR-BY-NAME":
            self.looks -= 1
            return (A if self.looks > 0 else B).split(":")
        return "role:master\r\n"


PARAMS = {
    **{key: None for key in ("user", "password", "sentinel_user", "sentinel_password", "ca_path", "cert_path")},
    **{"key_path": None, "tls": False, "timeout": 1, "name": "m", "server": A, "sentinel": "s:1", "deadline": 5},
}


def test_a_failover_ends_when_the_new_master_says_so():
    group = Group(looks=3)
    clock = iter(range(100))
    assert redis_failover.move(PARAMS, group, sleep=lambda _s: None, clock=lambda: next(clock) / 10)[0] == B
    assert group.asked[0] == "FAILOVER"


def test_a_failover_that_does_not_happen_is_said():
    clock = iter(range(100))
    with pytest.raises(ValueError, match="still master after 5 s"):
        redis_failover.move(PARAMS, Group(looks=1000), sleep=lambda _s: None, clock=lambda: next(clock))
