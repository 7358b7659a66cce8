# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: redis_cluster_failover
short_description: Move the role of a master of a Redis cluster away from a server, in peace
version_added: 0.1.0
description:
  - When the given server is a master with slots, the replica of it that has most is told to take over
    (C(CLUSTER FAILOVER)). The master stops taking writes until that one has all of them, so none is lost.
  - Waits until all nodes agree on the new master and the old one follows it.
  - Does nothing when the server has no slots. Fails when the cluster is not whole, or nobody follows the server.
author:
  - The mainstay.platform authors (@mainstay)
options:
  server:
    description: The server that shall not be a master, as C(address:port). It must be one of O(members).
    type: str
    required: true
  deadline:
    description: Seconds until another server must be the master.
    type: float
    default: 60
extends_documentation_fragment:
  - mainstay.platform._changer
  - mainstay.platform._redis
  - mainstay.platform._redis.cluster
seealso:
  - module: mainstay.platform.redis_cluster
"""

EXAMPLES = r"""
- name: Ensure that this server is a replica before it restarts
  mainstay.platform.redis_cluster_failover:
    server: 192.0.2.21:6379
    members: [192.0.2.21:6379, 192.0.2.22:6379, 192.0.2.23:6379, 192.0.2.24:6379, 192.0.2.25:6379, 192.0.2.26:6379]
    user: ops
    password: "{{ redis_ops_password }}"
    tls: true
    ca_path: /etc/mainstay/tls/ca.crt
"""

RETURN = r"""
master:
  description: The master of the server's slots afterwards, as C(address:port). Empty when it had none.
  returned: always
  type: str
  sample: 192.0.2.24:6379
seconds:
  description: How long it took until all nodes agreed.
  returned: when the role moved
  type: float
  sample: 1.2
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._redis_argspec import CLUSTER, REQUIRED_TOGETHER
from ansible_collections.mainstay.platform.plugins.module_utils._redis_client import RedisError
from ansible_collections.mainstay.platform.plugins.module_utils._redis_cluster_client import look_until, tell


def successor(rows, server):
    """The replica of a server that has read most of what it wrote."""
    # Whoever leaves may be lost already.
    found = [row for row in rows if row["reachable"] and row["role"] == "replica" and row["master"] == server]
    if not found:
        raise ValueError(f"master {server}: found nobody that follows it; expected a replica that can take over")
    return max(found, key=lambda row: row["offset"])["server"]


def move(params, rows):
    """Have the role moved and wait for it; (new master, seconds)."""
    started, new = time.monotonic(), successor(rows, params["server"])

    def again(_rows, found, problems):
        if not problems and not found["nodes"][new]["slots"]:
            tell(params, new, "CLUSTER", "FAILOVER")

    def moved(_rows, found, problems):
        return not problems and found["nodes"][new]["slots"] and found["nodes"][params["server"]]["master"] == new

    tell(params, new, "CLUSTER", "FAILOVER")
    rows, found, problems = look_until(params, moved, again=again)
    if not moved(rows, found, problems):
        why = "; ".join(problems) or f"{new} has not taken over"
        raise ValueError(
            f"master {params['server']}: found it not replaced after {params['deadline']:g} s ({why}); expected {new} "
            "in its place; look at the log there"
        )
    return new, round(time.monotonic() - started, 2)


def main():
    module = AnsibleModule(
        argument_spec=dict(
            CLUSTER,
            server={"type": "str", "required": True},
            deadline={"type": "float", "default": 60},
        ),
        required_together=REQUIRED_TOGETHER,
        supports_check_mode=True,
    )
    params = module.params
    try:
        rows, found, problems = look_until(params, lambda _rows, _found, problems: not problems)
        if problems:
            raise ValueError("; ".join(problems))
        node = found["nodes"][params["server"]]
        if not node["slots"]:
            module.exit_json(changed=False, master=node["master"])
        if module.check_mode:
            module.exit_json(changed=True, master=successor(rows, params["server"]))
        master, seconds = move(params, rows)
    except (RedisError, ValueError) as error:
        module.fail_json(msg=f"Redis cluster: {error}")
    module.exit_json(changed=True, master=master, seconds=seconds)


if __name__ == "__main__":
    main()
