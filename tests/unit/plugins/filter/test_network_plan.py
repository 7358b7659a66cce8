# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.filter.network_plan import network_plan

TIERS = ["public", "private", "database"]


def test_reference_plan():
    plan = network_plan("10.0.0.0/16", ["a", "b", "c"], TIERS)
    assert list(plan["public"].values()) == ["10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"]
    assert list(plan["private"].values()) == ["10.0.11.0/24", "10.0.12.0/24", "10.0.13.0/24"]
    assert list(plan["database"].values()) == ["10.0.21.0/24", "10.0.22.0/24", "10.0.23.0/24"]


def test_a_new_zone_or_tier_moves_nothing():
    small = network_plan("10.0.0.0/16", ["a"], TIERS)
    large = network_plan("10.0.0.0/16", ["a", "b"], [*TIERS, "backup"])
    assert all(large[tier]["a"] == small[tier]["a"] for tier in TIERS)


def test_ipv6_base():
    assert network_plan("2001:db8::/56", ["a"], ["public"], 64)["public"]["a"] == "2001:db8:0:1::/64"


@pytest.mark.parametrize(
    "base, zones, kwargs, message",
    [
        ("10.0.0.1/16", ["a"], {}, "without host bits"),
        ("10.0.0.0/24", ["a"], {}, "expected one longer than /24"),
        ("10.0.0.0/20", ["a", "b"], {}, "expected room for number 22"),
        ("10.0.0.0/16", ["a", "a"], {}, "each once"),
        ("10.0.0.0/16", list("abcdefghijk"), {}, "expected at most 10"),
        (
            "10.0.0.0/16",
            ["a"],
            {"reserved": {"office": "10.0.11.0/25"}},
            ("private in a: found 10.0.11.0/24, which overlaps 10.0.11.0/25 of office"),
        ),
    ],
)
def test_impossible_plans_are_refused(base, zones, kwargs, message):
    with pytest.raises(AnsibleFilterError, match=message):
        network_plan(base, zones, TIERS, **kwargs)
