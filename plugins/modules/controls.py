#!/usr/bin/python
# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: controls
short_description: Ask whether the controls of a host hold, and bring about those that do not
version_added: 0.1.0
description:
  - Puts the question of every control to the host in one call, because a run costs tasks times hosts.
  - A control that needs what the host does not have is not applicable. It is neither asked nor counted as held.
  - With O(mode=apply) a control that does not hold and has a fix is fixed, and asked again. One that holds is left
    alone, so a second run changes nothing.
author:
  - The mainstay.platform authors (@mainstay)
options:
  controls:
    description: The controls, in the order in which they are brought about.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: Its name.
        type: str
        required: true
      needs:
        description: Names of O(needs) without which it cannot be had.
        type: list
        elements: str
        default: []
      ask:
        description: Commands of C(sh) that end with status 0 when it holds, and print what was found. They only read.
        type: str
        required: true
      fix:
        description: Commands of C(sh) that bring it about. They may be run again.
        type: str
  needs:
    description:
      - What a host may lack, by name. C(ask) is a command of C(sh) with status 0 when the host has it,
        C(reason) a sentence.
    type: dict
    default: {}
  helpers:
    description: Functions of C(sh) that every question and every fix may use.
    type: str
    default: ''
  mode:
    description:
      - V(apply) fixes what does not hold, of those that have a fix. The others are not asked.
      - V(check) only asks, for a gate. A control that does not hold does not fail the module.
    type: str
    choices: [apply, check]
    default: apply
  deadline:
    description: Seconds for which controls that do not hold are asked again, with O(mode=check).
    type: float
    default: 0
extends_documentation_fragment:
  - mainstay.platform._changer
"""

EXAMPLES = r"""
- name: Ensure that only root plans jobs
  mainstay.platform.controls:
    controls:
      - id: cron-restricted
        ask: test "$(cat /etc/cron.allow)" = root
        fix: echo root >/etc/cron.allow

- name: Ask whether the kernel keeps a record
  mainstay.platform.controls:
    mode: check
    needs:
      kernel-audit:
        ask: auditctl -s
        reason: the kernel's audit is that of the machine
    controls:
      - id: audit-rules
        needs: [kernel-audit]
        ask: auditctl -l | grep identity
"""

RETURN = r"""
answers:
  description: By id, the verdict V(held), V(broken) or V(not applicable), and what was found or the reason.
  returned: with O(mode=check)
  type: dict
  sample: {cron-restricted: {verdict: held, found: "yes"}}
fixed:
  description: Names of the controls that were fixed, or would be in check mode.
  returned: with O(mode=apply)
  type: list
  elements: str
  sample: [cron-restricted]
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._controls import (
    Asker,
    ask_all,
    bring_about,
    problems,
)

CONTROL = {
    "id": {"type": "str", "required": True},
    "needs": {"type": "list", "elements": "str", "default": []},
    "ask": {"type": "str", "required": True},
    "fix": {"type": "str"},
}
SPEC = {
    "controls": {"type": "list", "elements": "dict", "required": True, "options": CONTROL},
    "needs": {"type": "dict", "default": {}},
    "helpers": {"type": "str", "default": ""},
    "mode": {"type": "str", "choices": ["apply", "check"], "default": "apply"},
    "deadline": {"type": "float", "default": 0},
}


def runner(module):
    """Runs a script with the helpers before it; what it says on both streams is its output."""

    def run(script):
        status, out, err = module.run_command(["sh"], data=f"{module.params['helpers']}\n{script}\n")
        return status, out + err

    return run


def main():
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    controls, needs = module.params["controls"], module.params["needs"]
    wrong = problems(controls, needs)
    if wrong:
        module.fail_json(
            msg=f"controls: found {'; '.join(wrong)}; expected each id once and every need explained; "
            "correct the list of controls"
        )
    asker = Asker(runner(module), needs)
    if module.params["mode"] == "check":
        module.exit_json(answers=ask_all(asker, controls, module.params["deadline"], time.monotonic, time.sleep))
    fixed, failed = bring_about(asker, controls, not module.check_mode)
    if failed:
        said = "; ".join(f"{name}: {why}" for name, why in failed.items())
        module.fail_json(
            msg=f"controls: found {said}; expected these to hold after their fix; read what the fix said, or leave "
            "the control out",
            fixed=fixed,
        )
    module.exit_json(changed=bool(fixed), fixed=fixed)


if __name__ == "__main__":
    main()
