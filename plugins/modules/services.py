# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This file is longer than others because a service that is not left alone has many ways to be behind.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: services
short_description: Ensure that systemd services run, start with the host, and have read their present files
version_added: 0.1.0
description:
  - Enables and starts services in one call, and restarts or reloads those that are older than one of their files.
  - So a restart is never lost, as that of a handler is when a run is killed between the file and the end of the play.
  - Of a timer, systemd reads the unit that it starts again, too, when that was changed.
author:
  - The mainstay.platform authors (@mainstay)
options:
  services:
    description: The services, in the order in which they are looked after.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the unit.
        type: str
        required: true
      state:
        description:
          - V(started) has it run, now and at boot.
          - V(stopped) has it do neither. A unit that is not there is right then.
        type: str
        choices: [started, stopped]
        default: started
      files:
        description:
          - Files that the service reads, with its certificates and its unit. One that is missing counts for nothing.
          - A file counts from its last change of content, owner or mode.
        type: list
        elements: path
        default: []
      only_with:
        description: Files. When none of them is there, the service is left as it is, whatever O(services[].state) says.
        type: list
        elements: path
        default: []
      refresh:
        description:
          - What a running service gets, in this order, when a file is younger than its start.
          - With V(reload) alone the last reload that succeeded counts as its start. It is never restarted.
        type: list
        elements: str
        choices: [reload, restart]
        default: [restart]
      reloaded:
        description:
          - Command that succeeds when the service has taken in a reload, for one whose reload does not wait for that.
          - Asked once a second for up to O(deadline), before the restart that follows in O(services[].refresh).
        type: list
        elements: str
        default: []
      no_block:
        description: Do not wait until the service runs, as for a member that is complete only when others run too.
        type: bool
        default: false
  deadline:
    description: Seconds that O(services[].reloaded) has until it succeeds.
    type: float
    default: 30
  mode:
    description:
      - V(apply) does what is needed.
      - V(check) only says it, for a gate.
    type: str
    choices: [apply, check]
    default: apply
extends_documentation_fragment:
  - mainstay.platform._changer
"""

EXAMPLES = r"""
- name: Ensure that the exporter runs as it is configured
  mainstay.platform.services:
    services:
      - name: prometheus-node-exporter
        files: [/etc/default/prometheus-node-exporter]

- name: Ensure that Patroni has read its settings, and never restart it
  mainstay.platform.services:
    services:
      - name: patroni.service
        files: [/etc/patroni/config.yml]
        refresh: [reload]

- name: Ensure that nobody listens who is not asked
  mainstay.platform.services:
    services:
      - name: rpcbind.service
        state: stopped
"""

RETURN = r"""
actions:
  description: What was done, or would be, per service that needed something.
  returned: always
  type: dict
  sample: {prometheus-node-exporter: [restart]}
evidence:
  description: The same as one line.
  returned: always
  type: str
  sample: "prometheus-node-exporter: restart"
"""

import glob
import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._systemd import (
    PROPERTIES,
    drop_in_directories,
    needed,
    parse_show,
    unread,
)

PAUSE = 1  # seconds between two tries

SERVICE = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
    "files": {"type": "list", "elements": "path", "default": []},
    "only_with": {"type": "list", "elements": "path", "default": []},
    "refresh": {"type": "list", "elements": "str", "choices": ["reload", "restart"], "default": ["restart"]},
    "reloaded": {"type": "list", "elements": "str", "default": []},
    "no_block": {"type": "bool", "default": False},
}


def newest(paths):
    """When the newest of the files that exist was changed: a file put back with its old date counts too."""
    return max((os.stat(path).st_ctime for path in paths if os.path.exists(path)), default=0.0)


def drop_ins(name, root="/etc/systemd/system"):
    """What adds to a unit, of the files that an administrator or a role wrote; of equal names the closest one."""
    found = {}
    for directory in drop_in_directories(name):
        for path in glob.glob(f"{root}/{directory}/*.conf"):
            found.setdefault(os.path.basename(path), path)
    return sorted(found.values())


def act(module, service, action):
    """One systemctl call."""
    arguments = [action] if action == "daemon-reload" else [action, service["name"]]
    if service["no_block"] and action in ("start", "restart"):
        arguments.insert(0, "--no-block")
    code, _out, error = module.run_command(["systemctl", *arguments])
    if code:
        found = error.strip()
        module.fail_json(
            msg=f"service {service['name']}: found that 'systemctl {action}' failed ({found}); expected it to succeed; "
            f"see journalctl -u {service['name']}"
        )
    if action == "reload" and service["reloaded"]:
        wait_until_reloaded(module, service)


def wait_until_reloaded(module, service, clock=time.monotonic, sleep=time.sleep):
    """Return when the service has taken in a reload."""
    end = clock() + module.params["deadline"]
    while True:
        code, out, error = module.run_command(service["reloaded"])
        if not code:
            return
        if clock() + PAUSE > end:
            module.fail_json(
                msg=f"service {service['name']}: found that '{' '.join(service['reloaded'])}' still fails "
                f"{module.params['deadline']:g} s after a reload ({(error or out).strip()}); expected it to succeed; "
                f"see journalctl -u {service['name']}"
            )
        sleep(PAUSE)


def show(module, name):
    """What systemd knows of a unit."""
    _code, out, _error = module.run_command(
        ["systemctl", "show", "--timestamp=us+utc", "-p", ",".join(PROPERTIES), name]
    )
    return parse_show(out)


def look_after(module, service, may_change):
    """What one service needs, done when it may be."""
    if service["only_with"] and not any(map(os.path.exists, service["only_with"])):
        return []
    shown = show(module, service["name"])
    if shown.get("LoadState") != "loaded":
        if service["state"] == "stopped":
            return []
        if may_change:
            found = shown.get("LoadState") or "nothing"
            module.fail_json(
                msg=f"service {service['name']}: found {found}; expected a unit of that name; install its package"
            )
    # Nobody looks after what a timer starts: it does not run in between.
    units = {service["name"]: shown} | {name: show(module, name) for name in shown.get("Triggers", "").split()}
    outdated = any(unread(each, drop_ins(name)) for name, each in units.items())
    actions = needed(shown, service, newest(service["files"]), outdated)
    for action in actions if may_change else []:
        act(module, service, action)
    return actions


def main():
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "list", "elements": "dict", "options": SERVICE, "required": True},
            "deadline": {"type": "float", "default": 30},
            "mode": {"type": "str", "choices": ["apply", "check"], "default": "apply"},
        },
        supports_check_mode=True,
    )
    only_asked = module.params["mode"] == "check"
    may_change = not module.check_mode and not only_asked
    found = {item["name"]: look_after(module, item, may_change) for item in module.params["services"]}
    actions = {name: steps for name, steps in found.items() if steps}
    said = "; ".join(f"{name}: {', '.join(steps)}" for name, steps in actions.items())
    module.exit_json(
        changed=bool(actions) and not only_asked,
        actions=actions,
        evidence=said or f"{', '.join(found)}: as written, now and at boot",
    )


if __name__ == "__main__":
    main()
