# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import itertools

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils._redis_client import RedisError
from ansible_collections.mainstay.platform.plugins.modules import redis_forget

PARAMS = {
    "name": "m",
    "servers": ["192.0.2.1:6379", "192.0.2.2:6379"],
    "sentinels": ["192.0.2.1:26379", "192.0.2.2:26379"],
    "deadline": 5,
}
DOWN = "slave,s_down,disconnected"


class Sentinel:
    """Knows a replica and a Sentinel of the group, and what it is given beside; finds the group after some looks."""

    def __init__(self, more, looks=0):
        self.sentinels = {"192.0.2.2:26379": "sentinel", **{key: more[key] for key in more if key.endswith(":26379")}}
        self.replicas = {"192.0.2.2:6379": "slave", **{key: more[key] for key in more if key.endswith(":6379")}}
        self.looks, self.asked = looks, []

    def call(self, *words):
        self.asked.append(words[1])
        if words[1] == "RESET":
            self.sentinels, self.replicas = {}, {}
            return 1
        if words[1] == "CKQUORUM":
            self.looks -= 1
            if self.looks < 0 and not self.replicas:
                self.sentinels, self.replicas = {"192.0.2.2:26379": "sentinel"}, {"192.0.2.2:6379": "slave"}
            if len(self.sentinels) < 1:
                raise RedisError("reply", "NOQUORUM 1 usable Sentinels")
            return "OK 2 usable Sentinels"
        rows = self.sentinels if words[1] == "SENTINELS" else self.replicas
        fields = [(*endpoint.split(":"), flags) for endpoint, flags in rows.items()]
        return [["name", "x", "ip", ip, "port", port, "flags", flags] for ip, port, flags in fields]


@pytest.mark.parametrize(
    ("more", "gone"),
    [
        ({}, {}),
        ({"192.0.2.3:6379": DOWN}, {"192.0.2.3:6379": DOWN}),
        ({"192.0.2.3:26379": "s_down"}, {"192.0.2.3:26379": "s_down"}),
    ],
)
def test_strangers_are_those_that_are_not_of_the_group(more, gone):
    assert redis_forget.strangers(redis_forget.known(Sentinel(more), "m"), PARAMS) == gone


def test_who_was_taken_out_and_still_runs_is_refused():
    redis_forget.refuse_running({"192.0.2.3:6379": DOWN})
    with pytest.raises(ValueError, match="found 192.0.2.3:26379, which still runs"):
        redis_forget.refuse_running({"192.0.2.3:6379": DOWN, "192.0.2.3:26379": "sentinel"})


def test_a_sentinel_forgets_and_has_found_the_group_again_when_it_ends():
    sentinel = Sentinel({"192.0.2.3:6379": DOWN}, looks=4)
    redis_forget.forget(sentinel, PARAMS, sleep=lambda _seconds: None, clock=lambda: 0)
    assert sentinel.asked[0] == "RESET" and sentinel.asked.count("CKQUORUM") >= 4
    assert redis_forget.strangers(redis_forget.known(sentinel, "m"), PARAMS) == {}


def test_a_sentinel_that_does_not_find_the_group_is_said():
    clock = itertools.count()
    with pytest.raises(ValueError, match="found 0 other Sentinels and 0 replicas 5 s after"):
        redis_forget.forget(Sentinel({}, looks=1000), PARAMS, sleep=lambda _seconds: None, clock=lambda: next(clock))
