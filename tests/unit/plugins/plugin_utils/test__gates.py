# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.plugin_utils import _gates

GATE = {"gate": "it answers", "module": "x.y.z", "that": "result.ok", "remedy": "start it"}


def row(verdict="pass", gate="it answers", role="redis", host="cache1"):
    return _gates.finding(host, role, {**GATE, "gate": gate}, verdict, "seen", 0.25, 1)


@pytest.mark.parametrize(
    "value, expected",
    [("a\n  b", "a b"), (None, "None"), ("x" * 20, "x" * 20), ("a" * 10 + "b" * 40, "a" * 10 + " ... bbbbb")],
)
def test_one_line_joins_and_cuts(value, expected):
    assert _gates.one_line(value, 20) == expected


@pytest.mark.parametrize(
    "result, expected",
    [
        ({"evidence": "2 replicas", "msg": "m"}, "2 replicas"),
        ({"stdout": "PONG"}, "PONG"),
        ({"stat": {"exists": False}}, "it does not exist"),
        ({"rc": 0}, "rc=0"),
        ({}, "ok"),
        (
            {"failed": True, "msg": "non-zero return code", "rc": 3, "cmd": ["cat", "secret"]},
            "cat ended with 3: non-zero return code",
        ),
        ({"failed": True}, "the module failed without a message"),
    ],
)
def test_default_evidence_says_what_was_seen(result, expected):
    assert _gates.default_evidence(result) == expected


@pytest.mark.parametrize(
    "result, expected",
    [
        ({"failed": True, "msg": "Error executing command.", "rc": 2}, True),
        ({"failed": True, "module_stderr": "Traceback"}, True),
        ({"failed": True, "msg": "non-zero return code", "rc": 1, "exception": "(traceback unavailable)"}, False),
        ({"rc": 0}, False),
    ],
)
def test_could_not_run_tells_a_broken_probe_from_a_bad_answer(result, expected):
    assert _gates.could_not_run(result) is expected


def test_check_gates_names_the_gate():
    problems = _gates.check_gates([{"gate": "a"}, {"gate": "b", "that": "x"}, {"gate": "b", "module": "m"}])
    assert [problem.split(":")[0] for problem in problems] == ["gate 'a'", "gate 3"]


def test_merge_findings_replaces_the_same_gate_only():
    old = [row(), row(gate="other"), row(role="etcd")]
    new = [row(verdict="fail")]
    assert _gates.merge_findings(old, new) == [old[1], old[2], new[0]]
    assert _gates.merge_findings(None, new) == new


def test_failure_message_has_object_found_expected_and_remedy():
    text = _gates.failure_message("redis", "cache1", [row(), row(verdict="fail", gate="it writes")])
    assert "1 of 2 gates of redis on cache1 are red" in text
    assert "- it writes: found seen; expected result.ok; remedy: start it" in text
