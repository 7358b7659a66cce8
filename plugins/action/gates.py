# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template
from ansible_collections.mainstay.platform.plugins.plugin_utils import _gates
from ansible_collections.mainstay.platform.plugins.plugin_utils._masked import masked

PAUSE = 1  # seconds between two tries of a red gate

# Actions of ansible.builtin that only wrap the module of the same name.
WRAPPERS = {
    "ansible.builtin.command": "ansible.builtin.command",
    "ansible.builtin.shell": "ansible.builtin.command",
    "ansible.builtin.uri": "ansible.builtin.uri",
    "ansible.builtin.wait_for": "ansible.builtin.wait_for",
}

ENFORCE = trust_as_template("platform_verify_enforce | default(true) | bool")

GATE_OPTIONS = {
    "gate": {"type": "str", "required": True},
    "module": {"type": "str"},
    "args": {"type": "dict"},
    # raw: type conversion would split an expression at its commas.
    "that": {"type": "raw"},
    "evidence": {"type": "raw"},
    "said": {"type": "str"},
    "when": {"type": "raw"},
    "remedy": {"type": "str"},
    "not_applicable": {"type": "str"},
    "no_log": {"type": "bool"},
}

OPTIONS = {
    "role": {"type": "str", "required": True},
    "deadline": {"type": "float", "default": 0},
    "mask": {"type": "list", "elements": "str", "default": []},
    "gates": {"type": "list", "elements": "dict", "required": True, "options": GATE_OPTIONS},
}


class ActionModule(ActionBase):
    """Ask the live services whether they keep their promises."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp=None, task_vars=None):
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(argument_spec=OPTIONS)
        problems = _gates.check_gates(options["gates"])
        problems += [text for text in map(self._refuse_action, options["gates"]) if text]
        if problems:
            raise AnsibleActionFail("; ".join(problems))

        # What a dry run did not change may be why a gate is red. What follows is to be seen, too.
        dry = self._task.check_mode
        if dry:
            options["deadline"] = 0
        findings = self._ask(options, task_vars)
        enforce = self._templar_for(task_vars, {}).evaluate_expression(ENFORCE)
        red = [row for row in findings if row["verdict"] == _gates.FAIL]
        facts = task_vars.get("ansible_facts", {})
        previous = facts.get("platform_findings", task_vars.get("platform_findings"))
        result.update(
            changed=False,
            findings=findings,
            ansible_facts={"platform_findings": _gates.merge_findings(previous, findings)},
            msg=f"{len(findings) - len(red)} of {len(findings)} gates of {options['role']} hold",
        )
        if red:
            result["msg"] = _gates.failure_message(options["role"], task_vars.get("inventory_hostname"), findings)
            result["failed"] = bool(enforce and not dry)
            if enforce and dry:
                result["warnings"] = [f"In a dry run: {result['msg']}"]
        if result.get("failed"):
            # Ansible sets no facts of a failed task; the message says all of it.
            result.pop("ansible_facts")
        return result

    def _refuse_action(self, gate):
        """The reason why a gate's module cannot run here, or None."""
        name = gate.get("module")
        if not name or name in WRAPPERS:
            return None
        if name.count(".") < 2:
            return f"gate {gate['gate']!r}: found module {name}; expected its full name such as ansible.builtin.stat"
        if self._shared_loader_obj.action_loader.has_plugin(name):
            return (
                f"gate {gate['gate']!r}: {name} runs on the controller as an action; expected a module that runs "
                "on the host; "
                "use ansible.builtin.command or a module without an action of its own"
            )
        return None

    def _ask(self, options, task_vars):
        """Every gate once, then the red ones again until the deadline."""
        host = task_vars.get("inventory_hostname")
        started = time.monotonic()
        gates = [gate for gate in options["gates"] if self._wanted(gate, task_vars)]
        rows = {}
        tries = 0
        while True:
            tries += 1
            for gate in gates:
                if gate["gate"] in rows and rows[gate["gate"]]["verdict"] != _gates.FAIL:
                    continue
                verdict, evidence = self._ask_one(gate, options["mask"], task_vars)
                seconds = time.monotonic() - started
                rows[gate["gate"]] = _gates.finding(host, options["role"], gate, verdict, evidence, seconds, tries)
            red = any(row["verdict"] == _gates.FAIL for row in rows.values())
            if not red or time.monotonic() - started + PAUSE > options["deadline"]:
                return list(rows.values())
            time.sleep(PAUSE)

    def _wanted(self, gate, task_vars):
        return gate.get("when") is None or all(
            self._holds(item, task_vars, {}) for item in _gates.as_list(gate["when"])
        )

    def _ask_one(self, gate, mask, task_vars):
        """Verdict and evidence of one gate, asked once: judged over what was found, shown without what is masked."""
        if gate.get("not_applicable"):
            return _gates.NOT_APPLICABLE, gate["not_applicable"]
        found = self._run_module(gate, task_vars) if gate.get("module") else {}
        shown = masked(found, mask)  # before anything is cut, which would leave a part of it
        try:
            verdict, evidence = self._judge(gate, found, shown, task_vars)
        except AnsibleConnectionFailure:
            raise
        except AnsibleError as error:
            verdict = _gates.FAIL
            evidence = (
                f"{_gates.default_evidence(shown)} (the gate's expression failed: {_gates.expression_error(error)})"
            )
        return verdict, _gates.HIDDEN if gate.get("no_log") else masked(evidence, mask)

    def _judge(self, gate, found, shown, task_vars):
        conditions = _gates.as_list(gate.get("that"))
        if _gates.could_not_run(found) or (not conditions and found.get("failed")):
            return _gates.FAIL, _gates.default_evidence(shown)
        broken = [item for item in conditions if not self._holds(item, task_vars, found)]
        evidence = self._evidence(gate, shown, task_vars)
        if len(conditions) > 1 and broken:
            evidence = f"{_gates.one_line(evidence, 200)} (not so: {broken[0]})"
        return (_gates.FAIL if broken else _gates.PASS), evidence

    def _evidence(self, gate, found, task_vars):
        """The text that the gate brings, its own evidence expression, or what the module says of itself."""
        if gate.get("said"):
            return gate["said"]
        fallback = _gates.default_evidence(found)
        if gate.get("evidence") is None:
            return fallback
        try:
            return self._templar_for(task_vars, found).evaluate_expression(gate["evidence"]) or fallback
        except AnsibleError as error:
            return f"{fallback} (the evidence expression failed: {_gates.expression_error(error)})"

    def _run_module(self, gate, task_vars):
        """The result of a gate's module. Gates only read, so the module runs in check mode too."""
        arguments = dict(gate.get("args") or {})
        if gate["module"] == "ansible.builtin.shell":
            arguments["_uses_shell"] = True
        kept = self._task.check_mode, self._task.no_log
        self._task.check_mode = False
        self._task.no_log = bool(kept[1] or gate.get("no_log"))  # keeps the arguments out of the host's log
        try:
            return self._execute_module(
                module_name=WRAPPERS.get(gate["module"], gate["module"]),
                module_args=arguments,
                task_vars=task_vars,
            )
        finally:
            self._task.check_mode, self._task.no_log = kept

    def _templar_for(self, task_vars, found):
        return self._templar.copy_with_new_env(available_variables={**task_vars, "result": found})

    def _holds(self, condition, task_vars, found):
        return self._templar_for(task_vars, found).evaluate_conditional(condition)
