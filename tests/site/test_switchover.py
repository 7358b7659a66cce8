"""A switchover that is killed, and what comes after it."""

from __future__ import annotations

import pytest
from test_rotation import Direct
from test_states import members

from tests.lab import Lab, make_synchronous, primary


def at_home(lab: Lab, host: str) -> bool:
    """Whether its pooler serves the PostgreSQL of its own host."""
    asked = f"grep -qwF host={lab.address(host)} /etc/pgbouncer/pgbouncer.ini && echo so"
    return lab.shell(host, asked, check=False) == "so"


def test_a_switchover_back_finishes_one_that_was_killed(lab: Lab):
    if len(members(lab)) < 3:
        pytest.skip("one member has nobody to hand over to")
    before = primary(lab)
    with Direct(lab) as client:
        lab.killed("Give them all the same time", "switchover", after=3)
        assert primary(lab) != before and not at_home(lab, before)
        make_synchronous(lab, before)
        back = lab.playbook("switchover", "-e", f"switchover_candidate={before}")
    print(f"{len(client.keys)} writes, longest gap {client.longest_gap:.2f} s, {len(client.failed)} failed statements")
    assert back.status == 0, back.tail()
    assert primary(lab) == before and at_home(lab, before)
    assert client.failed == [] and client.lost() == []
    assert client.longest_gap < 2
    run = lab.playbook("data")
    assert (run.status, run.changed) == (0, {}), run.tail()
