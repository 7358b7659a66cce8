"""A second backup host: a repository of its own, which is enough to restore the cluster when the first host is lost.

The tests run in the order in which they stand; the last one leaves the lab as it was, but for the restore.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.lab import ROOT, Lab, sql

OVERLAY = ROOT / "tests" / "site" / "inventory_second_repository"
SECOND = "ops2"
MARK = "create table if not exists restore_marks (mark text); truncate restore_marks; insert into restore_marks values "


@pytest.fixture(scope="module")
def doubled(lab: Lab) -> Iterator[Lab]:
    """With the second host, which is removed whatever happens."""
    if lab.name == "small":
        pytest.skip("the small lab has one host")
    yield lab.overlaid(OVERLAY)
    lab.remove(SECOND)


def full_backups(lab: Lab, host: str) -> list[str]:
    listed = json.loads(lab.shell(host, "mainstay-backup list --json"))
    return [each["name"] for each in listed["backups"] if each["kind"] == "database full"]


def test_a_plain_run_makes_the_second_repository(lab: Lab, doubled: Lab):
    doubled.create(SECOND)
    run = doubled.playbook("site")
    assert run.status == 0, run.tail()
    assert full_backups(lab, SECOND)
    assert not set(full_backups(lab, SECOND)) & set(full_backups(lab, "ops1"))


def test_a_second_run_changes_nothing(doubled: Lab):
    run = doubled.playbook("site")
    assert run.status == 0, run.tail()
    assert run.changed == {}, run.output


def test_the_second_host_restores_the_cluster_while_the_first_is_lost(lab: Lab, doubled: Lab):
    lab.docker("kill", f"{lab.name}-ops1")
    try:
        sql(lab, MARK + "('kept')")
        name = lab.shell(SECOND, "mainstay-backup point without_the_first").split()[2]
        sql(lab, MARK + "('after')")
        options = {"restore_cluster": "apg-cash", "restore_replace": True, "restore_to": name}
        restored = doubled.playbook("restore", "-e", json.dumps(options | {"restore_backup_host": SECOND}))
        assert restored.status == 0, restored.tail()
        assert sql(lab, "select mark from restore_marks").split() == ["kept"]
    finally:
        lab.docker("start", f"{lab.name}-ops1")
    lab.shell("ops1", "systemctl is-system-running --wait", check=False)
    # It has not seen what was written since.
    lab.shell("ops1", "mainstay-backup take full")
    run = doubled.playbook("site")
    assert run.status == 0, run.tail()
    assert doubled.playbook("site").changed == {}


def test_the_cluster_forgets_it(lab: Lab, doubled: Lab):
    lab.remove(SECOND)
    run = lab.playbook("site")
    assert run.status == 0, run.tail()
    assert lab.playbook("site").changed == {}
    lab.shell("db1", "! grep -rq 172.30.0.52 /etc/pgbackrest* /etc/patroni")
