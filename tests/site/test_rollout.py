"""Releases come and go under load: nobody sees a failed request, and a bad release goes back by itself."""

from __future__ import annotations

import getpass
import json
import socket
import subprocess
import time
from datetime import datetime

import pytest
import yaml
from load import Load, unlimited

from tests.lab import LOG, ROOT, Lab, until

NAME = "datacraft/apg-cash-management"
HOSTS = ("app1", "app2", "app3")
EDGES = ("edge1", "edge2")
RELEASES = "/var/lib/mainstay/app/releases.json"
LOCK = "/var/lib/mainstay/app/deploy.lock"
REQUESTS = 20000  # at least so many have to see nothing of a good release
# With room for another set of instances.
FAST = {"app_hold": 30, "app_canary_hold": 30, "app_retire_after": 30, "app_memory_mb": 2048}


@pytest.fixture(scope="module", autouse=True)
def room(lab: Lab):
    """The edge is told once; afterwards everything is as the inventory says."""
    run = lab.playbook("edge", "-e", json.dumps(unlimited(lab)))
    assert run.status == 0, run.tail()
    yield
    run = lab.playbook("site")
    assert run.status == 0, run.tail()


def image(version: str, fault: str = "") -> dict:
    """Builds a version, if it is not there, and gives the variables that deploy it."""
    command = [str(ROOT / "tests/app/build.sh"), version, f"{NAME}:{version}", fault]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    archive = str(ROOT / ".cache/app" / f"mainstay-sample-{version}.tar.gz")
    return {"app_image": f"{NAME}:{version}", "app_image_archives": {f"{NAME}:{version}": archive}, **FAST}


def given(lab: Lab, wanted: dict, **inputs) -> tuple[str, str]:
    return "-e", json.dumps({**unlimited(lab), **wanted, **inputs})


def deploy(lab: Lab, wanted: dict, playbook: str = "deploy", **inputs):
    return lab.playbook(playbook, *given(lab, wanted, **inputs))


def running(lab: Lab) -> set[str]:
    """The version of every API on every host, and whether a second set is left."""
    ask = "docker ps --format '{{.Names}} {{.Image}}' --filter label=mainstay.app=true"
    lines = [line.split() for host in HOSTS for line in lab.shell(host, ask).splitlines()]
    assert not [name for name, _image in lines if "green" in name]
    assert len(lines) == 2 * len(HOSTS), lines
    return {name.rpartition(":")[2] for _container, name in lines}


def weights(lab: Lab) -> dict[str, dict[str, int]]:
    """The weight of each server of the application, at each edge."""
    ask = "echo 'show servers state' | socat -t5 - /run/haproxy/admin.sock"
    ask += " | awk '$2 ~ /^(api|web)$/ {print $2 \"/\" $4, $8}'"
    shown = {edge: [line.split() for line in lab.shell(edge, ask).splitlines()] for edge in EDGES}
    return {edge: {name: int(weight) for name, weight in lines} for edge, lines in shown.items()}


def shown_secrets(lab: Lab, output: str) -> set[str]:
    return {name for name, value in lab.secrets().items() if value in output}


@pytest.fixture
def first(lab: Lab) -> dict:
    """The first version is live, whatever the test before has left."""
    wanted = image("1.0.0")
    if running(lab) != {"1.0.0"}:
        run = deploy(lab, wanted, app_hold=0, app_batch=1)
        assert run.status == 0, run.tail()
    return wanted


def prepare(lab: Lab, strategy: str) -> None:
    """The edges know the second set beforehand, and the firewall lets them to it."""
    if strategy == "blue_green":
        for playbook in ("hosts", "edge"):
            run = deploy(lab, image("1.0.0"), playbook, app_strategy=strategy)
            assert run.status == 0, run.tail()


@pytest.mark.parametrize("strategy", ["rolling", "canary", "blue_green"])
def test_a_good_release_costs_no_request(lab: Lab, first: dict, strategy: str):
    prepare(lab, strategy)
    second = image("2.0.0")
    with Load(lab) as load:
        # A deployment that changes nothing: clients share the processors with the controller before as well.
        begun = load.now()
        same = deploy(lab, first, app_strategy=strategy)
        changed = load.now()
        run = deploy(lab, second, app_strategy=strategy)
        ended = load.now()
        again = deploy(lab, second, app_strategy=strategy)
        load.reach(REQUESTS)
    load.report(strategy)
    assert (same.status, same.changed) == (0, {}), same.tail()
    assert run.status == 0, run.tail()
    assert (again.status, again.changed) == (0, {}), again.tail()
    assert running(lab) == {"2.0.0"}
    assert load.failed == [] and load.lost == [] and len(load.answers) >= REQUESTS
    before, during = load.p95(begun, changed), load.p95(changed, ended)
    print(f"p95 {during * 1000:.0f} ms, and {before * 1000:.0f} ms before")
    assert during < 2 * before


@pytest.mark.parametrize(
    ("version", "fault", "strategy", "says", "part"),
    [
        ("3.0.0-unhealthy", "unhealthy", "rolling", "api-1 is well", 0),
        ("3.0.0-late", "unhealthy-after:20", "rolling", "is well", 0.01),
        ("3.0.0-slow", "slow:1.5", "rolling", "app_response_ms", 0),
        ("3.0.0-errors", "errors:20", "rolling", "app_error_budget", 0.05),
        ("3.0.0-errors", "errors:20", "canary", "app_error_budget", 0.01),
        ("3.0.0-errors", "errors:20", "blue_green", "app_error_budget", 0.05),
        ("3.0.0-migration", "migration", "rolling", "app_migration: found", 0),
    ],
)
def test_a_bad_release_goes_back_by_itself(lab: Lab, first: dict, version, fault, strategy, says, part):
    """Clients see no more than that part of their requests fail, and what was written stays."""
    prepare(lab, strategy)
    with Load(lab) as load:
        run = deploy(lab, image(version, fault), app_strategy=strategy)
    load.report(f"{fault}, {strategy}")
    assert run.status != 0 and says in run.output, run.tail()
    assert running(lab) == {"1.0.0"}
    assert len(load.failed) <= part * len(load.answers), load.failed[:3]
    assert load.lost == []
    assert shown_secrets(lab, run.output) == set()
    # Clients come to every instance that is back.
    assert {weight for edge in weights(lab).values() for weight in edge.values()} == {1}


def test_an_image_that_is_missing_touches_nothing(lab: Lab, first: dict):
    run = deploy(lab, {"app_image": f"{NAME}:9.9.9", "app_image_archives": {}})
    assert run.status != 0 and running(lab) == {"1.0.0"}
    assert "rollout | Begin]" not in run.output, run.tail()
    # The engine's own words, which differ with the way to a registry, and the image that it was asked for.
    assert "Error pulling" in run.output and f"(item={NAME}:9.9.9)" in run.output, run.tail()


def test_a_release_that_ignores_the_request_to_stop_is_replaced_all_the_same(lab: Lab, first: dict):
    assert deploy(lab, image("3.0.0-deaf", "deaf"), app_hold=0).status == 0
    with Load(lab) as load:
        run = deploy(lab, image("2.0.0"))
    load.report("deaf")
    assert run.status == 0 and running(lab) == {"2.0.0"} and load.failed == [] and load.lost == [], run.tail()


BACK = "serve . Forget that it was away"  # an instance is switched


def test_a_deployment_that_is_killed_is_finished_by_the_next(lab: Lab, first: dict):
    with Load(lab) as load:
        lab.killed(BACK, "deploy", *given(lab, image("2.0.0")))
        again = deploy(lab, image("2.0.0"))
    load.report("killed and finished")
    assert again.status == 0 and "is taken over" in " ".join(again.output.split()), again.tail()
    assert running(lab) == {"2.0.0"} and load.failed == [] and load.lost == []


def test_a_canary_that_is_killed_goes_on_with_the_weights_of_who_has_begun(lab: Lab, first: dict):
    wanted = {**image("2.0.0"), "app_strategy": "canary", "app_canary_steps": [5, 50, 100]}
    with Load(lab) as load:
        lab.killed(f"{BACK}.*{BACK}", "deploy", *given(lab, wanted))
        again = lab.begun("batch . Ask every instance that was changed", "deploy", *given(lab, wanted))
        for edge, servers in weights(lab).items():
            new = sum(weight for name, weight in servers.items() if "app3" not in name)
            assert new / sum(servers.values()) == pytest.approx(0.5, abs=0.01), (edge, servers)
        assert again.wait(1800) == 0, LOG.read_text(errors="replace")[-4000:]
    load.report("canary, killed and finished")
    assert running(lab) == {"2.0.0"} and load.failed == [] and load.lost == []
    assert {weight for edge in weights(lab).values() for weight in edge.values()} == {1}


def test_a_damaged_history_touches_nothing(lab: Lab, first: dict):
    lab.shell("app2", f"cp -p {RELEASES} {RELEASES}.aside && truncate -s 40 {RELEASES}")
    try:
        run = deploy(lab, image("2.0.0"))
    finally:
        lab.shell("app2", f"mv {RELEASES}.aside {RELEASES}")
    assert run.status != 0 and f"{RELEASES}: found no JSON" in " ".join(run.output.split()), run.tail()
    assert running(lab) == {"1.0.0"}


def test_what_a_hook_says_is_shown_without_secrets(lab: Lab, first: dict):
    hook = {"command": ["sh", "-c", "cat /etc/mainstay/app/secrets/api-*/SECRET_KEY; exit 3"]}
    run = deploy(lab, image("2.0.0"), app_hooks={"before": [hook], "after": []})
    assert run.status != 0 and "found sh to end with 3, expected 0. Its last words: ***" in " ".join(run.output.split())
    assert shown_secrets(lab, run.output) == set() and running(lab) == {"1.0.0"}


def test_a_second_deployment_is_refused(lab: Lab, first: dict):
    before = int(time.time())
    run = lab.begun("batch . Change what differs", "deploy", *given(lab, image("2.0.0")))
    held = json.loads(lab.shell("app1", f"cat {LOCK}"))
    command = ["ansible-playbook", "-i", str(lab.inventory), "playbooks/rollback.yml"]
    second = subprocess.run(command, cwd=ROOT, env=lab.env, capture_output=True, text=True, timeout=600)
    said = " ".join(second.stdout.split())
    assert second.returncode != 0 and "found it held by" in second.stdout, second.stdout[-3000:]
    assert f"{LOCK}: found it held by {held['owner']} since {held['at']} (" in said, second.stdout[-3000:]
    assert held["owner"] == f"{getpass.getuser()}@{socket.gethostname()}"
    assert before <= datetime.fromisoformat(held["at"]).timestamp() <= time.time()
    assert run.wait(1800) == 0 and running(lab) == {"2.0.0"}


def test_a_rollback_goes_back_and_the_site_leaves_it_so(lab: Lab, first: dict):
    assert deploy(lab, image("2.0.0"), app_hold=0).status == 0
    with Load(lab) as load:
        run = deploy(lab, image("2.0.0"), "rollback")
    load.report("rollback")
    assert run.status == 0 and running(lab) == {"1.0.0"} and load.failed == [] and load.lost == [], run.tail()
    run = deploy(lab, image("2.0.0"), "app")
    assert (run.status, run.changed) == (0, {}), run.tail()


def test_a_container_that_was_stopped_by_hand_is_repaired_and_named(lab: Lab, first: dict):
    lab.shell("app2", "docker stop api-1")
    run = deploy(lab, first)
    assert run.status == 0 and "Replaced: app2 api-1" in " ".join(run.output.split()), run.tail()


@pytest.mark.parametrize("end", ["systemctl restart docker", "systemctl kill -s KILL --kill-whom=main docker"])
def test_an_engine_that_starts_again_costs_no_request(lab: Lab, first: dict, end: str):
    ask = "docker ps -q | xargs docker inspect -f '{{.Name}} {{.State.Pid}} {{.State.StartedAt}}' | sort"
    engine = "systemctl show -P MainPID docker"
    before = {host: (lab.shell(host, engine), lab.shell(host, ask)) for host in HOSTS}
    with Load(lab) as load:
        for host in HOSTS:
            lab.shell(host, end)
            until(f"the engine of {host} answers", lambda host=host: lab.shell(host, ask, check=False) != "", 60)
            time.sleep(5)
    load.report(end)
    for host, (process, containers) in before.items():
        assert lab.shell(host, engine) != process and lab.shell(host, ask) == containers
    assert load.failed == [] and load.lost == []


def services(instances: int) -> list[dict]:
    """Those of the inventory, with so many of the API on each host."""
    path = ROOT / "inventories/apg_cash_management/group_vars/all/app.yml"
    more = {"api": {"instances": instances, "metrics_port": 8101, "environment": {"METRICS_PORT": "8101"}}}
    return [service | more.get(service["name"], {}) for service in yaml.safe_load(path.read_text())["app_services"]]


def test_fewer_instances_cost_no_request(lab: Lab, first: dict):
    """The edges know those that leave, and the inventory does not any more."""
    run = deploy(lab, first, "site", app_services=services(2))
    assert run.status == 0, run.tail()
    with Load(lab) as load:
        run = deploy(lab, first, app_services=services(1))
    load.report("fewer instances")
    assert run.status == 0 and running(lab) == {"1.0.0"} and load.failed == [] and load.lost == [], run.tail()
