# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who joins the cluster, who goes and in which order, what is refused, and that backups are left alone."""

from __future__ import annotations

import json
import re

import pytest
from repository import ROOT, load, render_with, tasks

HOSTS = ("db1", "db2", "db3")


def said(found, *names, **variables):
    """What each host makes of it, by host and name of the variable."""
    done = render_with("membership.yml", {"found": found, "say": list(names), **variables})
    assert done.returncode == 0, done.stdout + done.stderr
    lines = re.findall(r"said (\w+): (.*?)['\"]?$", done.stdout, re.M)
    return {host: [json.loads(text) for name, text in lines if name == host] for host in HOSTS}


def data(*there, founding=()):
    return {
        host: {"__etcd_data": {"results": [{"stat": {"exists": host in part}} for part in (there, founding)]}}
        for host in HOSTS
    }


@pytest.mark.parametrize(
    ("found", "bootstrap", "joiners"),
    [
        (data(), True, []),
        (data("db1", founding=["db1", "db2"]), True, []),  # killed while it was made
        (data("db1"), False, ["db2", "db3"]),
        (data(*HOSTS), False, []),
        ({host: value for host, value in data("db1").items() if host != "db3"}, False, ["db2"]),  # --limit
    ],
)
def test_who_joins_the_consensus_store(found, bootstrap, joiners):
    answers = said(found, "__etcd_bootstrap", "__etcd_joiners")
    assert answers["db1"] == [bootstrap, joiners]


def seen(**roles):
    """What Patroni says, known to the host that speaks for those that stay."""
    members = [
        {"name": name, "role": role, "state": "running" if role == "leader" else "streaming"}
        for name, role in roles.items()
    ]
    return {host: {"__remove_cluster": {"json": {"members": members}}} for host in HOSTS}


def test_the_primary_goes_last_and_its_heir_stays():
    found = seen(db1="replica", db2="leader", db3="sync_standby")
    names = ("__remove_order", "__remove_speaker", "__remove_heirs", "__remove_well")
    assert said(found, *names, remove_host="db2, db3")["db1"] == [["db3", "db2"], "db1", [], ["db1"]]
    assert said(found, *names, remove_host="db2,db1")["db3"] == [["db1", "db2"], "db3", ["db3"], ["db3"]]


def keys(lines, words=("data",)):
    asked = {"rc": 0 if lines is not None else 1, "stdout_lines": lines or []}
    return {host: {"__destroy_found": {"stdout_lines": list(words)}, "__destroy_keys": asked} for host in HOSTS}


@pytest.mark.parametrize(
    ("found", "goes", "others"),
    [
        (keys(["/mainstay/test/leader", ""]), True, []),
        (keys(["/mainstay/test/leader", "", "/mainstay/test2/leader"]), False, ["/mainstay/test2/leader"]),
        (keys(None, ["marked"]), True, []),
    ],
)
def test_etcd_goes_when_nobody_else_uses_it(found, goes, others):
    variables = {"platform_postgresql_version": 17, "destroy_scope": "test"}
    assert said(found, "__destroy_etcd", "__destroy_others", **variables)["db1"] == [goes, others]


@pytest.mark.parametrize(
    ("role", "typed", "words"),
    [
        ("remove", {"remove_host": "db9"}, ["remove_host: found db9", "Nothing has changed"]),
        ("remove", {"remove_host": "db3"}, ["2 of etcd", "an odd number", "Name one host more or less"]),
        ("remove", {"remove_host": "db1,db2,db3"}, ["0 host(s) of PostgreSQL", "at least one"]),
        ("remove", {"remove_host": "db2,db3", "remove_data": "db3"}, ["remove_data: found db3", "db2,db3"]),
        ("destroy", {}, ["destroy_cluster: found nothing", "expected test", "Nothing has changed"]),
        ("destroy", {"destroy_cluster": "tes"}, ["destroy_cluster: found tes", "-e destroy_cluster=test"]),
    ],
)
def test_what_was_typed_wrong_is_refused(role, typed, words):
    done = render_with("refuse.yml", {"role": role, "platform_postgresql_version": 17, **typed})
    output = " ".join(done.stdout.split())
    assert done.returncode != 0
    for word in words:
        assert word in output, output


def test_destroying_goes_to_no_host_with_backups():
    (play,) = load(ROOT / "playbooks/destroy.yml")
    assert play["hosts"] == "postgresql:etcd"
    texts = [path.read_text() for path in (ROOT / "roles/destroy").rglob("*.yml")]
    assert not any(re.search(r"delegate_to|pgbackrest|platform_backup_dir|stanza", text) for text in texts)


@pytest.mark.parametrize("role", ["remove", "destroy"])
def test_data_are_removed_at_places_of_the_contract_only(role):
    removed = [
        (task["ansible.builtin.file"]["path"], task.get("loop"))
        for path in (ROOT / "roles" / role / "tasks").glob("*.yml")
        for task in tasks(load(path))
        if task.get("ansible.builtin.file", {}).get("state") == "absent"
    ]
    assert removed
    assert not [path for path, _loop in removed if "/" in path]
