# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: haproxy_admission
short_description: Decide which part of its clients a running HAProxy admits, from all to none
version_added: 0.1.0
description:
  - Tells HAProxy over its socket, and its file first, so that a reload or a start in between begins with the same.
  - Nothing is reloaded, and requests that are under way go on. What is said already is not said again.
  - Which client is among the part is for the configuration to decide, by the number that it looks up in the map.
author:
  - The mainstay.platform authors (@mainstay)
options:
  percent:
    description: Percent of the clients that are admitted, from 0 to 100. Without it both are only read.
    type: int
  backends:
    description: Backends whose requests must have ended, O(deadline) seconds after this at the latest.
    type: list
    elements: str
    default: []
  deadline:
    description: Seconds that requests may take to end.
    type: float
    default: 60
  map:
    description: The file of the map, by the name that the configuration has for it. Its line C(clients) is the number.
    type: path
    default: /etc/haproxy/admitted.map
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
- name: Ensure that nobody is admitted, and that nothing is under way
  mainstay.platform.haproxy_admission:
    percent: 0
    backends: [api, web]

- name: Read who is admitted
  mainstay.platform.haproxy_admission:
"""

RETURN = r"""
percent:
  description: What the process admits now, or would.
  returned: success
  type: int
  sample: 0
before:
  description: What the process admitted.
  returned: success
  type: int
  sample: 100
kept:
  description: What the file said, which holds from the next reload on.
  returned: success
  type: int
  sample: 100
evidence:
  description: The outcome in one sentence.
  returned: success
  type: str
  sample: 0 % of the clients are admitted
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._haproxy import admitted, under_way
from ansible_collections.mainstay.platform.plugins.module_utils._haproxy_client import Refused, say, tell

PAUSE = 0.2  # seconds between two looks


def told(params):
    """What the process has."""
    answer = say(params["socket"], f"show map {params['map']}")
    found = admitted(" ".join(line.split()[1:]) for line in answer.splitlines())
    if found is None:
        raise Refused(
            f"HAProxy at {params['socket']}: found {answer.strip()!r} in the map {params['map']}, expected a line "
            "'clients NUMBER' from 0 to 100; run playbooks/edge.yml first"
        )
    return found


def kept(params):
    """What the file has."""
    try:
        with open(params["map"], encoding="utf-8") as file:
            return admitted(file)
    except FileNotFoundError:
        return None


def write(module, params):
    new = f"{params['map']}.new"
    with open(new, "w", encoding="utf-8") as file:
        file.write(f"clients {params['percent']}\n")
    os.chmod(new, 0o644)
    module.atomic_move(new, params["map"])


def admit(params):
    tell(params["socket"], f"set map {params['map']} clients {params['percent']}")
    found = told(params)
    if found != params["percent"]:
        raise Refused(
            f"HAProxy at {params['socket']}: found {found} % in the map {params['map']} after it was told, expected "
            f"{params['percent']} %; say it again, for somebody else may have told it otherwise"
        )


def wait(params, clock=time.monotonic, sleep=time.sleep):
    end = clock() + params["deadline"]
    while left := under_way(say(params["socket"], "show stat"), params["backends"]):
        if clock() > end:
            raise Refused(
                f"HAProxy at {params['socket']}: found {left} after {params['deadline']:g} s, expected no request "
                "under way; no client comes any more, so say it again, or look at `show sess` for who still asks"
            )
        sleep(PAUSE)


def act(module, params):
    before, there = told(params), kept(params)
    wanted = before if params["percent"] is None else params["percent"]
    changed = params["percent"] is not None and (before, there) != (wanted, wanted)
    if not module.check_mode:
        if changed:
            write(module, params)
            admit(params)
        wait(params)
    said = f"{wanted} % of the clients are admitted"
    if params["percent"] is None and there != before:
        said = f"the process admits {before} % of the clients, and the file says {there}"
    return {"changed": changed, "percent": wanted, "before": before, "kept": there, "evidence": said}


def main():
    module = AnsibleModule(
        argument_spec={
            "percent": {"type": "int"},
            "backends": {"type": "list", "elements": "str", "default": []},
            "deadline": {"type": "float", "default": 60},
            "map": {"type": "path", "default": "/etc/haproxy/admitted.map"},
            "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
        },
        supports_check_mode=True,
    )
    percent = module.params["percent"]
    if percent is not None and not 0 <= percent <= 100:
        module.fail_json(msg=f"percent: found {percent}, expected 0 to 100; nothing has changed")
    try:
        result = act(module, module.params)
    except (Refused, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
