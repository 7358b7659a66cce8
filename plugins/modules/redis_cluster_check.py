# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: redis_cluster_check
short_description: Check that a Redis cluster is whole, known to the inventory and takes writes
version_added: 0.1.0
description:
  - Asks every node, and fails when the cluster is not as a healthy one would be.
  - Every node says C(cluster_state:ok), and all 16384 slots have a master. None is half moved.
  - All nodes agree on who there is, who follows whom and who has which slots.
  - The nodes are the given servers, all of them and no others. There are as many masters as they suffice for.
  - Every master has its replicas on other hosts, their links are up and their lags are within limits.
  - With O(write) a key of every master is written as a client of clusters does it, asking one node first, and read
    again by way of another one. The keys are called C(mainstay:gate:N) and expire after ten seconds. In check mode
    nothing is written.
  - The answer is the same from every host that reaches the nodes.
author:
  - The mainstay.platform authors (@mainstay)
options:
  max_lag_bytes:
    description: How many bytes of the replication stream a replica may be behind.
    type: int
    default: 1048576
  write:
    description: Write to every master, and read it again.
    type: bool
    default: true
extends_documentation_fragment:
  - mainstay.platform._reader
  - mainstay.platform._redis
  - mainstay.platform._redis.cluster
seealso:
  - module: mainstay.platform.redis_cluster
"""

EXAMPLES = r"""
- name: Check a cluster of six with TLS and ACL users
  mainstay.platform.redis_cluster_check:
    members: [192.0.2.21:6379, 192.0.2.22:6379, 192.0.2.23:6379, 192.0.2.24:6379, 192.0.2.25:6379, 192.0.2.26:6379]
    user: ops
    password: "{{ redis_ops_password }}"
    tls: true
    ca_path: /etc/mainstay/tls/ca.crt
"""

RETURN = r"""
masters:
  description: The masters, as C(address:port), each with the servers that follow it.
  returned: always
  type: dict
  sample: {"192.0.2.21:6379": ["192.0.2.24:6379"]}
digest:
  description: What all nodes agree on, as a short digest.
  returned: always
  type: str
  sample: 4be1f0c2a9d3
problems:
  description: Everything that is not as expected. Empty when the cluster is healthy.
  returned: always
  type: list
  elements: str
  sample: []
evidence:
  description: The state of the cluster in one line.
  returned: always
  type: str
  sample: 3 masters have 16384 slots, 3 replicas follow with at most 14 bytes of lag, 6 nodes agree on 4be1f0c2a9d3
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils import _redis_cluster as cluster
from ansible_collections.mainstay.platform.plugins.module_utils._redis_argspec import CLUSTER, REQUIRED_TOGETHER
from ansible_collections.mainstay.platform.plugins.module_utils._redis_client import RedisError
from ansible_collections.mainstay.platform.plugins.module_utils._redis_cluster_client import ask, look, wanted_of

KEY = "mainstay:gate:{}"
SECONDS = 10  # until a key expires


def key_of(slots):
    """A key of one of these slots."""
    return next(key for number in range(100_000) if cluster.key_slot(key := KEY.format(number)) in slots)


def written(nodes, params):
    """What went wrong with a write to each master, from nodes that do not have it."""
    problems, servers = [], params["members"]
    for server, node in nodes.items():
        if not node["slots"]:
            continue
        key = key_of(node["slots"])
        try:
            ask(servers[0], ("SET", key, server, "EX", SECONDS), params)
            found = ask(servers[-1], ("GET", key), params)
        except RedisError as error:
            problems.append(f"master {server}: found that it refused a write ({error}); expected it to take it")
            continue
        if found != server:
            problems.append(f"master {server}: found {found!r} in {key}; expected {server!r}, which was written")
    return problems


def main():
    module = AnsibleModule(
        argument_spec=dict(
            CLUSTER,
            max_lag_bytes={"type": "int", "default": 1048576},
            write={"type": "bool", "default": True},
        ),
        required_together=REQUIRED_TOGETHER,
        supports_check_mode=True,
    )
    params = module.params
    try:
        rows, found, problems = look(params)
    except ValueError as error:
        module.fail_json(msg=str(error))
    result = cluster.judge(rows, found, dict(wanted_of(params), max_lag_bytes=params["max_lag_bytes"]))
    result["problems"] = problems + result["problems"]
    if params["write"] and not result["problems"] and not module.check_mode:
        result["problems"] += written(found["nodes"], params)
    if result["problems"]:
        module.fail_json(msg="Redis cluster: " + "; ".join(result["problems"]), **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
