# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Habits of tasks: templates are validated, errors are not hidden, nobody sleeps, files stay small."""

from __future__ import annotations

import ast
import re

import pytest
from repository import ROOT, load, tasks

TASK_FILES = sorted((ROOT / "roles").glob("*/tasks/**/*.yml")) + sorted((ROOT / "roles").glob("*/handlers/*.yml"))
# A file over its cap says why in a line that begins with this.
EXPLAINED = "longer than others because"

# Most lines of a file, by where it lies.
CAPS = {
    "roles/*/tasks/*.yml": 100,
    "roles/*/templates/**/*.j2": 100,
    "roles/*/defaults/*.yml": 80,
    "roles/*/meta/argument_specs.yml": 130,
    "roles/*/handlers/*.yml": 40,
    "playbooks/*.yml": 100,
    "molecule/*/molecule.yml": 25,
    "plugins/modules/*.py": 235,
    "plugins/module_utils/*.py": 260,
    "plugins/filter/*.py": 150,
    "plugins/filter/*.yml": 50,
    "tests/unit/**/test_*.py": 225,
}
MOST_TASKS = 12
# Files that no program checks without using them, and what sees a mistake instead.
UNCHECKED = {
    r"/etc/systemd/|_unit\b|\.service(\.conf)?\.j2": "systemd judges units as it loads them, and gates ask the service",
    r"/etc/cron\.d/": "cron reads its lines when it runs them, and the gates look at what they leave behind",
    r"/etc/default/": "variables that systemd hands to the service, which the gates ask",
    r"pgbackrest\.conf|_pgbackrest_config|_repository_config": "pgBackRest checks by connecting, as the gates do",
    r"__sysctl_\w*file": "the gates compare the values with the kernel's",
}
REASONS = re.compile("|".join([*UNCHECKED, r"# .*(no validator: |has no command that checks)"]))
LONGEST_FUNCTION = 45


def relative(path):
    return str(path.relative_to(ROOT))


def chunks(path):
    """The text of each task of a file, comments above it included."""
    lines = path.read_text().splitlines()
    starts = [number for number, line in enumerate(lines) if re.match(r"\s*- name:", line)]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        first = start
        while first and lines[first - 1].lstrip().startswith("#"):
            first -= 1
        yield "\n".join(lines[first:end])


def reasoned(text, pattern):
    """Whether each line that matches has a comment on it or right above it."""
    lines = text.splitlines()
    return all(
        "#" in line or (number and lines[number - 1].lstrip().startswith("#"))
        for number, line in enumerate(lines)
        if re.search(pattern, line)
    )


def written_files(text):
    """The parts of a task that write a file from a template: the task, or each file of a bundle."""
    if "mainstay.platform.file_bundle:" not in text:
        return [text] if "ansible.builtin.template:" in text else []
    parts, comment = [], []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            comment.append(line)
            continue
        if line.lstrip().startswith("- path:"):
            parts.append(comment)
        if parts:
            parts[-1].append(line)
        comment = []
    return [part for part in map("\n".join, parts) if "template" in part]


def comments(text):
    """The comments above the name of a task, which speak of all of it."""
    return text.split("- name:")[0]


@pytest.mark.parametrize("path", TASK_FILES, ids=relative)
def test_every_template_is_validated_or_says_why_not(path):
    for text in chunks(path):
        for part in written_files(text):
            assert re.search(r"\bvalidate:", part) or REASONS.search(part) or REASONS.search(comments(text)), part


def test_each_file_of_a_bundle_is_looked_at():
    bundle = """- name: Ensure both are there
  mainstay.platform.file_bundle:
    files:
      - path: /a
        content: "{{ lookup('mainstay.platform.template', 'a.j2') }}"
        validate: check %s
      # no validator: nobody reads it
      - path: /b
        content: "{{ lookup('mainstay.platform.template', 'b.j2') }}"
      - path: /c
        content: plain
"""
    first, second = written_files(bundle)
    assert "validate:" in first
    assert "no validator:" in second


@pytest.mark.parametrize("path", TASK_FILES, ids=relative)
def test_errors_are_hidden_for_a_reason_only(path):
    assert reasoned(path.read_text(), r"ignore_errors:|failed_when: false|ignore_unreachable:")


@pytest.mark.parametrize("path", TASK_FILES, ids=relative)
def test_nobody_sleeps(path):
    text = "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
    assert not re.search(r"ansible\.builtin\.pause:|\bsleep \d|\[sleep,", text)


@pytest.mark.parametrize("path", TASK_FILES, ids=relative)
def test_task_files_are_short(path):
    assert len(load(path)) <= MOST_TASKS


@pytest.mark.parametrize(("pattern", "cap"), CAPS.items(), ids=CAPS)
def test_files_are_short_or_say_why_not(pattern, cap):
    long = {
        relative(path): length
        for path in ROOT.glob(pattern)
        if (length := len(path.read_text().splitlines())) > cap and EXPLAINED not in path.read_text()
    }
    assert not long


def test_functions_are_short():
    long = {}
    for path in (ROOT / "plugins").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = node.end_lineno - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    long[f"{relative(path)}:{node.name}"] = length
    assert not long


def test_files_of_tests_have_names_of_their_own():
    """Two of one name cannot be collected in one run."""
    names = [path.name for path in (ROOT / "tests" / "unit").rglob("test_*.py")]
    assert {name for name in names if names.count(name) > 1} == set()


@pytest.mark.parametrize("path", TASK_FILES, ids=relative)
def test_a_unit_is_stopped_before_it_is_masked(path):
    """Ansible masks first, and a masked unit has lost how it wants to be stopped."""
    for task in tasks(load(path)):
        settings = task.get("ansible.builtin.systemd_service") or {}
        assert not (settings.get("masked") and "state" in settings), task["name"]
