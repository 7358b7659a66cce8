# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every role has the same shape, and its inputs have one home each."""

from __future__ import annotations

import re

import pytest
from repository import ROOT, load, tasks

ROLES = sorted(path.parent.parent.name for path in (ROOT / "roles").glob("*/meta/main.yml"))
# The contract has no tasks; the others do work for all roles and promise nothing of their own.
CONTRACT = "platform"
HELPERS = {"network_proof", "packages", "patch", "preflight", "report", "secrets", "switchover", "traffic"}
SERVICES = [role for role in ROLES if role != CONTRACT and role not in HELPERS]
WITH_TASKS = [role for role in ROLES if role != CONTRACT]
MOST_INPUTS = 35
# What runs and how it comes to hosts, and what clients meet, are one subject each for who writes the inventory.
MORE_INPUTS = {"app": 52, "haproxy": 55}


def defaults(role):
    folder = ROOT / "roles" / role / "defaults"
    files = [folder / "main.yml"] if (folder / "main.yml").is_file() else sorted((folder / "main").glob("*.yml"))
    return {key: value for file in files for key, value in load(file).items()}


def specs(role):
    return load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]


def options_with_default(options, where=""):
    for name, option in (options or {}).items():
        if "default" in option:
            yield f"{where}{name}"
        yield from options_with_default(option.get("options"), f"{where}{name}.")


@pytest.mark.parametrize("role", SERVICES)
def test_role_has_the_files_of_every_role(role):
    wanted = ["defaults/main.yml", "meta/main.yml", "meta/argument_specs.yml"]
    wanted += [f"tasks/{name}.yml" for name in ("main", "preflight", "verify")]
    missing = [name for name in wanted if not (ROOT / "roles" / role / name).is_file()]
    assert not missing


@pytest.mark.parametrize("role", WITH_TASKS)
def test_role_depends_on_the_contract(role):
    assert load(ROOT / "roles" / role / "meta" / "main.yml")["dependencies"] == [f"mainstay.platform.{CONTRACT}"]


@pytest.mark.parametrize("role", SERVICES)
def test_main_is_a_table_of_contents(role):
    entries = [task for task in tasks(load(ROOT / "roles" / role / "tasks" / "main.yml")) if "block" not in task]
    steps = [entry.get("ansible.builtin.import_tasks", entry.get("ansible.builtin.include_tasks")) for entry in entries]
    assert all(steps), "tasks/main.yml only imports the files of its steps"
    first = ROOT / "roles" / role / "tasks" / steps[0]
    assert steps[0] == "preflight.yml" or "import_tasks: preflight.yml" in first.read_text()
    assert steps[-1] == "verify.yml"


@pytest.mark.parametrize("role", SERVICES)
def test_entry_points_share_one_spec(role):
    entries = specs(role)
    assert set(entries) >= {"main", "preflight", "verify"}
    for name, entry in entries.items():
        assert entry["short_description"] and entry.get("description"), name
        assert entry["options"] == entries["main"]["options"], name


@pytest.mark.parametrize("role", WITH_TASKS)
def test_every_input_is_specified_and_has_its_default_once(role):
    for name, entry in specs(role).items():
        options = entry.get("options") or {}
        optional = {key for key, option in options.items() if not option.get("required")}
        assert optional == set(defaults(role)), name
        assert not list(options_with_default(options)), name
        assert all(option.get("description") and option.get("type") for option in options.values()), name


@pytest.mark.parametrize("role", WITH_TASKS)
def test_inputs_carry_the_name_of_their_role(role):
    inputs = set(specs(role)["main"].get("options") or {})
    assert not [name for name in inputs if not name.startswith(f"{role}_")]
    assert len(inputs) <= MORE_INPUTS.get(role, MOST_INPUTS)


@pytest.mark.parametrize("role", WITH_TASKS)
def test_constants_carry_the_name_of_their_role(role):
    for path in (ROOT / "roles" / role / "vars").glob("*.yml"):
        assert not [name for name in load(path) if not name.startswith(f"__{role}_")], path.name


@pytest.mark.parametrize("role", SERVICES)
def test_verify_asks_the_live_service_through_gates(role):
    found = [
        task["mainstay.platform.gates"]
        for path in (ROOT / "roles" / role / "tasks").glob("verify*.yml")
        for task in tasks(load(path))
        if "mainstay.platform.gates" in task
    ]
    assert found, "tasks/verify.yml has no gates"
    for gates in found:
        assert gates["role"] == role
        listed = gates["gates"]
        if isinstance(listed, str):
            continue  # made by an expression
        for gate in listed:
            if isinstance(gate, str) or gate.get("that") is True:
                continue  # made by an expression, or never red
            assert gate.get("remedy"), gate["gate"]
            # Whatever holds once must be asked again in a run that only verifies.
            assert gate.get("module") or gate.get("that"), gate["gate"]


@pytest.mark.parametrize("role", WITH_TASKS)
def test_every_handler_is_notified(role):
    path = ROOT / "roles" / role / "handlers" / "main.yml"
    if not path.is_file():
        return
    known = {name for handler in load(path) for name in [handler["name"], *_listens(handler)]}
    text = "\n".join(file.read_text() for file in (ROOT / "roles" / role).glob("*/*.yml"))
    notified = set(re.findall(r"^\s+notify: (?!\[)(.+)$", text, re.M))
    notified |= {
        item.strip() for group in re.findall(r"^\s+notify: \[(.+)\]$", text, re.M) for item in group.split(",")
    }
    notified |= {
        item
        for group in re.findall(r"^\s+notify:\n((?:\s+- .+\n)+)", text, re.M)
        for item in re.findall(r"- (.+)", group)
    }
    assert {name.strip("\"'") for name in notified} <= known


def _listens(handler):
    listen = handler.get("listen", [])
    return [listen] if isinstance(listen, str) else listen
