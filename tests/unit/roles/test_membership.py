# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# This file is longer than others because it has every way in which members come and go.
"""Who joins the cluster, who goes and in which order, what is refused, and that backups are left alone."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest
from repository import ROOT, load, render_all, tasks

HOSTS = ("db1", "db2", "db3")
CONTROLS = load(ROOT / "roles/platform/defaults/main/controls.yml")


ETCD = load(ROOT / "roles/etcd/vars/main.yml")


def data(*there, founding=(), runs=()):
    """Whose data are where they should be, who takes part in a founding, and where etcd runs nevertheless."""
    return {
        host: {
            "__etcd_data": {"results": [{"stat": {"exists": host in part}} for part in (there, founding)]},
            "__etcd_left": {"stdout": "runs", "stdout_lines": ["runs", "data"]} if host in runs else {"stdout": ""},
        }
        for host in HOSTS
    }


def needing(**needs):
    """A live cluster of which these members need something: what, and how systemd calls them."""
    found = data(*HOSTS)
    for host, (action, state) in needs.items():
        found[host]["__etcd_service"] = {"actions": {"etcd.service": [action]}, "evidence": f"etcd.service: {action}"}
        found[host]["__etcd_active"] = {"stdout": state}
    found["db1"].setdefault("__etcd_service", {"skipped": True})
    return found


JOINING = {
    "nobody has data": (data(), True, []),
    "killed while it was made": (data("db1", founding=["db1", "db2"]), True, []),
    "one has data": (data("db1"), False, ["db2", "db3"]),
    "all have data": (data(*HOSTS), False, []),
    "--limit": ({host: value for host, value in data("db1").items() if host != "db3"}, False, ["db2"]),
}

ELSEWHERE = {
    "a first founding": (data(), []),
    "data elsewhere": (data(runs=["db1", "db3"]), ["db1: runs, data", "db3: runs, data"]),
    "a founding that was killed": (data("db1", founding=["db1", "db2"], runs=["db1", "db2"]), []),
    "another cluster beside a founding": (data(founding=["db1"], runs=["db1", "db3"]), ["db3: runs, data"]),
}
NEEDING = {
    "nothing is due": (needing(), [], []),
    "restarts are due": (needing(db2=("restart", "active"), db3=("restart", "active")), ["db2", "db3"], ["db2", "db3"]),
    "one does not run": (needing(db1=("restart", "active"), db3=("start", "failed")), ["db1", "db3"], ["db1"]),
    "one has no quorum": (needing(db2=("restart", "activating")), ["db2"], []),
    "one is not enabled": (needing(db2=("enable", "active")), ["db2"], []),
    "founded in this run": ({host: needing(db2=("start", "active"))[host] | data()[host] for host in HOSTS}, [], []),
}


def seen(*silent, **roles):
    """What Patroni says, known to the host that speaks for those that stay; and who does not answer."""
    members = [
        {"name": name, "role": role, "state": "running" if role == "leader" else "streaming"}
        for name, role in roles.items()
    ]
    return {
        host: {"__remove_cluster": {"json": {"members": members}}, "__remove_ping": {"unreachable": host in silent}}
        for host in HOSTS
    }


def keys(lines, words=("data",)):
    asked = {"rc": 0 if lines is not None else 1, "stdout_lines": lines or []}
    return {host: {"__destroy_found": {"stdout_lines": list(words)}, "__destroy_keys": asked} for host in HOSTS}


GOING = {
    "alone": (keys(["/mainstay/test/leader", ""]), True, []),
    "shared": (keys(["/mainstay/test/leader", "", "/mainstay/test2/leader"]), False, ["/mainstay/test2/leader"]),
    "marked": (keys(None, ["marked"]), True, []),
}
CLUSTER = {"db1": "replica", "db2": "leader", "db3": "sync_standby"}
ORDER = ("__remove_order", "__remove_speaker", "__remove_heirs", "__remove_well")
PLACES = ("__remove_data_dir", "remove_etcd_data_dir", "destroy_data_dir", "destroy_etcd_data_dir")
TYPED = {"remove_host": "db2,db3", "remove_data": "db2,db3"}
VERSION = {"platform_postgresql_version": 17}
# What was found, the variables that are said, and what was typed.
SAID = {
    **{name: (found, ("__etcd_bootstrap", "__etcd_joiners"), {}) for name, (found, *_words) in JOINING.items()},
    **{name: (found, ("__etcd_traces",), {}) for name, (found, *_words) in ELSEWHERE.items()},
    **{name: (found, ("__etcd_due", "__etcd_live"), {}) for name, (found, *_words) in NEEDING.items()},
    **{
        name: (found, ("__destroy_etcd", "__destroy_others"), {**VERSION, "destroy_scope": "test"})
        for name, (found, *_words) in GOING.items()
    },
    "without the leader": (seen(**CLUSTER), ORDER, {"remove_host": "db2, db3"}),
    "with an heir": (seen(**CLUSTER), ORDER, {"remove_host": "db2,db1"}),
    "a silent one beside a live one": (
        seen("db3", db1="leader", db2="sync_standby"),
        ("__remove_order", "__remove_etcd_before"),
        {"remove_host": "db2,db3", "__remove_target": "db2", "remove_etcd_peer_port": 12},
    ),
    "one silent": (seen("db3", **CLUSTER), ("__remove_silent", "__remove_emptied"), TYPED),
    "all silent": (seen("db2", "db3", **CLUSTER), ("__remove_silent", "__remove_emptied"), TYPED),
    "usual places": ({}, PLACES, {**VERSION, "platform_name": "test"}),
    "other places": ({}, PLACES, {**VERSION, "postgresql_data_dir": "/srv/pg", "etcd_data_dir": "/srv/etcd"}),
}
STRICT = {"postgresql_synchronous": "strict"}
REFUSED = {
    "unknown": ("remove", {"remove_host": "db9"}, ["remove_host: found db9", "Nothing has changed"]),
    "even": ("remove", {"remove_host": "db3"}, ["2 of etcd", "an odd number", "Name one host more or less"]),
    "all": ("remove", {"remove_host": "db1,db2,db3"}, ["0 host(s) of PostgreSQL", "at least one"]),
    "data": ("remove", {"remove_host": "db2,db3", "remove_data": "db3"}, ["remove_data: found db3", "db2,db3"]),
    "strict": ("remove", {"remove_host": "db2,db3", **STRICT}, ["would leave db1 alone", "expected two hosts"]),
    "no name": ("destroy", {}, ["destroy_cluster: found nothing", "expected test", "Nothing has changed"]),
    "wrong name": (
        "destroy",
        {"destroy_cluster": "tes"},
        ["destroy_cluster: found tes", "-e destroy_cluster=test"],
    ),
}


@pytest.fixture(scope="module")
def runs():
    """Every case, finished."""
    asked = [("membership.yml", {"found": found, "say": list(names), **typed}) for found, names, typed in SAID.values()]
    asked += [("refuse.yml", {"role": role, **VERSION, **typed}) for role, typed, _words in REFUSED.values()]
    return dict(zip([*SAID, *REFUSED], render_all(asked), strict=True))


@pytest.fixture
def said(runs):
    """What each host makes of it: the variables by host."""

    def read(name):
        done = runs[name]
        assert done.returncode == 0, done.stdout + done.stderr
        lines = re.findall(r"said (\w+): (.*?)['\"]?$", done.stdout, re.M)
        return {host: [json.loads(text) for name, text in lines if name == host] for host in HOSTS}

    return read


@pytest.mark.parametrize("name", JOINING)
def test_who_joins_the_consensus_store(said, name):
    assert said(name)["db1"] == list(JOINING[name][1:])


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_living_cluster_is_not_made_again(said, name):
    assert said(name)["db2"] == [ELSEWHERE[name][1]]


@pytest.mark.parametrize("name", NEEDING)
def test_which_members_restart_one_after_the_other(said, name):
    assert said(name)["db1"] == list(NEEDING[name][1:])


@pytest.mark.parametrize(
    ("state", "listens", "before", "found"),
    [
        ("inactive", "", "", []),
        ("failed", "", "new", []),  # its data were lost where they were
        ("failed", "", "gone", []),
        ("active", "LISTEN", "old", ["etcd that runs", "somebody who listens at port 9", "data in old"]),
        ("activating", "", "gone", ["etcd that runs"]),
        ("active", "LISTEN", "", []),  # the package's own, which a reboot has started
        ("inactive", "", "old", ["data in old"]),
    ],
)
def test_what_there_is_of_a_cluster_is_seen(tmp_path, state, listens, before, found):
    for name, text in {"systemctl": f"echo {state}; exit 3", "ss": f"echo {listens} | grep ."}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "old/member/wal").mkdir(parents=True)
    if before:
        (tmp_path / "config").write_text(f"ETCD_NAME=db1\nETCD_DATA_DIR={before}\n")
    command = ["sh", "-c", ETCD["__etcd_look"], "look", "9", "config", "new"]
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == found and not done.stderr


def test_a_live_member_restarts_only_when_the_others_take_part():
    """One host after the other; whoever does not come back ends the run."""
    (block,) = load(ROOT / "roles/etcd/tasks/restart_host.yml")
    asked, restarted = block["block"]
    assert block["any_errors_fatal"] is True and block["when"] == "__etcd_restart_host == inventory_hostname"
    assert "'spared'" in asked["mainstay.platform.etcd_member"]
    assert "mainstay.platform.services" in restarted


def test_who_does_not_answer_goes_first(said):
    """And etcd is asked about the next one as if it were gone."""
    assert said("a silent one beside a live one")["db1"] == [["db3", "db2"], ["https://10.0.21.13:12"]]


def test_the_primary_goes_last_and_its_heir_stays(said):
    assert said("without the leader")["db1"] == [["db3", "db2"], "db1", [], ["db1"]]
    assert said("with an heir")["db3"] == [["db1", "db2"], "db3", ["db3"], ["db3"]]


def test_data_are_said_to_be_gone_where_somebody_answered(said):
    assert said("one silent")["db1"] == [["db3"], ["db2"]]
    assert said("all silent")["db1"] == [["db2", "db3"], []]


def test_data_lie_where_the_inventory_says(said):
    assert said("usual places")["db1"] == ["/var/lib/postgresql/17/test", "/var/lib/etcd/test"] * 2
    assert said("other places")["db1"] == ["/srv/pg", "/srv/etcd"] * 2


@pytest.mark.parametrize("name", GOING)
def test_etcd_goes_when_nobody_else_uses_it(said, name):
    assert said(name)["db1"] == list(GOING[name][1:])


@pytest.mark.parametrize("name", REFUSED)
def test_what_was_typed_wrong_is_refused(runs, name):
    done = runs[name]
    output = " ".join(done.stdout.split())
    assert done.returncode != 0
    for word in REFUSED[name][2]:
        assert word in output, output


@pytest.mark.parametrize(
    ("status", "stops", "output"),
    [(3, False, ""), (4, False, ""), (0, True, "stopped\n"), (1, True, "stopped\n")],
)
def test_a_server_is_stopped_where_one_runs(tmp_path, status, stops, output):
    """By pg_ctl, as postgres; what it says itself is no sign of a change."""
    programs = {"pg_ctl": f'echo says; echo "$@" >>{tmp_path}/asked; [ "$1" = stop ] || exit {status}'}
    programs["runuser"] = '[ "$1 $2 $3" = "-u postgres --" ] && shift 3 && exec "$@"'
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def stop(directory):
        command = [*CONTROLS["platform_postgresql_stop"], directory, "/data"]
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout

    assert stop(tmp_path / "none") == "" and not (tmp_path / "asked").exists()
    assert stop(tmp_path) == output
    assert ("stop --wait" in (tmp_path / "asked").read_text()) is stops


@pytest.mark.parametrize("role", ["destroy", "remove"])
def test_no_server_is_left_where_data_go(role):
    """Between the stop of Patroni and the end of etcd and of the data."""
    file = ROOT / "roles" / role / "tasks" / {"destroy": "stop.yml", "remove": "host.yml"}[role]
    names = [task["name"].split(" | ")[1] for task in tasks(load(file))]
    stops = [number for number, name in enumerate(names) if name.startswith("Ensure PostgreSQL and its pooler")]
    (server,) = [
        number
        for number, task in enumerate(tasks(load(file)))
        if "platform_postgresql_stop" in str(task.get("ansible.builtin.command"))
    ]
    etcd = [number for number, name in enumerate(names) if name.startswith("Ensure etcd")]
    assert stops and max(stops) < server < min(etcd)


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
