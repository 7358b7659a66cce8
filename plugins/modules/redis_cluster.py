# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: redis_cluster
short_description: Make one step towards the Redis cluster that is wanted
version_added: 0.1.0
description:
  - Asks every node what it says of itself and of the cluster, plans how the cluster comes to the servers that are
    given, and makes the first step of that plan. In check mode it only says the plan.
  - Servers that know nobody and hold nothing join. A cluster is created where all of them are like that. Who is master
    of what is read from the nodes, never given.
  - Masters and replicas have hosts of their own, because each host has one server.
  - Servers in O(leaving) give their slots to the replica that follows them, or to the other masters where there are
    more masters than are wanted. Then all nodes forget them, and they forget the cluster, with their copy of the data.
  - A node that was lost is forgotten when it has no slots any more and it is in O(leaving), or a new server answers at
    its address.
  - Slots are moved by C(redis-cli --cluster), which gets the password in its environment.
  - A step ends when all nodes agree that it is done.
  - Fails with the reason, having changed nothing, when a node does not answer, fails, or tells something else than the
    others, when slots have no master, and when a node belongs to nobody that was named.
author:
  - The mainstay.platform authors (@mainstay)
options:
  cli:
    description: The program that moves slots.
    type: str
    default: redis-cli
  deadline:
    description: Seconds that the nodes have to agree, before the step and after it. Moving slots takes what it takes.
    type: float
    default: 60
extends_documentation_fragment:
  - mainstay.platform._changer
  - mainstay.platform._redis
  - mainstay.platform._redis.cluster
seealso:
  - module: mainstay.platform.redis_cluster_check
  - module: mainstay.platform.redis_cluster_failover
"""

EXAMPLES = r"""
- name: Make the next step
  mainstay.platform.redis_cluster:
    members: [192.0.2.21:6379, 192.0.2.22:6379, 192.0.2.23:6379, 192.0.2.24:6379, 192.0.2.25:6379, 192.0.2.26:6379]
    replicas: 1
    user: ops
    password: "{{ redis_ops_password }}"
    tls: true
    ca_path: /etc/mainstay/tls/ca.crt
  register: cluster_step
  run_once: true
"""

RETURN = r"""
step:
  description: The step that was made, or that comes next in check mode. Empty when everything is as wanted.
  returned: always
  type: str
  sample: 192.0.2.24:6379 follows 192.0.2.21:6379
steps:
  description: The steps that come after it, as far as can be foreseen.
  returned: always
  type: list
  elements: str
  sample: [192.0.2.25:6379 follows 192.0.2.22:6379]
masters:
  description: The servers that are masters now, as C(address:port).
  returned: always
  type: list
  elements: str
  sample: [192.0.2.21:6379, 192.0.2.22:6379, 192.0.2.23:6379]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils import _redis_cluster as cluster
from ansible_collections.mainstay.platform.plugins.module_utils._redis_argspec import CLUSTER, REQUIRED_TOGETHER
from ansible_collections.mainstay.platform.plugins.module_utils._redis_client import RedisError
from ansible_collections.mainstay.platform.plugins.module_utils._redis_cluster_client import (
    Steps,
    look,
    look_ahead,
    look_until,
    wanted_of,
)


def make(module):
    """The result of one call."""
    params, wanted = module.params, wanted_of(module.params)
    rows, found, problems = look_until(
        params, lambda _rows, _found, problems: not problems, look_ahead if module.check_mode else look
    )
    if problems:
        raise ValueError("; ".join(problems))
    steps = cluster.plan(found, wanted)
    if steps and not module.check_mode:
        do, step = Steps(params, module.run_command).do, steps[0]
        do(step, rows, found)

        def still(found):
            if step["do"] == "meet":  # half done, others know the server and it knows nobody
                return found["nodes"].get(step["server"], {}).get("role") == "fresh"
            return cluster.next_step(found, wanted) == step

        def done(_rows, found, problems):
            return not problems and not still(found)

        def again(rows, found, problems):
            if step["do"] == "meet" or (step["do"] == "promote" and not problems and still(found)):
                do(step, rows, found)

        rows, found, problems = look_until(params, done, again=again)
        if not done(rows, found, problems):
            why = "; ".join(problems) or "nothing came of it"
            raise ValueError(f"{cluster.text(steps[0])}: found it not done after {params['deadline']:g} s ({why})")
    masters = [server for server, node in found["nodes"].items() if node["role"] == "master"]
    words = [cluster.text(step) for step in steps]
    return {"step": (words or [""])[0], "steps": words[1:], "masters": masters, "changed": bool(steps)}


def main():
    module = AnsibleModule(
        argument_spec=dict(
            CLUSTER, cli={"type": "str", "default": "redis-cli"}, deadline={"type": "float", "default": 60}
        ),
        required_together=REQUIRED_TOGETHER,
        supports_check_mode=True,
    )
    try:
        result = make(module)
    except (RedisError, ValueError) as error:
        module.fail_json(msg=f"Redis cluster: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
