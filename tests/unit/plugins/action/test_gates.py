# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]

COMMAND, STAT, SHELL = "ansible.builtin.command", "ansible.builtin.stat", "ansible.builtin.shell"
FLAG = "test -e {{ flag }} || { touch {{ flag }}; exit 1; }"
ROOT_FOLDER = {"path": "/"}


def gate(name, module=None, that=None, **more):
    chosen = {"gate": name, "module": module, "that": that, **more}
    return {key: value for key, value in chosen.items() if value is not None}


RED = gate("red", COMMAND, args={"argv": ["false"]}, remedy="try true")
GATES = [
    gate("holds", COMMAND, ["'yes' in result.stdout", "word == 'yes'"], args={"argv": ["echo", "{{ word }}"]}),
    gate("evidence", COMMAND, args={"argv": ["echo", "{{ word }}"]}, evidence="result.stdout ~ '!'"),
    gate("no condition", STAT, args=ROOT_FOLDER),
    gate("a shell", SHELL, "result.stdout == 'b'", args={"cmd": "echo a | tr a b"}),
    gate("variables only", that="word | length == 3"),
    gate("expected code", COMMAND, "result.rc == 1", args={"argv": ["false"]}),
    RED,
    gate("not so", COMMAND, "result.rc == 1", args={"argv": ["true"]}),
    gate("no such program", COMMAND, "result.rc != 0", args={"argv": ["/not/there"]}),
    gate("wrong expression", STAT, "result.nothing == 1", args=ROOT_FOLDER),
    gate("untrusted", STAT, "word == '{{ word }}'", args=ROOT_FOLDER),
    gate("hidden", COMMAND, args={"argv": ["echo", "hush"]}, no_log=True),
    gate("elsewhere", COMMAND, not_applicable="{{ 'a container' if word else '' }}"),
    gate("unwanted", COMMAND, when="word == 'no'"),
    gate("unwanted too", COMMAND, when="{{ false }}"),
]


@pytest.fixture
def play(tmp_path):
    """Run gates against this machine; gives (return code, output, findings)."""

    def run(gates, *arguments, **options):
        task = {
            "mainstay.platform.gates": {"role": "demo", "gates": gates, **options},
            "name": "gates",
            "register": "answer",
        }
        copy = {
            "content": "{{ ansible_facts.platform_findings | to_json }}",
            "dest": str(tmp_path / "found.json"),
            "mode": "0600",
        }
        earlier = {"host": "box", "role": "demo", "gate": "holds", "verdict": "fail"}
        other = {**earlier, "role": "other"}
        play = {
            "hosts": "all",
            "gather_facts": False,
            "vars": {"word": "yes", "flag": str(tmp_path / "flag"), "platform_findings": [earlier, other]},
            "tasks": [task, {"ansible.builtin.copy": copy, "check_mode": False, "name": "keep"}],
        }
        book = tmp_path / "play.yml"
        book.write_text(json.dumps([play]))
        configuration = tmp_path / "ansible.cfg"
        configuration.touch()
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
            "ANSIBLE_CONFIG": str(configuration),
        }
        command = [
            "-m",
            "ansible",
            "playbook",
            "-i",
            "box,",
            "-c",
            "local",
            "-e",
            f"ansible_python_interpreter={sys.executable}",
        ]
        done = subprocess.run(
            [sys.executable, *command, *arguments, str(book)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        found = tmp_path / "found.json"
        return done.returncode, done.stdout + done.stderr, json.loads(found.read_text()) if found.exists() else None

    return run


def test_verdicts_and_evidence(play):
    code, output, findings = play(GATES, "--check", "-vvv", "-e", "platform_verify_enforce=false")
    assert code == 0, output
    rows = {row["gate"]: row for row in findings if row["role"] == "demo"}
    verdicts = {name: row["verdict"] for name, row in rows.items()}
    assert [name for name, verdict in verdicts.items() if verdict == "pass"] == [
        "holds", "evidence", "no condition", "a shell", "variables only", "expected code", "hidden",
    ]  # fmt: skip
    assert [name for name, verdict in verdicts.items() if verdict == "fail"] == [
        "red", "not so", "no such program", "wrong expression", "untrusted",
    ]  # fmt: skip
    assert (verdicts["elsewhere"], rows["elsewhere"]["evidence"]) == ("not applicable", "a container")
    assert "unwanted" not in rows and "unwanted too" not in rows
    assert (rows["evidence"]["evidence"], rows["hidden"]["evidence"]) == ("yes!", "(hidden by no_log)")
    assert "instead of curly braces" in rows["untrusted"]["evidence"]
    assert "hush" not in output
    assert [row["role"] for row in findings].count("other") == 1


def test_a_dry_run_goes_on_with_a_warning_and_keeps_the_finding(play):
    code, output, findings = play([RED], "--check", deadline=60)
    assert code == 0, output
    assert "[WARNING]" in output and "In a dry run" in output and "try true" in output
    (row,) = [row for row in findings if row["gate"] == "red"]
    assert (row["verdict"], row["tries"]) == ("fail", 1)


def test_what_is_to_be_masked_is_judged_and_not_shown(play):
    """Also where the evidence is cut: no part of it is left."""
    secret = "geheim" * 9
    loud = f"echo {'a' * 145}{secret}{'b' * 200} >&2; exit 1"
    asked = [
        gate("loud", SHELL, args={"cmd": loud}),
        gate("judged", SHELL, f"result.stdout == '{secret}'", args={"cmd": f"echo {secret}"}),
        gate("told", that="1 == 2", evidence=f"'found {secret}'"),
    ]
    code, output, findings = play(asked, "-vvv", "-e", "platform_verify_enforce=false", mask=[secret])
    rows = {row["gate"]: row for row in findings}
    assert code == 0 and rows["judged"]["verdict"] == "pass", output
    assert rows["judged"]["evidence"] == "***" and rows["told"]["evidence"] == "found ***"
    assert "geh" not in rows["loud"]["evidence"]


def test_only_red_gates_are_asked_again_until_they_hold(play):
    code, output, findings = play([GATES[0], gate("late", SHELL, args={"cmd": FLAG})], deadline=120)
    assert code == 0, output
    assert {row["gate"]: row["tries"] for row in findings if row["role"] == "demo"} == {"holds": 1, "late": 2}


def test_a_red_gate_fails_the_task(play):
    code, output, findings = play([RED])
    assert (code, findings) == (2, None)
    assert "1 of 1 gates of demo on box are red" in output
    assert (
        "- red: found false ended with 1: non-zero return code; expected ansible.builtin.command "
        "succeeds; remedy: try true" in output
    )


@pytest.mark.parametrize(
    "gates, message",
    [
        ([{"gate": "a", "module": "ansible.builtin.copy"}], "runs on the controller as an action"),
        ([{"gate": "a", "module": "stat"}], "expected its full name"),
        ([{"gate": "a"}], "found neither module nor that"),
        ([{"gate": "a", "that": "true"}, {"gate": "a", "that": "true"}], "is used twice"),
        ([{"gate": "a", "modul": "x"}], "modul"),
    ],
)
def test_gates_that_cannot_be_asked_are_refused(play, gates, message):
    code, output, _findings = play(gates)
    assert code == 2, output
    assert message in output
