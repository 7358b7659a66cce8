# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A rollout played on hosts whose engine is a file, and an edge that this process plays; the role decides."""
# This file is longer than others because each way in which a rollout may go is a case of its own.

from __future__ import annotations

import json
import os
import re

import pytest
from ansible_collections.mainstay.platform.plugins.lookup import controller_run
from fake_hosts import ADDRESSES, World
from repository import HERE, ROOT, load, render_all

ENGINE = {
    "WARM_COLLECTIONS": "1",
    "ANSIBLE_COLLECTIONS_PATH": f"{HERE / 'engine'}:{ROOT / '.cache' / 'collections'}",
    "PATH": f"{HERE / 'engine' / 'bin'}:{os.environ['PATH']}",
}
SECRET = "geheimes-wort"


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


def roll(world, tag, act="deploy", environment=None, **inputs):
    """Bring a release, to all hosts at a time where a test does not look at that."""
    service = {"name": "api", "image": f"example/api:{tag}", "port": world.port, "secrets": {"WORD": "word"}}
    variables = {"engine": str(world.path), "warm_environment": {"ENGINE": str(world.path)}, "addresses": ADDRESSES}
    services = [service | {"environment": environment or {}}]
    variables |= {"act": act, "app_services": services, "app_batch": 3, **inputs}
    world.told.clear()
    (done,) = render_all([("rollout.yml", variables, f"--inventory={HERE / 'rollout_hosts.yml'}")], **ENGINE)
    done.text = " ".join((done.stdout + done.stderr).split())
    done.changed = sum(map(int, re.findall(r"changed=(\d+)", done.stdout)))
    assert SECRET not in done.text
    return done


def live(world, tag, **inputs):
    done = roll(world, tag, **inputs)
    assert done.returncode == 0, done.text[-3000:]
    assert world.images() == [tag] * 3
    return done


def drained(world):
    return [command.split()[2] for command in world.told if command.endswith("drain")]


def test_a_release_goes_live_host_by_host_and_the_same_again_changes_nothing(world):
    live(world, "1")
    assert world.told == []  # nobody was served before
    live(world, "2", app_batch=1)
    servers = ["api/app1-1", "api/app2-1", "api/app3-1"]
    assert world.told == [f"set server {name} state {state}" for name in servers for state in ("drain", "ready")]
    assert world.results("app3") == [("1", "live"), ("2", "live")]
    done = live(world, "2", act="site")
    assert (done.changed, world.told) == (0, [])
    assert "was live already" in done.text and "Nothing was replaced" in done.text


def test_batches_are_of_a_size(world):
    live(world, "1")
    live(world, "2", app_batch="50%")
    assert world.told[:2] == ["set server api/app1-1 state drain", "set server api/app2-1 state drain"]


def weights(world):
    """What the servers weighed, one after the other, as the edge was told."""
    return [int(command.split()[-1]) for command in world.told if "api/app1-1 weight" in command]


CANARY = {"app_strategy": "canary", "app_canary_hold": 0}


def test_a_canary_gets_its_part_of_the_requests_before_it_takes_any(world):
    live(world, "1")
    live(world, "2", **CANARY)
    assert weights(world) == [10, 50, 1]  # beside 95, 75 and 100 of the others: 5, 25 and 50 per cent
    assert world.told.index("set server api/app1-1 state drain") > next(
        number for number, command in enumerate(world.told) if "weight" in command
    )
    assert {server["weight"] for server in world.servers.values()} == {1}
    first = next(served for served in world.traffic if served[1] == "2")
    assert first[2] == 10


def test_a_bad_canary_gets_nobody_any_more_and_goes_back(world):
    live(world, "1")
    done = roll(world, "flaky2", **CANARY)
    assert done.returncode != 0 and "app_error_budget" in done.text
    assert world.images() == ["1"] * 3
    assert drained(world) == ["api/app1-1", "api/app1-1"]
    assert 0 in weights(world) and weights(world)[-1] == 1
    # A killed one leaves its weights; whatever run comes next makes them even.
    world.servers["app2-1"]["weight"] = 95
    roll(world, "1", act="site")
    assert world.servers["app2-1"]["weight"] == 1


BLUE_GREEN = {"app_strategy": "blue_green", "app_retire_after": 0}


def as_before(world):
    """Every first server takes clients, every second one stands by and has no container."""
    assert [server["admin"] for server in world.servers.values()] == [0, 0, 0, 5, 5, 5]
    assert all(list(world.engine(host)["containers"]) == ["api-1"] for host in ADDRESSES)


def test_a_second_set_serves_all_clients_before_the_first_is_changed(world):
    live(world, "1")
    live(world, "2", **BLUE_GREEN)
    as_before(world)
    ready = [f"set server api/{host}-1-green state ready" for host in ADDRESSES]
    drain = [f"set server api/{host}-1 state drain" for host in ADDRESSES]
    assert world.told[:6] == ready + drain
    # At the moment of the turn nobody is served by both.
    both = [{image for _server, image, _weight in world.traffic[n : n + 3]} for n in range(0, 9, 3)]
    assert {"1", "2"} not in both
    done = live(world, "2", act="site", **BLUE_GREEN)
    assert (done.changed, world.told) == (0, [])


@pytest.mark.parametrize(("tag", "says"), [("sick2", "api-green-1 is well"), ("flaky2", "app_error_budget")])
def test_a_bad_second_set_is_left_at_once_and_the_first_was_never_touched(world, tag, says):
    live(world, "1")
    before = [world.engine(host)["log"] for host in ADDRESSES]
    done = roll(world, tag, **BLUE_GREEN)
    assert done.returncode != 0 and says in done.text, done.text[-3000:]
    assert "Went back to 1-" in done.text, done.text[-3000:]
    as_before(world)
    assert world.images() == ["1"] * 3
    after = [[line for line in world.engine(host)["log"] if "green" not in line] for host in ADDRESSES]
    assert after == before


def test_a_second_set_that_a_killed_run_left_goes_behind_the_first(world):
    live(world, "1")
    for host in ADDRESSES:  # turned over, and killed
        engine = world.engine(host)
        engine["containers"]["api-green-1"] = engine["containers"]["api-1"]
        (world.path / f"{host}.json").write_text(json.dumps(engine))
        world.servers[f"{host}-1"]["admin"] = 8
        world.servers[f"{host}-1-green"]["admin"] = 4
    live(world, "1", act="site", **BLUE_GREEN)
    as_before(world)
    assert world.told.index("set server api/app1-1 state ready") < world.told.index(
        "set server api/app1-1-green state drain"
    )


@pytest.mark.parametrize(
    ("tag", "says"),
    [
        ("sick2", r"api-1 is well: found .*status 503.*starting / connecting as app:\*\*\* / ready"),
        ("flaky2", r"clients: found \d+ of \d+ requests failed.*\(app_error_budget\)"),
        ("slow2", r"clients: found .* ms mean; expected at most 200 ms"),
        ("late2", r"api-1 is well"),
    ],
)
def test_a_bad_release_goes_back_on_every_host(world, tag, says):
    live(world, "1")
    done = roll(world, tag, app_batch=1)
    assert done.returncode != 0
    assert re.search(says, done.text), done.text[-3000:]
    assert "Went back to 1-" in done.text
    assert len(drained(world)) <= 4  # one host, or two, there and back
    assert world.images() == ["1"] * 3
    assert not any(server["admin"] & 9 for name, server in world.servers.items() if "green" not in name)
    assert world.results("app2") == [("1", "live"), (tag, "failed")]
    # The site leaves it at that; only a deployment, or another inventory, brings a release again.
    done = live_still(world, tag)
    assert done.changed == 0 and "was backed out or left" in done.text


def live_still(world, tag):
    done = roll(world, tag, act="site")
    assert done.returncode == 0, done.text[-3000:]
    assert world.images() == ["1"] * 3
    return done


def test_a_release_that_fails_as_a_whole_goes_back_too(world):
    live(world, "1")
    done = roll(world, "2", app_hooks={"before": [], "after": [{"command": ["false"]}]})
    assert done.returncode != 0 and world.images() == ["1"] * 3
    assert len(drained(world)) == 6  # all of them, there and back


def test_what_fails_before_touches_nothing(world):
    live(world, "1")
    hook = {"before": [{"command": ["false"]}], "after": []}
    for inputs in ({"app_hooks": hook}, {"app_disk_free_mb": 10**9}, {"app_batch": 0}, {"app_strategy": "blue"}):
        done = roll(world, "2", **inputs)
        assert done.returncode != 0 and world.told == [] and world.images() == ["1"] * 3
    done = roll(world, "missing")
    assert done.returncode != 0 and "not found in the registry" in done.text and world.told == []
    assert world.results() == [("1", "live")]


def test_a_rollback_goes_to_the_release_before_or_to_a_named_one(world):
    done = roll(world, "1", act="rollback")
    assert done.returncode != 0 and "found no release before the first, expected one of (none)" in done.text
    for tag in ("1", "2", "3"):
        live(world, tag)
    assert roll(world, "3", act="rollback").returncode == 0
    assert world.images() == ["2"] * 3
    assert world.results()[-2:] == [("3", "left"), ("2", "live")]
    assert roll(world, "3", act="rollback", app_rollback_to="1").returncode == 0
    assert world.images() == ["1"] * 3
    assert roll(world, "3", act="site").changed == 0
    live(world, "3")


def half_way(world, tag):
    """As a run leaves it that was killed after the first host: the first record says that it was begun."""
    before = {host: (world.path / f"{host}.json").read_text() for host in ADDRESSES}
    live(world, tag)
    for host in ADDRESSES:
        records = world.records(host)
        records[-1]["result"] = "started"
        (world.path / host / "app" / "releases.json").write_text(json.dumps(records))
        if host != "app1":
            (world.path / f"{host}.json").write_text(before[host])


def test_a_run_that_was_killed_is_finished_by_the_next(world):
    live(world, "1")
    half_way(world, "2")
    live(world, "2", act="site")
    assert drained(world) == ["api/app2-1", "api/app3-1"]
    assert world.results() == [("1", "live"), ("2", "live")]


def test_a_run_that_was_killed_goes_back_on_every_host_when_the_next_finds_it_bad(world):
    live(world, "1")
    half_way(world, "2")
    hooks = {"before": [], "after": [{"command": ["false"]}]}
    assert roll(world, "2", app_hooks=hooks).returncode != 0
    assert world.images() == ["1"] * 3


def lock(world, run):
    held = {"run": run, "owner": "maria@laptop", "reason": "2", "at": "2026-11-25T10:00:00+00:00"}
    (world.path / "app1" / "app" / "deploy.lock").write_text(json.dumps(held))


def test_a_second_deployment_is_refused_with_owner_and_time(world):
    lock(world, controller_run.run_name(os.getpid()))
    done = roll(world, "1")
    assert done.returncode != 0 and world.images() == [None] * 3
    assert "held by maria@laptop since 2026-11-25T10:00:00+00:00 (2), expected nobody" in done.text
    assert "-e app_break_lock=maria@laptop" in done.text
    lock(world, "elsewhere/boot/pid:[1]/1/1")  # of another machine: nobody can tell
    assert roll(world, "1").returncode != 0
    live(world, "1", app_break_lock="maria@laptop")
    assert not (world.path / "app1" / "app" / "deploy.lock").exists()


def test_the_lock_of_a_run_that_has_ended_is_taken_over(world):
    lock(world, f"{controller_run.place()}/4194305/1")  # more than processes can have
    done = live(world, "1")
    assert "The lock of maria@laptop since 2026-11-25T10:00:00+00:00 is taken over" in done.text


def test_a_container_that_was_stopped_is_repaired_and_named(world):
    live(world, "1")
    engine = world.engine("app2")
    engine["containers"]["api-1"]["running"] = False
    (world.path / "app2.json").write_text(json.dumps(engine))
    done = live(world, "1", act="site")
    assert "Replaced: app2 api-1" in done.text
    assert world.results() == [("1", "live")]


def test_a_changed_environment_alone_is_another_release(world):
    live(world, "1")
    live(world, "1", environment={"LEVEL": "debug"})
    assert len(drained(world)) == 3
    assert world.results() == [("1", "live"), ("1", "live")]
    names = {record["release"] for record in world.records()}
    assert len(names) == 2


def test_old_releases_are_forgotten_with_their_images(world):
    for tag in ("1", "2", "3"):
        live(world, tag, app_releases_keep=2)
    assert world.results() == [("2", "live"), ("3", "live")]
    assert set(world.engine("app1")["images"]) == {"example/api:2", "example/api:3"}


def test_a_dry_run_says_what_it_would_do_and_does_nothing(world):
    live(world, "1")
    variables = {"engine": str(world.path), "warm_environment": {"ENGINE": str(world.path)}, "addresses": ADDRESSES}
    service = {"name": "api", "image": "example/api:1", "port": world.port, "environment": {"A": "b"}}
    variables |= {"act": "deploy", "app_services": [service]}
    words = (f"--inventory={HERE / 'rollout_hosts.yml'}", "--check")
    (done,) = render_all([("rollout.yml", variables, *words)], **ENGINE)
    assert done.returncode == 0, done.stdout[-3000:]
    assert world.results() == [("1", "live")] and not drained(world)


def test_the_play_of_the_tests_is_the_order_of_the_role():
    """The play beside this file leaves out what needs packages and root, and nothing else."""
    refuse, install, block, verify = load(ROOT / "roles/app/tasks/main.yml")
    assert [task["ansible.builtin.include_tasks"] for task in block["block"]] == [
        "lock.yml",
        "prepare.yml",
        "rollout.yml",
    ]
    assert block["always"][0]["ansible.builtin.include_tasks"] == "unlock.yml"
    prepared = [task["ansible.builtin.import_tasks"] for task in load(ROOT / "roles/app/tasks/prepare.yml")]
    assert prepared == ["history.yml", "configure.yml", "image.yml"]
    assert refuse["ansible.builtin.import_tasks"] == "preflight.yml"


def test_operations_refuse_first_and_share_one_way():
    for name in ("deploy", "rollback"):
        first, second = load(ROOT / "playbooks" / f"{name}.yml")
        assert first["ansible.builtin.import_playbook"] == "preflight.yml"
        assert (
            second["any_errors_fatal"] is True
            and second["tasks"][0]["ansible.builtin.include_role"]["tasks_from"] == name
        )
        (task,) = load(ROOT / "roles/app/tasks" / f"{name}.yml")
        assert task["ansible.builtin.import_tasks"] == "main.yml" and task["vars"] == {"__app_act": name}
