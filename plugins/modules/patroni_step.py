# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: patroni_step
short_description: Say which member of a Patroni cluster restarts next, so that settings come to hold
version_added: 0.1.0
description:
  - Asks every member whether it waits for a restart, and gives the next step of a rolling restart. It changes nothing.
  - Replicas come first. Then the primary hands its role to a replica that has restarted, a synchronous one where
    commits wait for one, and restarts as a replica. Where no replica can take over, the primary restarts in its place.
  - A member that waits for nothing is never named.
author:
  - The mainstay.platform authors (@mainstay)
options:
  synchronous:
    description: Whether only a synchronous replica may take over.
    type: bool
    default: true
  done:
    description: Members that have restarted already, as the step before returned them.
    type: list
    elements: str
    default: []
  settle:
    description: Wait first until every member has gone twice through its loop, because settings were just written.
    type: bool
    default: false
  deadline:
    description: Seconds in which the members must answer and have settled.
    type: float
    default: 60
extends_documentation_fragment:
  - mainstay.platform._patroni
  - mainstay.platform._patroni.members
  - mainstay.platform._reader
seealso:
  - module: mainstay.platform.postgres_replica_check
"""

EXAMPLES = r"""
- name: Read who restarts next
  mainstay.platform.patroni_step:
    patroni_urls: [https://192.0.2.11:8008, https://192.0.2.12:8008]
    ca_path: /etc/mainstay/tls/ca.crt
  register: next_step
"""

RETURN = r"""
action:
  description: The next step. V(none) when no member waits for a restart.
  returned: success
  type: str
  sample: switchover
member:
  description: Name of the member that restarts, or that hands over its role.
  returned: success
  type: str
  sample: db1
candidate:
  description: Name of the member that takes over.
  returned: success
  type: str
  sample: db2
leader:
  description: Name of the primary as it is now, before the step.
  returned: success
  type: str
  sample: db1
url:
  description: Address of Patroni's REST interface on RV(member).
  returned: success
  type: str
  sample: https://192.0.2.11:8008
done:
  description: Members that have restarted when the step is done; O(done) of the next question.
  returned: success
  type: list
  elements: str
  sample: [db2, db3]
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._patroni_client import get_json
from ansible_collections.mainstay.platform.plugins.module_utils._patroni_roll import LEADER, next_step

PAUSE = 0.5  # seconds between two looks
LOOPS = 2  # the first may have begun before the settings were written


class Silent(Exception):
    """A member that gives no answer."""


def ask(url, path, params, get):
    found, error = get(url.rstrip("/") + path, params)
    if error:
        raise Silent(f"Patroni at {url}: found {error}; expected an answer; start patroni there or open its port")
    return found


def settled(params, get, clock, sleep):
    """Wait until each member has seen the consensus store twice more."""
    end = clock() + params["deadline"]
    seen = {url: set() for url in params["patroni_urls"]}
    while True:
        for url, moments in seen.items():
            moments.add(ask(url, "/patroni", params, get).get("dcs_last_seen"))
        waiting = [url for url, moments in seen.items() if len(moments) <= LOOPS]
        if not waiting:
            return
        if clock() > end:
            raise Silent(
                f"Patroni at {waiting[0]}: found it still at the same loop after {params['deadline']:g} s; expected "
                "it to look at the consensus store; read its journal"
            )
        sleep(PAUSE)


def members_of(params, get):
    """Name, role, address and whether a restart is waited for, of every member."""
    cluster = ask(params["patroni_urls"][0], "/cluster", params, get)["members"]
    roles = {item["name"]: item["role"] for item in cluster}
    found = []
    for url in params["patroni_urls"]:
        own = ask(url, "/patroni", params, get)
        name = own["patroni"].get("name") or next(
            item["name"] for item in cluster if item.get("api_url", "").startswith(url.rstrip("/"))
        )
        pending = bool(own.get("pending_restart"))
        found.append({"name": name, "role": roles.get(name, ""), "pending": pending, "url": url})
    return found


def decide(params, get=get_json, clock=time.monotonic, sleep=time.sleep):
    if params["settle"]:
        settled(params, get, clock, sleep)
    members = members_of(params, get)
    found = next_step(members, params["done"], params["synchronous"])
    leader = next((item["name"] for item in members if item["role"] == LEADER), "")
    return {
        **found,
        "leader": leader,
        "url": next((item["url"] for item in members if item["name"] == found["member"]), ""),
    }


def main():
    module = AnsibleModule(
        argument_spec={
            "patroni_urls": {"type": "list", "elements": "str", "required": True},
            "synchronous": {"type": "bool", "default": True},
            "done": {"type": "list", "elements": "str", "default": []},
            "settle": {"type": "bool", "default": False},
            "ca_path": {"type": "path"},
            "timeout": {"type": "float", "default": 5},
            "deadline": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **decide(module.params))
    except (Silent, ValueError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
