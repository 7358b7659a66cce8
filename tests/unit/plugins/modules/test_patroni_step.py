# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.modules import patroni_step

URLS = ["https://db1:8008", "https://db2:8008"]


class Patroni:
    """Members that finish a loop every other time they are asked."""

    def __init__(self, pending=(), named=True, frozen=False):
        self.pending, self.named, self.frozen, self.asked = pending, named, frozen, 0

    def get(self, url, _params):
        name = url.split("//")[1].split(":")[0]
        if url.endswith("/cluster"):
            roles = {"db1": "leader", "db2": "sync_standby"}
            return {
                "members": [
                    {"name": item, "role": role, "api_url": f"https://{item}:8008/patroni"}
                    for item, role in roles.items()
                ]
            }, ""
        self.asked += 1
        seen = 0 if self.frozen else self.asked // 2
        found = {"patroni": {"name": name} if self.named else {}, "dcs_last_seen": seen}
        return found | ({"pending_restart": True} if name in self.pending else {}), ""


def decide(patroni, clock=lambda: 0, **options):
    params = {"patroni_urls": URLS, "done": [], "synchronous": True, "settle": False, "deadline": 5} | options
    return patroni_step.decide(params, patroni.get, clock, lambda _seconds: None)


@pytest.mark.parametrize("named", [True, False])
def test_the_step_names_the_member_and_where_to_ask_it(named):
    found = decide(Patroni(["db2"], named))
    assert (found["action"], found["member"], found["url"]) == ("restart", "db2", "https://db2:8008")


def test_a_cluster_at_rest_needs_no_step():
    expected = {"action": "none", "member": "", "candidate": "", "done": [], "url": "", "leader": "db1"}
    assert decide(Patroni()) == expected


def test_it_waits_until_every_member_has_looped_twice():
    patroni = Patroni()
    decide(patroni, settle=True)
    assert patroni.asked > 2 * len(URLS) + patroni_step.LOOPS


def test_a_member_that_stands_still_is_named():
    ticks = iter(range(100))
    with pytest.raises(patroni_step.Silent, match="https://db1:8008: found it still at the same loop"):
        decide(Patroni(frozen=True), clock=lambda: next(ticks), settle=True)


def test_a_silent_member_fails(run_module):
    found = run_module("patroni_step", patroni_urls=["http://127.0.0.1:9"])
    assert found["failed"] and "expected an answer" in found["msg"]
