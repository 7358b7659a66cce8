"""The database cluster grows from three hosts to five, has lost ones replaced, and shrinks again, under writes.

The tests run in the order in which they stand; the last one leaves the lab as it was.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator

import pytest
from client import Client, Writer

from tests.lab import ROOT, Lab, cluster, make_synchronous, primary

OVERLAY = ROOT / "tests" / "site" / "inventory_grow"
OLD, NEW = ("db1", "db2", "db3"), ("db4", "db5")
ETCDCTL = (
    "ETCDCTL_API=3 etcdctl --cacert=/etc/mainstay/tls/ca.crt --cert=/etc/mainstay/tls/host.crt "
    "--key=/etc/mainstay/tls/host.key --endpoints=https://127.0.0.1:2379"
)
STARTED = (
    "systemctl show --property=InactiveExitTimestamp --value patroni.service etcd.service; "
    "head -n 1 /var/lib/postgresql/*/*/postmaster.pid"
)


@pytest.fixture(scope="module")
def grown(lab: Lab) -> Iterator[Lab]:
    """With the two hosts, which are removed whatever happens; the cluster may still know them then."""
    if lab.name == "small":
        pytest.skip("the small lab has one host")
    yield lab.overlaid(OVERLAY)
    for host in NEW:
        lab.remove(host)


def etcd(lab: Lab, host: str = "db1") -> dict[str, dict]:
    found = json.loads(lab.shell(host, f"{ETCDCTL} member list --write-out=json"))["members"]
    return {member.get("name", "not started"): member for member in found}


def starts(lab: Lab) -> dict[str, str]:
    """When PostgreSQL, Patroni and etcd of the hosts that were there started."""
    return {host: lab.shell(host, STARTED) for host in OLD}


def whole(lab: Lab, *hosts: str) -> None:
    members = cluster(lab)
    assert {member["Member"] for member in members} == set(hosts)
    assert {member["State"] for member in members} <= {"running", "streaming"}
    voters = [name for name, member in etcd(lab).items() if not member.get("isLearner")]
    assert sorted(voters) == sorted(hosts)


def all_there(client: Client, writer: Writer) -> None:
    for entry in writer.acknowledged[-20:]:
        client.ask("GET", f"/api/v1/entries/{entry}")
        time.sleep(0.6)
    print(f"longest gap {writer.longest_gap:.1f} s, {len(writer.failures)} failed of {len(writer.acknowledged)} writes")


def test_two_hosts_join_by_a_plain_run(lab: Lab, grown: Lab):
    grown.create(*NEW)
    # So that nothing but the two hosts is new.
    assert lab.playbook("site").status == 0
    before, leader, client = starts(lab), primary(lab), Client(lab)
    with Writer(client) as writer:
        run = grown.playbook("site")
    assert run.status == 0, run.tail()
    whole(lab, *OLD, *NEW)
    assert (starts(lab), primary(lab)) == (before, leader)
    all_there(client, writer)


def test_a_second_run_changes_nothing(grown: Lab):
    run = grown.playbook("site")
    assert run.status == 0, run.tail()
    assert run.changed == {}, run.output


def test_lost_hosts_are_replaced_under_their_names(lab: Lab, grown: Lab):
    """Two hosts are lost at once, disks and all: one that etcd still counts with, one that somebody has removed."""
    before = etcd(lab)
    for host in NEW:
        if primary(lab) == host:
            make_synchronous(lab, "db1")
            assert grown.playbook("switchover", "-e", "switchover_candidate=db1").status == 0
        lab.remove(host)
    lab.shell("db1", f"{ETCDCTL} member remove {before['db5']['ID']:x}")
    grown.create(*NEW)
    run = grown.playbook("site")
    assert run.status == 0, run.tail()
    whole(lab, *OLD, *NEW)
    assert all(etcd(lab)[host]["ID"] != before[host]["ID"] for host in NEW)


def test_a_learner_that_never_started_is_finished(lab: Lab, grown: Lab):
    """What a run leaves that was killed between registering a member and starting it."""
    lab.shell("db5", "systemctl stop etcd && rm -rf /var/lib/etcd/*")
    lab.shell("db1", f"{ETCDCTL} member remove {etcd(lab)['db5']['ID']:x}")
    added = f"{ETCDCTL} member add db5 --learner --peer-urls=https://172.30.0.35:2380"
    lab.shell("db1", f"until {added}; do sleep 1; done")
    run = grown.playbook("data", "--tags", "etcd")
    assert run.status == 0, run.tail()
    whole(lab, *OLD, *NEW)


@pytest.mark.parametrize(
    ("playbook", "typed", "words"),
    [
        ("remove_database_host", [], "remove_host: found nothing"),
        ("remove_database_host", ["remove_host=db5"], "an odd number"),
        ("remove_database_host", ["remove_host=db4,db5", "remove_data=db4"], "remove_data: found db4"),
        ("destroy", ["destroy_cluster=somebody-elses"], "destroy_cluster: found somebody-elses"),
    ],
)
def test_what_was_typed_wrong_is_refused(grown: Lab, playbook: str, typed: list[str], words: str):
    run = grown.playbook(playbook, *[word for value in typed for word in ("-e", value)])
    output = " ".join(run.output.split())
    assert run.status != 0 and words in output and "Nothing has changed" in output, run.tail()
    assert run.changed == {}


def test_a_primary_and_a_dead_host_are_taken_out(lab: Lab, grown: Lab):
    make_synchronous(lab, "db4")
    switch = grown.playbook("switchover", "-e", "switchover_candidate=db4")
    assert switch.status == 0, switch.tail()
    client = Client(lab)
    lab.docker("kill", f"{lab.name}-db5")
    with Writer(client) as writer:
        writer.until(20, 90)
        run = grown.playbook("remove_database_host", "-e", "remove_host=db4,db5")
        writer.until(10, 60)
    assert run.status == 0, run.tail()
    assert "Not touched, because they did not answer: db5" in " ".join(run.output.split())
    whole(lab, *OLD)
    assert lab.shell("db4", "systemctl is-active patroni etcd pgbouncer", check=False).split() == ["inactive"] * 3
    assert lab.shell("db4", "ls /var/lib/postgresql/*/*/PG_VERSION")
    all_there(client, writer)


def test_taking_them_out_again_changes_nothing(grown: Lab):
    run = grown.playbook("remove_database_host", "-e", "remove_host=db4,db5")
    assert run.status == 0, run.tail()
    assert run.changed == {}, run.tail()


def test_the_others_forget_them(lab: Lab):
    before = starts(lab)
    run = lab.playbook("site")
    assert run.status == 0, run.tail()
    assert starts(lab) == before
    assert lab.playbook("site").changed == {}
    read = {"edge1": "/etc/haproxy/haproxy.cfg", "ops1": "/etc/prometheus", "db1": "/etc/patroni/config.yml"}
    for host, path in read.items():
        assert not lab.shell(host, f"grep -r 172.30.0.3[45] {path}", check=False)


@pytest.mark.skipif("DESTROY" not in os.environ, reason="the lab has to be built anew afterwards; DESTROY=1 does it")
def test_a_destroyed_cluster_leaves_its_backups(lab: Lab):
    name = lab.shell("db1", "awk '$1 == \"scope:\" {print $2}' /etc/patroni/config.yml").strip('"')
    backups = "find /var/backups/mainstay -name backup.manifest | sort"
    before = lab.shell("ops1", backups)
    run = lab.playbook("destroy", "-e", f"destroy_cluster={name}")
    assert run.status == 0, run.tail()
    for host in OLD:
        assert not lab.shell(host, "ls -d /var/lib/postgresql/*/*/PG_VERSION /var/lib/etcd/*/member", check=False)
    assert before and lab.shell("ops1", backups) == before
    again = lab.playbook("destroy", "-e", f"destroy_cluster={name}")
    assert again.status == 0 and again.changed == {}, again.tail()
