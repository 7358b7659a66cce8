# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The data file of the controls is whole, and everybody reads it."""

from __future__ import annotations

import importlib.util
import re
import subprocess

import pytest
from repository import ROOT

SPEC = importlib.util.spec_from_file_location("controls_table", ROOT / "tests" / "controls.py")
TABLE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(TABLE)
DATA = TABLE.data()
CONTROLS = DATA["__hardening_controls"]
IDS = [control["id"] for control in CONTROLS]
KEYS = {"id", "subsystem", "level", "reason", "standards", "ask"}
# Expressions become a word, so that a shell can read what is around them.
EXPRESSION = re.compile(r"\{\{.*?\}\}", re.S)


def test_ids_are_unique():
    assert sorted(IDS) == sorted(set(IDS))


@pytest.mark.parametrize("control", CONTROLS, ids=IDS)
def test_a_control_says_all_that_it_must(control):
    assert set(control) >= KEYS and set(control) <= KEYS | {"needs", "fix", "guarded"}
    assert control["level"] in DATA["__hardening_levels"]
    assert control["subsystem"] in DATA["__hardening_subsystems"]
    assert set(control.get("needs", [])) <= set(DATA["__hardening_needs"])
    assert control["standards"] and all(re.match(r"CIS \d|ANSSI R\d", name) for name in control["standards"])
    assert control["reason"].endswith(".")


def test_every_need_and_subsystem_is_used():
    assert {need for control in CONTROLS for need in control.get("needs", [])} == set(DATA["__hardening_needs"])
    assert {control["subsystem"] for control in CONTROLS} == set(DATA["__hardening_subsystems"])


@pytest.mark.parametrize("control", CONTROLS, ids=IDS)
def test_questions_and_fixes_are_shell(control):
    for script in (control["ask"], control.get("fix", ":")):
        done = subprocess.run(["sh", "-n"], input=EXPRESSION.sub("word", script), text=True, capture_output=True)
        assert done.returncode == 0, done.stderr


def test_templates_and_files_speak_of_known_controls():
    named = {file["control"] for file in DATA["__hardening_files"] if "control" in file}
    for path in (ROOT / "roles" / "hardening" / "templates").rglob("*.j2"):
        named |= set(re.findall(r"'([a-z-]+)' in __hardening_on", path.read_text()))
    assert named <= set(IDS)


def test_every_template_is_written_somewhere():
    folder = ROOT / "roles" / "hardening" / "templates"
    there = {str(path.relative_to(folder)) for path in folder.rglob("*.j2")}
    assert {file["template"] for file in DATA["__hardening_files"]} == there


def test_doors_are_guarded():
    """What decides who comes in is changed with the old state ready to return."""
    doors = re.compile(r"^/etc/(ssh/sshd|pam\.d|security/(faillock|pwquality)|sudoers)|pam-configs")
    assert not [
        file["path"] for file in DATA["__hardening_files"] if doors.match(str(file["path"])) and not file.get("guarded")
    ]
    fixes = re.compile(r"pam-auth-update|/etc/pam\.d/|/usr/bin/sudo\b")
    assert not [
        control["id"] for control in CONTROLS if fixes.search(control.get("fix", "")) and not control.get("guarded")
    ]


def test_the_page_is_in_step():
    assert TABLE.PAGE.read_text() == TABLE.page(), "run tests/controls.py"


SET = """
a='x'; printf 'PASS_MAX_DAYS\\t99999\\n# PASS_MIN_DAYS is this\\n' >f
has f 'PASS_MAX_DAYS 365' && exit 9
set_lines f 'PASS_MAX_DAYS 365' 'PASS_MIN_DAYS 1'
has f 'PASS_MAX_DAYS 365' 'PASS_MIN_DAYS 1' '# PASS_MIN_DAYS is this' || exit 8
chmod 0644 f; modes 0600 - f && exit 7
set_modes 0600 - f; modes 0600 - f || exit 6
[ "$(stat -c %a f)" = 600 ] || exit 5
chmod 0400 f; set_modes 0600 - f; [ "$(stat -c %a f)" = 400 ] || exit 4
modes 0600 - missing || exit 3
echo x | none found && exit 2
: | none found
"""


def test_the_helpers_do_what_they_say(tmp_path):
    helpers = EXPRESSION.sub("-", DATA["__hardening_helpers"])
    done = subprocess.run(["sh"], input=helpers + SET, text=True, capture_output=True, cwd=tmp_path)
    assert done.returncode == 0, done
