# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an upgrade makes of the data that it finds: begins, goes on, does nothing, or refuses before anything stops."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from repository import ROOT, load, render_with, tasks

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

    def state(self, stage, *hosts, old=15, new=17):
        for host in hosts or HOSTS:
            base = self.path / host
            found = {"from": old, "to": new, "leader": LEADER, "data_dir": str(base / str(old) / "test")}
            found |= {"new_data_dir": str(base / str(new) / "test"), "stage": stage}
            (base / "upgrade.json").write_text(json.dumps(found))
        return self

    def ask(self, entry="preflight", version=17, **more):
        variables = {"tree": str(self.path), "entry": entry, "platform_postgresql_version": version}
        variables |= {"upgrade_cluster": "test", "__upgrade_config": "{{ tree }}/{{ inventory_hostname }}/config.yml"}
        variables |= {"__upgrade_state": "{{ tree }}/{{ inventory_hostname }}/upgrade.json", **more}
        done = render_with("upgrade.yml", variables)
        return done.returncode, done.stdout + done.stderr

    def decided(self, *words, **more):
        status, output = self.ask(*words, **more)
        assert status == 0, output
        return json.loads((self.path / "decided.json").read_text())

    def refuses(self, words, *arguments, **more):
        status, output = self.ask(*arguments, **more)
        assert status != 0, output
        assert re.search(words, " ".join(output.split())), output


@pytest.fixture
def tree(tmp_path):
    for host in HOSTS:
        (tmp_path / host).mkdir()
    return Tree(tmp_path)


def test_older_data_begin_an_upgrade_on_the_primary(tree):
    found = tree.data(15).decided()
    assert (found["stage"], found["runs"], found["converts"], found["returns"]) == ("new", True, True, False)
    assert (found["plan"]["from"], found["plan"]["to"], found["plan"]["leader"]) == (15, 17, LEADER)
    initdb, convert, analyze = found["commands"]
    assert {"--data-checksums", "--encoding=UTF8", "--locale=C.UTF-8", "--auth-local=peer"} <= set(initdb)
    assert "--old-bindir=/usr/lib/postgresql/15/bin" in convert and "--new-bindir=/usr/lib/postgresql/17/bin" in convert
    assert "--link" not in convert and "--missing-stats-only" not in analyze
    assert [pair[0] for pair in found["servers"]] == ["/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/17/bin"]


def test_data_of_the_version_need_nothing(tree):
    found = tree.data(17).decided()
    assert (found["stage"], found["runs"]) == ("none", False)


def test_only_asking_runs_nothing(tree):
    assert tree.data(15).decided(upgrade_check_only=True)["runs"] is False


def test_linking_is_asked_for_and_new_statistics_come_along(tree):
    _initdb, convert, analyze = tree.data(15).decided(version=18, upgrade_link=True)["commands"]
    assert "--link" in convert and "--missing-stats-only" in analyze


@pytest.mark.parametrize(
    ("stages", "stage", "converts"),
    [
        ({"stopping": ("db3",)}, "stopping", True),
        # Killed while it told them.
        ({"stopping": ("db1", "db2"), "started": ("db3",)}, "started", False),
        ({"started": ("db1",), "open": ("db3",)}, "open", False),
    ],
)
def test_a_killed_run_is_gone_on_with_from_the_furthest_step(tree, stages, stage, converts):
    tree.data(15, configured=False).data(17, LEADER)
    for name, hosts in stages.items():
        tree.state(name, *hosts)
    found = tree.decided()
    assert (found["stage"], found["runs"], found["converts"]) == (stage, True, converts)
    assert found["plan"]["leader"] == LEADER


@pytest.mark.parametrize(
    ("old", "more", "words"),
    [
        (15, {"upgrade_cluster": ""}, "found nothing, expected test"),
        (15, {"version": 14}, "found 14, and data of version 15; expected data of one older version"),
        (15, {"place": 15}, "for version 17 too, expected a directory of its own"),
    ],
)
def test_what_cannot_work_is_refused(tree, old, more, words):
    tree.data(old).refuses(words, **more)


def test_members_of_two_versions_are_refused(tree):
    tree.data(15, "db1", "db2").data(16, "db3").refuses("data of version 15 and 16")


def test_data_in_the_new_place_are_refused(tree):
    tree.data(15).data(17, "db3", configured=False).refuses("found data that no upgrade has made")


def test_an_upgrade_on_its_way_to_another_version_is_refused(tree):
    tree.data(15).state("stopping").refuses("while an upgrade to 17 has not come to its end", version=18)


def test_data_that_linking_has_spent_are_refused(tree):
    tree.data(15, linked=True).state("stopping").refuses("found it spent by pg_upgrade")
    tree.refuses("found none or data that pg_upgrade has linked", "back_out_preflight", version=15)


def test_a_back_out_wants_the_former_version_and_a_word_for_a_loss(tree):
    tree.data(15).refuses("found none, expected what an upgrade has left", "back_out_preflight", version=15)
    tree.state("stopping")
    assert tree.decided("back_out_preflight", version=15)["returns"] is True
    tree.refuses("found 17 with its data in .*, expected 15", "back_out_preflight", version=17)
    tree.state("open", "db1")
    tree.refuses("found clients in version 17 .* upgrade_lose_writes=true", "back_out_preflight", version=15)
    tree.decided("back_out_preflight", version=15, upgrade_lose_writes=True)


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
    first, second = [
        task for task in tasks(load(ROOT / "roles/upgrade/tasks/halt.yml")) if "systemd_service" in str(task)
    ]
    assert first["when"] == "not __upgrade_is_leader" and second["when"] == "__upgrade_is_leader | bool"


def test_a_plain_run_knows_the_version_of_the_data(tree):
    """Of what Patroni is configured for; a host without it or without data has none."""
    look = load(ROOT / "roles/postgresql/vars/main.yml")["__postgresql_look"]

    def version(host):
        command = ["sh", "-c", look, "look", str(tree.path / host / "config.yml")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    tree.data(15, "db1").data(17, "db1", configured=False).data(16, "db2")
    (tree.path / "db2/16/test/PG_VERSION").unlink()
    assert [version(host) for host in HOSTS] == ["15", "", ""]
