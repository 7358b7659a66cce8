# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What lives once lives nowhere else: groups, ports, flows, packages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PLATFORM = ROOT / "roles" / "platform" / "defaults" / "main"
PORTS = yaml.safe_load((PLATFORM / "ports.yml").read_text())
TOPOLOGY = yaml.safe_load((PLATFORM / "topology.yml").read_text())
PACKAGES = yaml.safe_load((PLATFORM / "packages.yml").read_text())["platform_packages"]
NUMBERS = {value: name for name, value in PORTS.items() if isinstance(value, int)}
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if (path / "meta" / "main.yml").is_file())
# Written to say why a figure stands there although it is a port's.
MARK = "not the port"


def files(role):
    """Every file of a role that Ansible reads, as lines with their place."""
    for path in sorted((ROOT / "roles" / role).rglob("*")):
        if path.is_file() and path.suffix in {".yml", ".j2"}:
            yield path.relative_to(ROOT), path.read_text().splitlines()


def places(role, holds):
    """Where a role has a line of which that holds."""
    return [
        f"{path}:{number}"
        for path, lines in files(role)
        for number, line in enumerate(lines, 1)
        if holds(path.parts[2], line)
    ]


def is_port(line, number):
    """Whether a line spells a port out. Small and round numbers are only ports behind a colon or the word."""
    text = line.split(" #")[0]
    if number >= 1024 and number % 1000:
        return re.search(rf"(?<![\w.-]){number}(?![\w.%])", text)
    return re.search(rf"(?::{number}\b(?!:)|\bd?ports?\b\W{{0,3}}{number}\b)", text, re.IGNORECASE)


@pytest.mark.parametrize("role", [role for role in ROLES if role != "platform"])
def test_roles_do_not_look_at_groups(role):
    pattern = re.compile(r"\bgroups\s*[\[|]|\bgroups\.\w|\bgroup_names\b")
    found = places(role, lambda _folder, line: pattern.search(line))
    assert not found, "host lists are inputs whose defaults read platform_members"


@pytest.mark.parametrize("role", [role for role in ROLES if role not in ("platform", "app")])
def test_services_are_read_with_their_defaults(role):
    """What app_service_defaults says holds for the edge, the firewall and Prometheus too."""
    pattern = re.compile(r"[{(] *app_services\b")
    read = ("defaults", "vars", "tasks", "templates")
    assert not places(role, lambda folder, line: pattern.search(line.split("#")[0]) and folder in read)


@pytest.mark.parametrize("role", [role for role in ROLES if role != "platform"])
def test_ports_are_written_in_the_contract_only(role):
    found = [
        f"{path}:{place}: {number} is {name}"
        for path, lines in files(role)
        for place, line in enumerate(lines, 1)
        for number, name in NUMBERS.items()
        if is_port(line, number) and MARK not in line
    ]
    assert not found


def test_every_port_belongs_to_a_role():
    listened = str(PORTS["platform_role_ports"])
    unused = [name for name in NUMBERS.values() if name not in listened]
    assert not unused


def test_flows_speak_of_known_ports_and_groups():
    known = set(TOPOLOGY["platform_group_roles"]) | {"world", "operators"}
    for flow in TOPOLOGY["platform_flows"]:
        sources = re.findall(r"'(\w+)'\]", TOPOLOGY["platform_ssh_sources"]) if "{{" in flow["from"] else flow["from"]
        assert set(sources) | {flow["to"]} <= known, flow["name"]
        names = re.findall(r"platform_\w+", str(flow["ports"]))
        assert set(names) <= set(PORTS), flow["name"]
        assert flow["why"], flow["name"]


def test_flow_names_are_unique():
    names = [flow["name"] for flow in TOPOLOGY["platform_flows"]]
    assert sorted(names) == sorted(set(names))


def test_every_role_of_a_group_exists_and_is_played():
    played = "\n".join(path.read_text() for path in (ROOT / "playbooks").glob("*.yml"))
    for group, roles in TOPOLOGY["platform_group_roles"].items():
        for role in roles:
            assert role in ROLES, f"{group}: {role}"
            assert f"mainstay.platform.{role}" in played, f"{role} is in no playbook"


def test_every_role_of_a_group_names_its_packages():
    roles = {role for group in TOPOLOGY["platform_group_roles"].values() for role in group}
    without = {role for role in roles if role not in PACKAGES}
    assert without <= {"report"}, "platform_packages says what a role installs, an empty list for nothing"


@pytest.mark.parametrize(
    ("line", "number", "found"),
    [
        ("port: 5432", 5432, True),
        ("url: https://host:8404/metrics", 8404, True),
        ("max: 15432", 5432, False),
        ("backlog: 5000", 5000, False),
        ("bind *:5000", 5000, True),
        ("size: 6379.5", 6379, False),
        ("bind: '*:443'", 443, True),
        ("mode: 80", 80, False),
        ("at: 22:00", 22, False),
    ],
)
def test_is_port_knows_a_port_from_a_number(line, number, found):
    assert bool(is_port(line, number)) is found
