# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes changes that could close the way in, and keeps them only when a new connection comes in."""

from __future__ import annotations

import time

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

GUARD = "mainstay.platform.guard"
PAUSE = 1  # seconds between two tries to come in
GRACE = 15  # seconds that the host has for the way back itself

STEP = {"module": {"type": "str", "required": True}, "args": {"type": "dict", "default": {}}}
SPEC = {
    "name": {"type": "str", "required": True},
    "steps": {"type": "list", "elements": "dict", "options": STEP, "required": True},
    "paths": {"type": "list", "elements": "path", "required": True},
    "revert": {"type": "str", "default": ":"},
    "dump": {"type": "str", "default": ":"},
    "seconds": {"type": "int", "default": 30},
}
SAVED = ("paths", "revert", "dump", "seconds")  # what the host has to know to go back by itself


class ActionModule(ActionBase):
    """Looks first; a host on which nothing would change is asked once for each step and left alone."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        _result, options = self.validate_argument_spec(argument_spec=SPEC)
        self._vars = task_vars or {}
        foreseen = [self._step(step, check=True) for step in options["steps"]]
        failed = next((found for found in foreseen if found.get("failed")), None)
        if failed:
            return failed
        changing = any(found.get("changed") for found in foreseen)
        if not changing or self._task.check_mode:
            return {
                "changed": changing,
                "guarded": False,
                "diff": [diff for found in foreseen for diff in _diffs(found)],
            }
        return self._change(options)

    def _change(self, options):
        until = time.monotonic() + options["seconds"]  # not later than the host's own
        armed = self._guard("armed", options, **{name: options[name] for name in SAVED})
        if armed.get("failed"):
            return armed
        done = []
        for step in options["steps"]:
            if time.monotonic() >= until:
                return self._undone(
                    options, until, f"that the {options['seconds']} s were over before {step['module']}"
                )
            found, lost = self._tried(self._step, step)
            if lost:
                return self._undone(
                    options, until, f"that no new connection came in for {step['module']} ({_one_line(lost)})"
                )
            if found.get("failed"):
                return self._undone(options, until, f"that {step['module']} failed ({_one_line(_reason(found))})")
            done.append(found)
            if found.get("changed"):
                self._reconnect()  # rights and groups of the old connection may not be enough for the next step
        found = self._confirmed(options, until)
        if found:
            why = f"that no new connection confirmed the change within {options['seconds']} s ({_one_line(found)})"
            return self._undone(options, until, why)
        return {"changed": True, "guarded": True, "diff": [diff for step in done for diff in _diffs(step)]}

    def _confirmed(self, options, until):
        """Come in anew and keep the change; gives what stood in the way, or nothing."""
        found = "no connection"
        while time.monotonic() < until:
            self._reconnect()
            answer, lost = self._tried(self._guard, "confirmed", options)
            if not lost and not answer.get("failed"):
                return ""
            found = lost or answer.get("module_stderr") or answer.get("msg") or found
            time.sleep(PAUSE)
        return found

    def _undone(self, options, until, found):
        """Fail, when the old state is back: at once where the host can be reached, by itself where it cannot."""
        end = max(until, time.monotonic()) + GRACE
        back, state = False, ""
        while not back and time.monotonic() < end:
            self._reconnect()
            answer, lost = self._tried(self._guard, "restored", options)
            back = not lost and not answer.get("failed")
            if back:
                state = "The old state is back."
            elif lost:
                state = f"Nobody comes in {GRACE} s after the old state should be back either."
            else:
                state = f"The old state is NOT back ({_one_line(_reason(answer))})."
            if not back:
                time.sleep(PAUSE)
        return {
            "failed": True,
            "changed": False,
            "guarded": True,
            "restored": back,
            "msg": f"{options['name']}: found {found}; expected the change and a way in as before. {state} "
            "Correct what is wrong with it; on a slow host, give more seconds.",
        }

    def _reconnect(self):
        """What comes next comes by a connection of its own, with the groups and rights that hold now."""
        try:
            self._connection.reset()
        except (AnsibleError, OSError, NotImplementedError):  # not every kind can be reset, nor one that is lost
            self._connection.close()  # the next use opens it

    def _tried(self, act, *arguments, **words):
        """What a call gave, and the reason when the host could not be reached."""
        try:
            return act(*arguments, **words), ""
        except AnsibleError as error:
            return {}, str(error)

    def _guard(self, state, options, **words):
        return self._module(GUARD, {"name": options["name"], "state": state, **words}, check=False)

    def _step(self, step, check=False):
        return self._module(step["module"], step["args"], check)

    def _module(self, name, arguments, check):
        kept = self._task.check_mode
        self._task.check_mode = check
        try:
            return self._execute_module(module_name=name, module_args=dict(arguments), task_vars=self._vars)
        finally:
            self._task.check_mode = kept


def _reason(found):
    return found.get("module_stderr") or found.get("msg")


def _one_line(text):
    return " ".join(str(text).split())


def _diffs(found):
    diff = found.get("diff") or []
    return diff if isinstance(diff, list) else [diff]
