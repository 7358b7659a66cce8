"""Releases come and go under load: nobody sees a failed request, and a bad release goes back by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest
from load import Load, unlimited

from tests.lab import LOG, ROOT, Lab

NAME = "datacraft/apg-cash-management"
HOSTS = ("app1", "app2", "app3")
REQUESTS = 20000  # at least so many have to see nothing of a good release
FAST = {"app_hold": 30, "app_canary_hold": 30, "app_retire_after": 30}


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


def deploy(lab: Lab, wanted: dict, playbook: str = "deploy", **inputs):
    return lab.playbook(playbook, "-e", json.dumps({**unlimited(lab), **wanted, **inputs}))


def running(lab: Lab) -> set[str]:
    """The version of every API on every host, and whether a second set is left."""
    ask = "docker ps --format '{{.Names}} {{.Image}}' --filter label=mainstay.app=true"
    lines = [line.split() for host in HOSTS for line in lab.shell(host, ask).splitlines()]
    assert not [name for name, _image in lines if "green" in name]
    assert len(lines) == 2 * len(HOSTS), lines
    return {name.rpartition(":")[2] for _container, name in lines}


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
        run = lab.playbook("site", "-e", json.dumps({**unlimited(lab), **image("1.0.0"), "app_strategy": strategy}))
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
    assert load.failed == [] and len(load.answers) >= REQUESTS
    before, during = load.p95(begun, changed), load.p95(changed, ended)
    assert during < 2 * before, f"p95: found {during:.3f} s, and {before:.3f} s before"


@pytest.mark.parametrize(
    ("version", "fault", "strategy", "says", "lost"),
    [
        ("3.0.0-unhealthy", "unhealthy", "rolling", "api-1 is well", 0),
        ("3.0.0-late", "unhealthy-after:20", "rolling", "is well", 0.01),
        ("3.0.0-slow", "slow:1.5", "rolling", "app_response_ms", 0),
        ("3.0.0-errors", "errors:20", "rolling", "app_error_budget", 0.05),
        ("3.0.0-errors", "errors:20", "canary", "app_error_budget", 0.01),
        ("3.0.0-errors", "errors:20", "blue_green", "app_error_budget", 0.05),
        ("3.0.0-migration", "migration", "rolling", "migration", 0),
    ],
)
def test_a_bad_release_goes_back_by_itself(lab: Lab, first: dict, version, fault, strategy, says, lost):
    prepare(lab, strategy)
    with Load(lab) as load:
        run = deploy(lab, image(version, fault), app_strategy=strategy)
    load.report(f"{fault}, {strategy}")
    assert run.status != 0 and says in run.output, run.tail()
    assert running(lab) == {"1.0.0"}
    assert len(load.failed) <= lost * len(load.answers), load.failed[:3]
    shown = {name for name, value in lab.secrets().items() if value in run.output}
    assert shown == set()


def test_an_image_that_is_missing_touches_nothing(lab: Lab, first: dict):
    run = deploy(lab, {"app_image": f"{NAME}:9.9.9", "app_image_archives": {}})
    assert run.status != 0 and running(lab) == {"1.0.0"}


def test_a_release_that_ignores_the_request_to_stop_is_replaced_all_the_same(lab: Lab, first: dict):
    assert deploy(lab, image("3.0.0-deaf", "deaf"), app_hold=0).status == 0
    with Load(lab) as load:
        run = deploy(lab, image("2.0.0"))
    load.report("deaf")
    assert run.status == 0 and running(lab) == {"2.0.0"} and load.failed == [], run.tail()


def begun(lab: Lab, wanted: dict, until: str) -> subprocess.Popen:
    """A deployment that has come to a task."""
    command = ["ansible-playbook", "-i", str(lab.inventory), "playbooks/deploy.yml"]
    command += ["-e", json.dumps({**unlimited(lab), **wanted})]
    with LOG.open("w") as log:
        run = subprocess.Popen(
            command, cwd=ROOT, env=lab.env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    deadline = time.monotonic() + 1200
    while until not in LOG.read_text(errors="replace"):
        assert run.poll() is None and time.monotonic() < deadline, LOG.read_text(errors="replace")[-4000:]
        time.sleep(0.5)
    return run


def test_a_deployment_that_is_killed_is_finished_by_the_next(lab: Lab, first: dict):
    with Load(lab) as load:
        run = begun(lab, image("2.0.0"), "serve | Forget that it was away")
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        again = deploy(lab, image("2.0.0"))
    load.report("killed and finished")
    assert again.status == 0 and "is taken over" in again.output, again.tail()
    assert running(lab) == {"2.0.0"} and load.failed == []


def test_a_second_deployment_is_refused(lab: Lab, first: dict):
    run = begun(lab, image("2.0.0"), "batch | Change what differs")
    command = ["ansible-playbook", "-i", str(lab.inventory), "playbooks/rollback.yml"]
    second = subprocess.run(command, cwd=ROOT, env=lab.env, capture_output=True, text=True, timeout=600)
    assert second.returncode != 0 and "found it held by" in second.stdout, second.stdout[-3000:]
    assert run.wait(1800) == 0 and running(lab) == {"2.0.0"}


def test_a_rollback_goes_back_and_the_site_leaves_it_so(lab: Lab, first: dict):
    assert deploy(lab, image("2.0.0"), app_hold=0).status == 0
    with Load(lab) as load:
        run = deploy(lab, image("2.0.0"), "rollback")
    load.report("rollback")
    assert run.status == 0 and running(lab) == {"1.0.0"} and load.failed == [], run.tail()
    run = deploy(lab, image("2.0.0"), "app")
    assert (run.status, run.changed) == (0, {}), run.tail()


def test_a_container_that_was_stopped_by_hand_is_repaired_and_named(lab: Lab, first: dict):
    lab.shell("app2", "docker stop api-1")
    run = deploy(lab, first)
    assert run.status == 0 and "Replaced: app2 api-1" in " ".join(run.output.split()), run.tail()
