# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Levels, controls and times that are wrong are refused before a host is asked anything."""

from __future__ import annotations

import pytest
from repository import render_all

# What facts and connections would say.
GIVEN = {
    "role": "hardening",
    "hardening_ssh_kex": ["mlkem768x25519-sha256"],
    "hardening_container": True,
    "hardening_ban_never": ["127.0.0.1/8"],
    "hardening_upgrades_exclude": [],
}


def reboots(**times):
    """Times of reboots by host; a host without one never reboots by itself."""
    return {"hardening_upgrades_reboot_time": f"{{{{ {times}[inventory_hostname] | default('') }}}}"}


REFUSED = {
    "level": ({"hardening_level": "hardest"}, "found the level hardest", "a level of baseline or strict"),
    "level of the platform": ({"platform_hardening_level": "high"}, "found the level high", "baseline or strict"),
    "unknown control on": ({"hardening_controls_on": ["integritty"]}, "unknown controls integritty", "integrity"),
    "unknown control off": ({"hardening_controls_off": ["banner", "nobody"]}, "unknown controls nobody", "banner"),
    "on and off": (
        {"hardening_controls_on": ["banner"], "hardening_controls_off": ["banner"]},
        "both on and off banner",
        "each on or off",
    ),
    "a group that nobody makes": (
        {"platform_hardening_level": "strict", "hardening_controls_off": ["sudo-group"]},
        "ssh-operators without sudo-group and without hardening_ssh_groups",
        "Name the groups of those who log in in hardening_ssh_groups",
    ),
    "time of reboots": ({"hardening_upgrades_reboot_time": "24:00"}, "the time of reboots '24:00'", "such as 03:30"),
    "one time for all": (
        {"hardening_upgrades_reboot_time": "03:30"},
        "Reboots of db1 at 03:30: found db2 at 03:30, db3 at 03:30 in a group with it",
        "at least 30 minutes apart",
        "hardening_upgrades_reboot_time, or none, and reboot one after the other",
    ),
    "reboots close to each other": (
        reboots(db1="03:30", db2="04:00", db3="03:59"),
        "Reboots of db1 at 03:30: found db3 at 03:59 in a group",
    ),
    "reboots around midnight": (
        reboots(db1="23:50", db2="00:20", db3="00:19"),
        "Reboots of db1 at 23:50: found db3 at 00:19 in a group",
    ),
}
TAKEN = {
    "nothing said": {},
    "strict": {"platform_hardening_level": "strict"},
    "single controls": {"hardening_controls_on": ["integrity"], "hardening_controls_off": ["banner"]},
    "a group that exists": {
        "hardening_controls_on": ["ssh-operators"],
        "hardening_ssh_groups": ["admins"],
    },
    "a time": reboots(db1="03:30"),
    "times apart": reboots(db1="23:45", db2="00:15", db3="00:45"),
    "one time for hosts of several groups": reboots(db1="03:30", edge1="03:30", cache1="03:30", ops1="03:30"),
    "one time without upgrades": {
        "hardening_upgrades_reboot_time": "03:30",
        "hardening_controls_off": ["upgrades-security"],
    },
}


@pytest.fixture(scope="module")
def runs():
    """Every case, finished."""
    cases = {**{name: typed for name, (typed, *_words) in REFUSED.items()}, **TAKEN}
    done = render_all([("refuse.yml", {**GIVEN, **typed}) for typed in cases.values()])
    return {
        name: (run.returncode, " ".join((run.stdout + run.stderr).split()))
        for name, run in zip(cases, done, strict=True)
    }


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_with_what_is_known(runs, name):
    status, output = runs[name]
    assert status != 0
    for words in REFUSED[name][1:]:
        assert words in output, output
    assert "Read by which door" not in output, "a host was asked before"


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_right_is_taken(runs, name):
    status, output = runs[name]
    assert status == 0, output
