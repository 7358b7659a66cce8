# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: redis_topology
short_description: Find out who is the Redis master, from the Sentinels and the servers themselves
version_added: 0.1.0
description:
  - Asks every Sentinel and every server of a group who is master, and decides by the majority of the Sentinels,
    checked against the server's own role.
  - A role asks it before it writes a configuration, so that a run never undoes a failover.
  - When no Sentinel was told yet, a single server in use is the master; when no server holds data either, the group
    is fresh.
  - Fails with the reason when the answers contradict each other or a needed one is missing, unless O(refuse=false).
author:
  - The mainstay.platform authors (@mainstay)
options:
  recorded:
    description:
      - Masters that configuration files of the Sentinels on the hosts name, as C(address:port).
      - They decide when no Sentinel answers, as after a power cut of all hosts.
    type: list
    elements: str
    default: []
  deadline:
    description: Seconds to wait for an answer that decides. With V(0) everybody is asked once.
    type: float
    default: 0
  refuse:
    description: Fail when the master cannot be decided. With V(false) the task succeeds with RV(state=undecided).
    type: bool
    default: true
extends_documentation_fragment:
  - mainstay.platform._reader
  - mainstay.platform._redis
  - mainstay.platform._redis.connection
  - mainstay.platform._redis.group
seealso:
  - module: mainstay.platform.redis_replica_check
"""

EXAMPLES = r"""
- name: Read who is master
  mainstay.platform.redis_topology:
    name: sessions
    servers: [192.0.2.21:6379, 192.0.2.22:6379, 192.0.2.23:6379]
    sentinels: [192.0.2.21:26379, 192.0.2.22:26379, 192.0.2.23:26379]
    user: ops
    password: "{{ redis_ops_password }}"
    tls: true
    ca_path: /etc/mainstay/tls/ca.crt
    deadline: 30
  register: __redis_topology
  run_once: true
"""

RETURN = r"""
state:
  description:
    - V(known) when one server is the master, V(fresh) when there is neither data nor a Sentinel,
      V(undecided) otherwise.
  returned: always
  type: str
  sample: known
fresh:
  description: Whether RV(state) is V(fresh), so that any server may become the first master.
  returned: always
  type: bool
  sample: false
master:
  description: The master as C(address:port), empty when there is none.
  returned: always
  type: str
  sample: 192.0.2.22:6379
master_address:
  description: The address in RV(master).
  returned: always
  type: str
  sample: 192.0.2.22
source:
  description: Who decided - V(sentinels), V(record) or V(servers).
  returned: always
  type: str
  sample: sentinels
reason:
  description: Why the state is what it is.
  returned: always
  type: str
  sample: 2 of 3 Sentinels name 192.0.2.22:6379, which says it is master
servers:
  description: What each server answered - RV(ignore:reachable), RV(ignore:role), RV(ignore:master), RV(ignore:keys),
    RV(ignore:link), RV(ignore:replicas).
  returned: always
  type: list
  elements: dict
sentinels:
  description: What each Sentinel answered - RV(ignore:reachable), RV(ignore:master), RV(ignore:flags),
    RV(ignore:quorum).
  returned: always
  type: list
  elements: dict
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._endpoint import split_endpoint
from ansible_collections.mainstay.platform.plugins.module_utils._redis_argspec import GROUP, REQUIRED_TOGETHER
from ansible_collections.mainstay.platform.plugins.module_utils._redis_reader import read_group
from ansible_collections.mainstay.platform.plugins.module_utils._redis_topology import FRESH, UNDECIDED, decide


def ask(params):
    """One round: everybody's answer and the verdict."""
    servers, sentinels = read_group(params)
    return dict(decide(servers, sentinels, params["recorded"]), servers=servers, sentinels=sentinels)


def ask_until(params, sleep=time.sleep, clock=time.monotonic):
    """Rounds until one decides or the deadline is over."""
    end = clock() + params["deadline"]
    while True:
        found = ask(params)
        if found["state"] != UNDECIDED or clock() + 1 > end:
            return found
        sleep(1)


def main():
    module = AnsibleModule(
        argument_spec=dict(
            GROUP,
            recorded={"type": "list", "elements": "str", "default": []},
            deadline={"type": "float", "default": 0},
            refuse={"type": "bool", "default": True},
        ),
        required_together=REQUIRED_TOGETHER,
        supports_check_mode=True,
    )
    try:
        found = ask_until(module.params)
    except ValueError as error:
        module.fail_json(msg=str(error))
    found["fresh"] = found["state"] == FRESH
    found["master_address"] = split_endpoint(found["master"])[0] if found["master"] else ""
    if found["state"] == UNDECIDED and module.params["refuse"]:
        module.fail_json(
            msg=(
                f"Redis group {module.params['name']}: {found['reason']}; expected one master that the "
                "Sentinels' majority "
                "and the server agree on; see servers and sentinels in this result, and run again when the "
                "group has settled"
            ),
            **found,
        )
    module.exit_json(changed=False, evidence=found["reason"], **found)


if __name__ == "__main__":
    main()
