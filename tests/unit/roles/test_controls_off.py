# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A control that is switched off leaves no file, no line and no service of it behind."""

from __future__ import annotations

import json

import pytest
from repository import ROOT, load, render_with

ROLE = ROOT / "roles" / "hardening"
DATA = load(ROLE / "vars" / "main" / "main.yml")
CONTROLS = load(ROLE / "vars" / "main" / "controls.yml")["__hardening_controls"]
FILES, UNITS = DATA["__hardening_files"], DATA["__hardening_units"]
TEMPLATES = {file["template"]: (ROLE / "templates" / file["template"]).read_text() for file in FILES}
# What belongs to no control: values that inputs give, what keeps the platform's services alone, and what says no.
NOBODYS = {
    "/etc/ssh/sshd_config.d/10-mainstay.conf": ["Port 22", "MaxAuthTries 4", "MaxSessions 10", "DebianBanner no"],
    "/etc/systemd/system/mainstay-mounts.service": ["ExecStart=true"],
    "/etc/apt/apt.conf.d/60mainstay": [
        'APT::Periodic::Unattended-Upgrade "0";',
        'APT::ExtractTemplates::TempDir "/var/cache/debconf";',
    ],
    "/etc/needrestart/conf.d/mainstay.conf": ["$nrconf{restart} = 'l';", "$nrconf{kernelhints} = 0;", "1;"],
    "/etc/systemd/journald.conf.d/mainstay.conf": ["ForwardToSyslog=yes"],
}
NOBODYS_UNITS = ["rsyslog.service", "cron.service", "systemd-journald.service", "mainstay-mounts.service"]
STOPPED = {"bans": "fail2ban.service", "clock": "chrony.service"}


def owned(control):
    """The templates of a control: of its files, and those that have lines of it."""
    return [
        file["template"]
        for file in FILES
        if file.get("control") == control or f"'{control}' in __hardening_on" in TEMPLATES[file["template"]]
    ]


OWNERS = [
    control["id"]
    for control in CONTROLS
    if owned(control["id"]) or control["id"] in [unit.get("control") for unit in UNITS]
]


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """By case, what is left: nothing off, all off, and each control off alone."""
    out = tmp_path_factory.mktemp("off")
    cases = {name: {"off": [name], "files": owned(name)} for name in OWNERS}
    cases["nothing"] = {"off": [], "files": list(TEMPLATES)}
    cases["all"] = {"off": [control["id"] for control in CONTROLS], "files": list(TEMPLATES)}
    given = {"out": str(out), "role_path": str(ROLE), "cases": cases}
    done = render_with("controls_off.yml", given)
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: json.loads((out / f"{name}.json").read_text()) for name in cases}


def lines(file):
    """What a file says: neither comments nor what every unit or file of its kind has."""
    said = [line.strip() for line in (file.get("content") or "").splitlines()]
    if file["path"].endswith(".service"):
        return [line for line in said if line.startswith("Exec")]
    return [line for line in said if line and not line.startswith(("#", "//", "["))]


def names(services):
    return [service["name"] for service in services]


def test_with_all_off_there_is_what_belongs_to_none(left):
    said = {file["path"]: lines(file) for file in left["all"]["files"]}
    assert {path: text for path, text in said.items() if text} == NOBODYS
    assert names(left["all"]["services"]) == NOBODYS_UNITS
    assert names(left["all"]["stopped"]) == list(STOPPED.values())


def test_with_nothing_off_nothing_stops(left):
    assert not left["nothing"]["stopped"]
    assert set(names(left["nothing"]["services"])) == {unit["name"] for unit in UNITS} - {"audit-rules.service"}


@pytest.mark.parametrize("control", OWNERS)
def test_a_control_that_is_off_leaves_nothing(left, control):
    found = left[control]
    gone = {file["path"] for file in FILES if file.get("control") == control}
    assert not [file["path"] for file in found["files"] if file["path"] in gone and file.get("state") != "absent"]
    assert not {unit["name"] for unit in UNITS if unit.get("control") == control} & set(names(found["services"]))
    assert names(found["stopped"]) == [unit for owner, unit in STOPPED.items() if owner == control]


@pytest.mark.parametrize("control", [name for name in OWNERS if any(f"'{name}'" in TEMPLATES[t] for t in owned(name))])
def test_lines_of_a_control_go_with_it(left, control):
    """Of a file that others share, fewer lines are left than with the control, or others."""
    before = {file["path"]: lines(file) for file in left["nothing"]["files"]}
    shared = [file for file in left[control]["files"] if file.get("state") != "absent"]
    assert shared and any(set(before[file["path"]]) - set(lines(file)) for file in shared), shared


def test_a_service_stops_before_its_files_go():
    """They say that it was the role that had it run; a service of somebody else's is left alone."""
    tasks = [str(task) for task in load(ROLE / "tasks" / "configure.yml")]
    stop, bundle = (
        next(number for number, task in enumerate(tasks) if word in task)
        for word in ("__hardening_services_off", "mainstay.platform.file_bundle")
    )
    assert stop < bundle
