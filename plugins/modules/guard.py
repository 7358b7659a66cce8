#!/usr/bin/python
# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: guard
short_description: A dead man's switch for changes that could close the way in
version_added: 0.1.0
description:
  - Saves files before a change, and has them return by themselves unless somebody confirms in time.
  - The action M(mainstay.platform.guarded) uses it. A role has no reason to call it directly.
  - The switch is a timer of systemd on the host, which needs no connection.
    It does not outlive a reboot; the change stays then.
author:
  - The mainstay.platform authors (@mainstay)
options:
  name:
    description: Name of the switch. Two runs cannot use one at the same time.
    type: str
    required: true
  state:
    description:
      - V(armed) saves and starts the time.
      - V(confirmed) keeps the change, and fails when the old state has returned.
      - V(restored) has the old state return at once, also over what was written after it returned by itself.
        Fails when it does not come back whole, or when there is none.
    type: str
    choices: [armed, confirmed, restored]
    required: true
  paths:
    description: Files and directories to save. What is new in a directory goes when the old state returns.
    type: list
    elements: path
    default: []
  revert:
    description: Commands of C(sh) that bring the old files, and what was dumped, into force.
    type: str
    default: ':'
  dump:
    description:
      - Commands of C(sh) that print what is to return and is no file, such as rules of the kernel.
      - O(revert) finds what they printed in the file that its variable C(dumped) names.
    type: str
    default: ':'
  seconds:
    description: Time to confirm in.
    type: int
    default: 30
attributes:
  check_mode:
    description: Is not run in check mode.
    support: none
  diff_mode:
    description: Shows nothing.
    support: none
"""

EXAMPLES = r"""
- name: Have the settings of ssh return in half a minute
  mainstay.platform.guard:
    name: ssh
    state: armed
    paths: [/etc/ssh]
    revert: systemctl restart ssh.service
    seconds: 30

- name: Keep the new ones
  mainstay.platform.guard:
    name: ssh
    state: confirmed
"""

RETURN = r"""
unit:
  description: Name of the timer without its suffix.
  returned: always
  type: str
  sample: mainstay-guard-ssh
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._guard import Guard

SPEC = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["armed", "confirmed", "restored"], "required": True},
    "paths": {"type": "list", "elements": "path", "default": []},
    "revert": {"type": "str", "default": ":"},
    "dump": {"type": "str", "default": ":"},
    "seconds": {"type": "int", "default": 30},
}


def main():
    module = AnsibleModule(argument_spec=SPEC)
    asked = module.params
    guard = Guard(module.run_command, asked["name"])
    if asked["state"] == "armed":
        wrong = guard.arm(asked["paths"], asked["revert"], asked["seconds"], asked["dump"])
        if wrong:
            module.fail_json(
                msg=f"guard {guard.name}: found {wrong}; expected a timer that holds the old state; nothing was changed"
            )
    elif asked["state"] == "restored":
        wrong = guard.restore()
        if wrong:
            module.fail_json(
                msg=f"guard {guard.name}: found {wrong}; expected the old state to return from {guard.folder}; "
                "correct what is wrong and try again, or unpack the archive there over /"
            )
    elif not guard.confirm():
        module.fail_json(
            msg=f"guard {guard.name}: found that the old state has returned; expected a confirmation before "
            f"{guard.unit}.timer ended; see why no connection came in, or give it more seconds"
        )
    module.exit_json(changed=True, unit=guard.unit)


if __name__ == "__main__":
    main()
