# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: services
short_description: Ensure that systemd services run, start with the host, and have read their present files
version_added: 0.1.0
description:
  - Enables and starts services in one call, and restarts those that started before one of their files was written.
  - So a restart is never lost, as that of a handler is when a run is killed between the file and the end of the play.
author:
  - The mainstay.platform authors (@mainstay)
options:
  services:
    description: The services.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the unit.
        type: str
        required: true
      files:
        description: Files that the service reads at its start. One that is missing counts for nothing.
        type: list
        elements: path
        default: []
attributes:
  check_mode:
    description: Can run in check mode and say what would change.
    support: full
  diff_mode:
    description: Shows what it would change.
    support: none
"""

EXAMPLES = r"""
- name: Ensure that the exporter runs as it is configured
  mainstay.platform.services:
    services:
      - name: prometheus-node-exporter
        files: [/etc/default/prometheus-node-exporter]
"""

RETURN = r"""
actions:
  description: What was done, or would be, per service.
  returned: always
  type: dict
  sample: {prometheus-node-exporter: [restart]}
"""

import os
from datetime import datetime, timezone

from ansible.module_utils.basic import AnsibleModule

PROPERTIES = ("LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload", "ActiveEnterTimestamp", "FragmentPath")


def parse_show(text):
    """The answer of systemctl show as a dict."""
    return dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line)


def started_at(text):
    """Seconds since the epoch of "Sat 2026-11-21 10:00:00.123456 UTC"; 0 when the unit never started."""
    if not text or text == "n/a":
        return 0.0
    return datetime.strptime(text, "%a %Y-%m-%d %H:%M:%S.%f UTC").replace(tzinfo=timezone.utc).timestamp()


def needed(shown, written):
    """What a service needs, in order. `written` is when the newest of its files was."""
    actions = []
    if shown.get("NeedDaemonReload") == "yes":
        actions.append("daemon-reload")
    if shown.get("UnitFileState") not in ("enabled", "static", "generated", "alias"):
        actions.append("enable")
    if shown.get("ActiveState") not in ("active", "reloading"):
        actions.append("start")
    elif written > started_at(shown.get("ActiveEnterTimestamp", "")):
        actions.append("restart")
    return actions


def newest(paths):
    """When the newest of the files that exist was written."""
    return max((os.stat(path).st_mtime for path in paths if os.path.exists(path)), default=0.0)


def act(module, name, action):
    """One systemctl call."""
    arguments = ["systemctl", action] + ([] if action == "daemon-reload" else [name])
    code, _out, error = module.run_command(arguments)
    if code:
        found = error.strip()
        module.fail_json(
            msg=f"service {name}: found that 'systemctl {action}' failed ({found}); expected it to run; "
            f"see journalctl -u {name}"
        )


def main():
    service = {"name": {"type": "str", "required": True}, "files": {"type": "list", "elements": "path", "default": []}}
    module = AnsibleModule(
        argument_spec={"services": {"type": "list", "elements": "dict", "options": service, "required": True}},
        supports_check_mode=True,
    )
    done = {}
    for item in module.params["services"]:
        _code, out, _error = module.run_command(
            ["systemctl", "show", "--timestamp=us+utc", "-p", ",".join(PROPERTIES), item["name"]]
        )
        shown = parse_show(out)
        if shown.get("LoadState") != "loaded" and not module.check_mode:
            found = shown.get("LoadState") or "nothing"
            module.fail_json(
                msg=f"service {item['name']}: found {found}; expected a unit of that name; install its package"
            )
        actions = needed(shown, newest(item["files"]))
        for action in [] if module.check_mode else actions:
            act(module, item["name"], action)
        if actions:
            done[item["name"]] = actions
    module.exit_json(changed=bool(done), actions=done)


if __name__ == "__main__":
    main()
