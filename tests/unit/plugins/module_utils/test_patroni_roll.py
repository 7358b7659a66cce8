# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils._patroni_roll import next_step


def cluster(**pending):
    """db1 leads, db2 is synchronous; the members named wait for a restart."""
    roles = {"db1": "leader", "db2": "sync_standby", "db3": "replica"}
    return [{"name": name, "role": role, "pending": name in pending} for name, role in roles.items()]


def test_nobody_restarts_who_waits_for_nothing():
    assert next_step(cluster(), [], True)["action"] == "none"


def test_replicas_come_first_the_synchronous_one_last():
    first = next_step(cluster(db1=1, db2=1, db3=1), [], True)
    assert (first["action"], first["member"], first["done"]) == ("restart", "db3", ["db3"])
    assert next_step(cluster(db1=1, db2=1), ["db3"], True)["member"] == "db2"


def test_the_primary_hands_over_to_a_synchronous_replica():
    found = next_step(cluster(db1=1), ["db3", "db2"], True)
    assert (found["action"], found["member"], found["candidate"]) == ("switchover", "db1", "db2")


def test_without_synchronous_commits_any_replica_may_take_over():
    members = [item | {"role": "replica"} if item["name"] != "db1" else item for item in cluster(db1=1)]
    assert next_step(members, [], False)["candidate"] == "db2"
    assert next_step(members, [], True)["action"] == "restart"


def test_a_primary_without_replicas_restarts_in_its_place():
    found = next_step([{"name": "one", "role": "leader", "pending": True}], [], True)
    assert (found["action"], found["member"]) == ("restart", "one")


def test_a_lowered_setting_restarts_the_primary_and_then_its_replicas_again():
    # No replica may have it lower than its primary, so theirs still wait after their restart.
    found = next_step(cluster(db1=1, db2=1, db3=1), ["db3", "db2"], True)
    assert (found["action"], found["member"], found["done"]) == ("restart", "db1", ["db1"])
    assert next_step(cluster(db2=1, db3=1), found["done"], True)["member"] == "db3"


def test_a_member_that_waits_after_its_restart_ends_it():
    with pytest.raises(ValueError, match="db3: found still waiting for a restart after one"):
        next_step(cluster(db3=1), ["db3"], True)
