# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A watchdog that is wanted is there, is Patroni's alone, and there before Patroni is told; else the run is refused."""

from __future__ import annotations

import os
import subprocess

import pytest
import yaml
from repository import ROOT, load, render_all

PATRONI = {"role": "postgresql", "host": "db1", "templates": ["config.yml", "patroni.service.conf"]}
FACTS = {"distribution": "Debian", "distribution_major_version": "13", "memtotal_mb": 8192, "processor_vcpus": 4}
CONTAINER = {"ansible_facts": {**FACTS, "virtualization_type": "docker"}}
VARS = load(ROOT / "roles/postgresql/vars/main.yml")
# A look that finds what a test says, in the place of the real one.
DEVICE, NONE, MODULE = ({"__postgresql_look_watchdog": f"echo {word}"} for word in ("device", "none", "softdog.ko"))
HELD = {"__postgresql_look_watchdog": "printf 'device\nsystemd\n'"}
TOLD = {
    "off": ({"postgresql_watchdog": "off"}, "off", False),
    "automatic": ({"postgresql_watchdog": "automatic"}, "automatic", False),
    "automatic in a container": ({"postgresql_watchdog": "automatic", **CONTAINER}, "off", False),
    "required": ({"postgresql_watchdog": "required", **DEVICE}, "required", False),
    "software": ({"postgresql_watchdog": "software", **MODULE}, "required", True),
}
REFUSED = {
    "container": (
        {"postgresql_watchdog": "required", **DEVICE, **CONTAINER},
        "found required in a container, expected off",
    ),
    "software in a container": ({"postgresql_watchdog": "software", **MODULE, **CONTAINER}, "in a container"),
    "no device": ({"postgresql_watchdog": "required", **MODULE}, "found required, but no /dev/watchdog , expected one"),
    "no module": ({"postgresql_watchdog": "software", **NONE}, "and no module softdog of its kernel"),
    "held": ({"postgresql_watchdog": "required", **HELD}, "found it open in systemd, expected nobody but Patroni"),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    cases = {**TOLD, **REFUSED}
    places = {name: tmp_path_factory.mktemp("watchdog") for name in cases}
    asked = [("render_role.yml", {"out": str(places[name]), **PATRONI, **case[0]}) for name, case in cases.items()]
    return {name: (places[name], done) for name, done in zip(cases, render_all(asked), strict=True)}


@pytest.mark.parametrize("name", TOLD)
def test_patroni_is_told_what_the_host_can(runs, name):
    out, done = runs[name]
    assert done.returncode == 0, done.stdout + done.stderr
    watchdog = yaml.safe_load((out / "config.yml").read_text())["watchdog"]
    assert watchdog == {"mode": TOLD[name][1], "device": "/dev/watchdog"}
    assert ("modprobe softdog" in (out / "patroni.service.conf").read_text()) is TOLD[name][2]


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_leave_no_primary_is_refused(runs, name):
    _out, done = runs[name]
    output = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert REFUSED[name][1] in output, output
    assert "Nothing has changed" in output


def programs(place, **texts):
    for name, text in texts.items():
        (place / name).write_text(f"#!/bin/sh\n{text}\n")
        (place / name).chmod(0o755)
    return {**os.environ, "PATH": f"{place}:{os.environ['PATH']}"}


def script(name, *arguments, env=None):
    command = ["sh", "-c", VARS[name], "script", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=env)


def test_a_device_and_who_holds_it_are_found(tmp_path):
    with open("/dev/zero", "rb"):
        found = script("__postgresql_look_watchdog", "/dev/zero").stdout.splitlines()
    assert found[0] == "device" and len(found) > 1, "a process that holds it open is not named"
    env = programs(tmp_path, modinfo="[ \"$*\" = '-n softdog' ] && echo /lib/softdog.ko")
    assert script("__postgresql_look_watchdog", f"{tmp_path}/none", env=env).stdout == "/lib/softdog.ko\n"
    env = programs(tmp_path, modinfo="exit 1")
    assert script("__postgresql_look_watchdog", f"{tmp_path}/none", env=env).stdout == "none\n"


@pytest.mark.parametrize(
    ("device", "wanted", "output"),
    [
        ("/dev/zero", "required", "gave /dev/zero to postgres"),
        ("none", "software", "loaded softdog"),
        ("none", "automatic", ""),
    ],
)
def test_the_device_is_given_to_patroni(tmp_path, device, wanted, output):
    """udev and the kernel are stood in for: an event gives the device away."""
    env = programs(
        tmp_path,
        modprobe=f"echo modprobe $* >>{tmp_path}/asked",
        udevadm=f"echo udevadm $* >>{tmp_path}/asked; [ $1 = control ] || touch {tmp_path}/given",
        stat=f"[ -e {tmp_path}/given ] && echo postgres:600 || echo root:600",
    )
    done = script("__postgresql_own_watchdog", device, wanted, env=env)
    assert done.returncode == 0, done.stderr
    assert output in done.stdout and bool(output) == bool(done.stdout)
    again = script("__postgresql_own_watchdog", "/dev/zero", wanted, env=env)
    assert again.stdout == "" or wanted == "automatic", "a second run does it again"


def test_a_right_that_udev_does_not_give_ends_the_run(tmp_path):
    env = programs(tmp_path, udevadm="exit 0", stat="echo root:600")
    assert script("__postgresql_own_watchdog", "/dev/zero", "required", env=env).returncode == 1


def test_the_watchdog_stands_before_patroni_is_told():
    names = [task["name"] for task in load(ROOT / "roles/postgresql/tasks/main.yml")]
    assert names.index("Give Patroni the watchdog") < names.index("Start the member and wait for the cluster")
