# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an upgrade makes of the data that it finds: begins, goes on, does nothing, or refuses before anything stops."""
# This file is longer than others because each state that a killed run leaves is a case of its own.

from __future__ import annotations

import json
import re
import subprocess

import pytest
from repository import ROOT, ask_all, decision, load, tasks

HOSTS = ("db1", "db2", "db3")
LEADER = "db2"


class Tree:
    """Data directories and states of three members, as they lie on hosts."""

    def __init__(self, path):
        self.path = path

    def data(self, version, *hosts, configured=True, linked=False):
        for host in hosts or HOSTS:
            directory = self.path / host / str(version) / "test"
            (directory / "global").mkdir(parents=True)
            (directory / "PG_VERSION").write_text(f"{version}\n")
            (directory / "global" / ("pg_control.old" if linked else "pg_control")).touch()
            if configured:
                config = f"postgresql:\n  bin_dir: /usr/lib/postgresql/{version}/bin\n  data_dir: {directory}\n"
                (self.path / host / "config.yml").write_text(config)
        return self

    def state(self, stage, *hosts, old=15, new=17, **more):
        for host in hosts or HOSTS:
            base = self.path / host
            found = {"from": old, "to": new, "leader": LEADER, "data_dir": str(base / str(old) / "test")}
            found |= {"new_data_dir": str(base / str(new) / "test"), "stage": stage, **more}
            (base / "upgrade.json").write_text(json.dumps(found))
        return self

    def question(self, entry="preflight", version=17, **more):
        variables = {"tree": str(self.path), "entry": entry, "platform_postgresql_version": version}
        variables |= {"upgrade_cluster": "test", "__upgrade_config": "{{ tree }}/{{ inventory_hostname }}/config.yml"}
        variables |= {"__upgrade_state": "{{ tree }}/{{ inventory_hostname }}/upgrade.json", **more}
        return "upgrade.yml", variables


@pytest.fixture
def tree(tmp_path):
    return planted(tmp_path)


def planted(path):
    for host in HOSTS:
        (path / host).mkdir(parents=True)
    return Tree(path)


def killed(stages):
    def build(tree):
        tree.data(15, configured=False).data(17, LEADER)
        for name, hosts in stages.items():
            tree.state(name, *hosts)

    return build


def older(tree):
    tree.data(15)


def stopped(tree):
    tree.data(15).state("stopping")


def served(tree):
    tree.data(15).state("stopping").state("open", "db1")


def returning(tree):
    """A back-out that clients had written before, killed: one member has told that, before it moved data."""
    tree.data(15).data(17, configured=False).state("stopping", written=False).state("stopping", "db3", written=True)


def spent(tree):
    tree.data(15, linked=True).state("stopping")


KILLED = {
    "stopping": ({"stopping": ("db3",)}, True),
    # Killed while it told them.
    "started": ({"stopping": ("db1", "db2"), "started": ("db3",)}, False),
    "open": ({"started": ("db1",), "open": ("db3",)}, False),
}
BACK = {"entry": "back_out_preflight", "version": 15}
# What lies there, what is asked, and the words of the refusal.
REFUSED = {
    "no name": (older, {"upgrade_cluster": ""}, "found nothing, expected test"),
    "older": (older, {"version": 14}, "found 14, and data of version 15; expected data of one older version"),
    "one place": (older, {"place": 15}, "for version 17 too, expected a directory of its own"),
    "members of two versions": (
        lambda tree: tree.data(15, "db1", "db2").data(16, "db3"),
        {},
        "data of version 15 and 16",
    ),
    "data in the new place": (
        lambda tree: tree.data(15).data(17, "db3", configured=False),
        {},
        "found data that no upgrade has made",
    ),
    "on its way to another version": (stopped, {"version": 18}, "while an upgrade to 17 has not come to its end"),
    "data that linking has spent": (spent, {}, "found it spent by pg_upgrade"),
    "back to data that linking has spent": (spent, BACK, "found none or data that pg_upgrade has linked"),
    "no backups": (older, {"upgrade_backup_hosts": []}, "upgrade_backup_hosts: found none, expected a host"),
    "back from nothing": (older, BACK, "found none, expected what an upgrade has left"),
    "back with the new version": (stopped, BACK | {"version": 17}, "found 17 with its data in .*, expected 15"),
    "on while a back-out is": (returning, {}, "found a back-out from version 17 .* run upgrade_back_out.yml again"),
    "back again with a loss": (returning, BACK, "found clients in version 17 .* upgrade_lose_writes=true"),
    "back with a loss": (served, BACK, "found clients in version 17 .* upgrade_lose_writes=true"),
}
DECIDED = {
    "begun": (older, {}),
    "same": (lambda tree: tree.data(17), {}),
    "only asked": (older, {"upgrade_check_only": True}),
    "linked": (older, {"version": 18, "upgrade_link": True}),
    "primary moved": (older, {"heard": "db1"}),
    "nobody answers": (stopped, {"heard": ""}),
    "point made": (lambda tree: tree.data(15).state("stopping").state("stopping", "db3", point=True), {}),
    "back": (stopped, BACK),
    "back, with the word": (served, BACK | {"upgrade_lose_writes": True}),
    "back again, with the word": (returning, BACK | {"upgrade_lose_writes": True}),
    **{name: (killed(stages), {}) for name, (stages, _converts) in KILLED.items()},
}
CASES = DECIDED | {name: case[:2] for name, case in REFUSED.items()}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return ask_all(CASES, planted, tmp_path_factory)


@pytest.fixture
def decided(runs):
    return lambda name: decision(*runs[name])


def test_older_data_begin_an_upgrade_on_the_primary(decided):
    found = decided("begun")
    assert (found["stage"], found["runs"], found["converts"], found["returns"]) == ("new", True, True, False)
    assert (found["plan"]["from"], found["plan"]["to"], found["plan"]["leader"]) == (15, 17, LEADER)
    initdb, convert, analyze = found["commands"]
    assert {"--data-checksums", "--encoding=UTF8", "--locale=C.UTF-8", "--auth-local=peer"} <= set(initdb)
    assert "--old-bindir=/usr/lib/postgresql/15/bin" in convert and "--new-bindir=/usr/lib/postgresql/17/bin" in convert
    assert "--link" not in convert and "--missing-stats-only" not in analyze
    # Those that a killed pg_upgrade has left too.
    directories = [("15", "15/test"), ("17", "17/test"), ("17", "17/test.upgrading"), ("17", "17/test.check")]
    servers = [(pair[0].split("/")[4], pair[1].split("/", pair[1].count("/") - 1)[-1]) for pair in found["servers"]]
    assert servers == directories


def test_data_of_the_version_need_nothing(decided):
    found = decided("same")
    assert (found["stage"], found["runs"]) == ("none", False)


def test_only_asking_runs_nothing(decided):
    assert decided("only asked")["runs"] is False


def test_linking_is_asked_for_and_new_statistics_come_along(decided):
    _initdb, convert, analyze = decided("linked")["commands"]
    assert "--link" in convert and "--missing-stats-only" in analyze


@pytest.mark.parametrize("stage", KILLED)
def test_a_killed_run_is_gone_on_with_from_the_furthest_step(decided, stage):
    found = decided(stage)
    assert (found["stage"], found["runs"], found["converts"]) == (stage, True, KILLED[stage][1])
    assert found["plan"]["leader"] == LEADER


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_work_is_refused(runs, name):
    done, _tree = runs[name]
    output = done.stdout + done.stderr
    assert done.returncode != 0, output
    assert re.search(REFUSED[name][2], " ".join(output.split())), output


def test_a_back_out_goes_to_the_former_version_and_may_be_told_to_lose(decided):
    assert decided("back")["returns"] is True
    assert decided("back")["written"] is False
    # A second run puts the data aside as well.
    assert decided("back, with the word")["written"] and decided("back again, with the word")["written"]


def test_the_stop_looks_at_who_leads_and_at_the_restore_point(decided):
    stops = {name: decided(name)["stops"] for name in ("begun", "primary moved", "nobody answers", "point made")}
    assert stops["begun"] == {"moved": False, "former_runs": True, "pointed": False, "leads": [LEADER]}
    assert stops["primary moved"] == {"moved": True, "former_runs": True, "pointed": False, "leads": ["db1"]}
    assert stops["nobody answers"] == {"moved": False, "former_runs": False, "pointed": False, "leads": []}
    assert stops["point made"]["pointed"] is True


def position(name, file, key):
    entries = list(tasks(load(ROOT / "roles/upgrade/tasks" / file)))
    return next(number for number, task in enumerate(entries) if task.get(key) == name)


def test_clients_come_back_behind_the_last_gate_only():
    """Who opens the pooler comes after every gate, and after the word that there is no way back."""
    verify = position("verify.yml", "finish.yml", "ansible.builtin.import_tasks")
    remember = position("remember.yml", "finish.yml", "ansible.builtin.include_tasks")
    opened = position("open.yml", "finish.yml", "ansible.builtin.include_tasks")
    assert verify < remember < opened
    users = [path.name for path in (ROOT / "roles/upgrade/tasks").glob("*.yml") if "open.yml" in path.read_text()]
    assert sorted(users) == ["finish.yml", "reopen.yml"]


def test_the_replicas_stop_first():
    first, second, *_masked = [
        task for task in tasks(load(ROOT / "roles/upgrade/tasks/halt.yml")) if "systemd_service" in str(task)
    ]
    assert first["when"] == "not __upgrade_is_leader" and second["when"] == "__upgrade_is_leader | bool"


def test_a_plain_run_knows_the_version_of_the_data(tree):
    """Of what Patroni is configured for; a host without it or without data has none."""
    look = load(ROOT / "roles/postgresql/vars/main.yml")["__postgresql_look"]

    def version(host):
        command = ["sh", "-c", look, "look", str(tree.path / host / "config.yml")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.partition("\n")[0]

    tree.data(15, "db1").data(17, "db1", configured=False).data(16, "db2")
    (tree.path / "db2/16/test/PG_VERSION").unlink()
    assert [version(host) for host in HOSTS] == ["15", "", ""]
