# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pure parts of the gates action: what a gate found, and how it is reported. Private to this collection."""

from __future__ import annotations

PASS = "pass"
FAIL = "fail"
NOT_APPLICABLE = "not applicable"

EVIDENCE_WIDTH = 300
HIDDEN = "(hidden by no_log)"


def one_line(value, width=EVIDENCE_WIDTH):
    """Any value as one line of text, cut in the middle so that start and end stay readable."""
    text = " ".join(str(value).split())
    if len(text) <= width:
        return text
    head = (width - 5) * 2 // 3
    return f"{text[:head]} ... {text[-(width - 5 - head) :]}"


def as_list(value):
    """A conditional or a list of them as a list; None is no condition."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def default_evidence(result):
    """What a module's result says in one line when the gate names no expression of its own."""
    if result.get("failed"):
        parts = [result.get("msg"), result.get("stderr"), result.get("module_stderr"), result.get("stdout")]
        if "rc" in result and result.get("cmd"):
            program = as_list(result["cmd"])[0].split()[0]  # never the arguments: they may hold a secret
            parts.insert(0, f"{program} ended with {result['rc']}")
        shown = [one_line(part) for part in parts if part]
        return one_line(": ".join(dict.fromkeys(shown))) or "the module failed without a message"
    for key in ("evidence", "msg", "stdout"):
        if result.get(key):
            return one_line(result[key])
    if "stat" in result:
        return "it exists" if result["stat"].get("exists") else "it does not exist"
    return f"rc={result['rc']}" if "rc" in result else "ok"


def could_not_run(result):
    """True when the probe itself broke, so that its output says nothing about the object."""
    if result.get("module_stderr") or result.get("module_stdout"):
        return True
    # ansible.builtin.command reports a missing binary with a return code of its own making.
    return bool(result.get("failed")) and str(result.get("msg", "")).startswith("Error executing command")


def expression_error(error):
    """Why an expression could not be judged, with the remedy for the usual mistake."""
    text = one_line(error, 200)
    if "untrusted" in text:
        return f"{text} Write the variable's name in the expression instead of curly braces."
    return text


def expected_text(gate):
    """What the gate asks for, as a person reads it."""
    conditions = as_list(gate.get("that"))
    if conditions:
        return one_line(" and ".join(str(item) for item in conditions))
    return f"{gate.get('module')} succeeds"


def check_gates(gates):
    """Problems of a list of gates that an argument spec cannot express."""
    problems = []
    seen = set()
    for position, gate in enumerate(gates, start=1):
        name = gate["gate"]
        if name in seen:
            problems.append(f"gate {position}: the name {name!r} is used twice; expected a name unique in the role")
        seen.add(name)
        if not gate.get("module") and gate.get("that") is None:
            problems.append(
                f"gate {name!r}: found neither module nor that; expected at least one; add the module that asks "
                "the service"
            )
    return problems


def finding(host, role, gate, verdict, evidence, seconds, tries):
    """One row of the report."""
    return {
        "host": host,
        "role": role,
        "gate": gate["gate"],
        "verdict": verdict,
        "evidence": one_line(evidence),
        "expected": expected_text(gate),
        "remedy": gate.get("remedy") or "",
        "seconds": round(seconds, 1),
        "tries": tries,
    }


def merge_findings(previous, new):
    """Earlier findings with those of the same host, role and gate replaced by the new ones."""

    def key(row):
        return (row.get("host"), row.get("role"), row.get("gate"))

    replaced = {key(row) for row in new}
    return [row for row in previous or [] if key(row) not in replaced] + list(new)


def failure_message(role, host, findings):
    """The text of a failed task: one line for each red gate."""
    red = [row for row in findings if row["verdict"] == FAIL]
    lines = [f"{len(red)} of {len(findings)} gates of {role} on {host} are red:"]
    for row in red:
        line = f"- {row['gate']}: found {row['evidence']}; expected {row['expected']}"
        if row["remedy"]:
            line += f"; remedy: {row['remedy']}"
        lines.append(f"{line} (tried {row['tries']} times in {row['seconds']} s)")
    return "\n".join(lines)
