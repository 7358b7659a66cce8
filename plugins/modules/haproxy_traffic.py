# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: haproxy_traffic
short_description: Read what clients saw of the servers of a running HAProxy
version_added: 0.1.0
description:
  - Gives HAProxy's own counters of each server of some backends. They count from the start of its process; a reload
    starts another one.
  - HAProxy counts answers with a status of 500 and above (C(hrsp_5xx)), connections that could not be made (C(econ)),
    answers that did not come or were cut (C(eresp)), and retries (C(wretr)), which a client does not see.
    Health checks are not among them.
  - Its times are means of the latest answers, never percentiles. C(rtime) is that of a server's answer in milliseconds.
author:
  - The mainstay.platform authors (@mainstay)
options:
  backends:
    description: Names of the backends.
    type: list
    elements: str
    required: true
  expect_servers:
    description: Servers that must be there, as backend/server.
    type: list
    elements: str
    default: []
  one_up_of:
    description: Lists of servers, as backend/server. Of each at least one must be up.
    type: list
    elements: list
    default: []
  required:
    description: Whether there must be an HAProxy. With V(false) one that does not run counts nothing.
    type: bool
    default: true
  socket:
    description: A socket of the process.
    type: path
    default: /run/haproxy/admin.sock
extends_documentation_fragment:
  - mainstay.platform._reader
attributes:
  platform:
    description: Platforms that the module runs on.
    platforms: posix
    support: full
seealso:
  - module: mainstay.platform.haproxy_server
"""

EXAMPLES = r"""
- name: Read what clients saw of the API
  mainstay.platform.haproxy_traffic:
    backends: [api]
  register: before
"""

RETURN = r"""
servers:
  description: The counters by backend/server, and whether it is up. By backend alone those of all its answers, with
    what HAProxy said in place of a server.
  returned: success
  type: dict
  sample: {api/app1-1: {req_tot: 10342, hrsp_5xx: 1, econ: 0, eresp: 0, wretr: 0, rtime: 12, ttime: 13, up: true}}
evidence:
  description: How many servers are up, in one sentence.
  returned: success
  type: str
  sample: "api: 3 of 3 up"
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._haproxy_client import Missing, Refused, say
from ansible_collections.mainstay.platform.plugins.module_utils._traffic import counters, nobody_left, without_any

ARGUMENTS = {
    "backends": {"type": "list", "elements": "str", "required": True},
    "expect_servers": {"type": "list", "elements": "str", "default": []},
    "one_up_of": {"type": "list", "elements": "list", "default": []},
    "required": {"type": "bool", "default": True},
    "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
}


def read(params):
    try:
        return counters(say(params["socket"], "show stat"), params["backends"])
    except Missing:
        if params["required"]:
            raise
        return {}


def lacks(params, found):
    """What is not as it is expected, one sentence each."""
    unknown = [name for name in params["expect_servers"] if name not in found]
    if unknown:
        yield (
            f"HAProxy at {params['socket']}: found no server {', '.join(unknown)}, expected it in its configuration; "
            "run playbooks/edge.yml first"
        )
    for names in without_any(found, params["one_up_of"]):
        yield nobody_left(names, "the others are changed")


def up_in(backend, found):
    return sum(server["up"] for name, server in found.items() if name.startswith(f"{backend}/"))


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    try:
        found = read(params)
    except Refused as error:
        module.fail_json(msg=str(error))
    missing = list(lacks(params, found))
    if missing:
        module.fail_json(msg="; ".join(missing), servers=found)
    counts = [
        f"{name}: {up_in(name, found)} of {sum(key.startswith(f'{name}/') for key in found)} up"
        for name in params["backends"]
    ]
    module.exit_json(changed=False, servers=found, evidence=", ".join(counts))


if __name__ == "__main__":
    main()
