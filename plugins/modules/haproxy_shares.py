# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: haproxy_shares
short_description: Decide which servers of a running HAProxy get which part of the sessions, all at once
version_added: 0.1.0
description:
  - Tells HAProxy over its socket the weights and states of several servers in one message, so that no moment lies
    in between.
  - What a server has already is not said again. Nothing is written to the configuration; a reload keeps it where the
    state of servers is kept, a start does not.
author:
  - The mainstay.platform authors (@mainstay)
options:
  servers:
    description: The servers.
    type: list
    elements: dict
    required: true
    suboptions:
      backend:
        description: Name of the backend.
        type: str
        required: true
      server:
        description: Name of the server in the backend.
        type: str
        required: true
      weight:
        description: Part of new sessions in comparison to the other servers, from 0 for none to 256.
        type: int
      state:
        description: As in M(mainstay.platform.haproxy_server).
        type: str
        choices: [ready, drain, maint]
  required:
    description: Whether there must be an HAProxy that knows the servers. With V(false) others are passed over.
    type: bool
    default: true
  socket:
    description: A socket of level admin of the process.
    type: path
    default: /run/haproxy/admin.sock
extends_documentation_fragment:
  - mainstay.platform._changer
seealso:
  - module: mainstay.platform.haproxy_server
"""

EXAMPLES = r"""
- name: Ensure that one in twenty requests goes to the new release
  mainstay.platform.haproxy_shares:
    servers:
      - {backend: api, server: app1, weight: 5}
      - {backend: api, server: app2, weight: 95}
"""

RETURN = r"""
commands:
  description: What was told, or would be.
  returned: success
  type: list
  elements: str
  sample: [set server api/app1 weight 5, set server api/app2 weight 95]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._haproxy import share_commands, shares
from ansible_collections.mainstay.platform.plugins.module_utils._haproxy_client import Missing, Refused, say, tell

SERVER = {
    "backend": {"type": "str", "required": True},
    "server": {"type": "str", "required": True},
    "weight": {"type": "int"},
    "state": {"type": "str", "choices": ["ready", "drain", "maint"]},
}


def plan(params):
    """The commands that one HAProxy still needs."""
    try:
        found = shares(say(params["socket"], "show servers state"))
    except Missing:
        if params["required"]:
            raise
        return []
    unknown = [
        f"{item['backend']}/{item['server']}"
        for item in params["servers"]
        if (item["backend"], item["server"]) not in found
    ]
    if unknown and params["required"]:
        raise Missing(
            f"HAProxy at {params['socket']}: found no server {', '.join(unknown)}; expected it among "
            "`show servers state`; correct the name, or run playbooks/edge.yml first"
        )
    return share_commands(found, params["servers"])


def main():
    module = AnsibleModule(
        argument_spec={
            "servers": {"type": "list", "elements": "dict", "options": SERVER, "required": True},
            "required": {"type": "bool", "default": True},
            "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
        },
        supports_check_mode=True,
    )
    try:
        given = plan(module.params)
        if given and not module.check_mode:
            tell(module.params["socket"], "; ".join(given))
    except Refused as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(given), commands=given)


if __name__ == "__main__":
    main()
