# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: redis_follow
short_description: Let a new, empty Redis server follow the master
version_added: 0.1.0
description:
  - Gives a server that is new to a group its master, by C(REPLICAOF), and has it written into its file.
  - A server that holds data, has replicas or follows somebody is left alone, for that is the Sentinels' business. So
    data is never thrown away.
author:
  - The mainstay.platform authors (@mainstay)
options:
  server:
    description: The server, as C(address:port).
    type: str
    required: true
  master:
    description: The master, as C(address:port).
    type: str
    required: true
extends_documentation_fragment:
  - mainstay.platform._changer
  - mainstay.platform._redis
  - mainstay.platform._redis.connection
seealso:
  - module: mainstay.platform.redis_topology
"""

EXAMPLES = r"""
- name: Ensure that a new server follows the master
  mainstay.platform.redis_follow:
    server: 192.0.2.23:6379
    master: 192.0.2.21:6379
    user: ops
    password: "{{ redis_ops_password }}"
    tls: true
    ca_path: /etc/mainstay/tls/ca.crt
"""

RETURN = r"""
reason:
  description: Why the server was told, or left alone.
  returned: always
  type: str
  sample: it follows 192.0.2.21:6379
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._endpoint import split_endpoint
from ansible_collections.mainstay.platform.plugins.module_utils._redis_argspec import (
    CONNECTION,
    REQUIRED_TOGETHER,
    server_options,
)
from ansible_collections.mainstay.platform.plugins.module_utils._redis_client import RedisClient, RedisError
from ansible_collections.mainstay.platform.plugins.module_utils._redis_reader import parse_info, server_row


def judge(row, master):
    """(whether to tell it, why) for the row of a server."""
    if row["server"] == master:
        return False, "it is the master"
    if row["role"] == "replica":
        return False, f"it follows {row['master']}"
    if row["keys"] or row["replicas"]:
        return False, f"it holds {row['keys']} keys and has {len(row['replicas'])} replicas, so the Sentinels decide"
    return True, f"it is empty and follows nobody; {master} is the master"


def main():
    module = AnsibleModule(
        argument_spec=dict(
            CONNECTION, server={"type": "str", "required": True}, master={"type": "str", "required": True}
        ),
        required_together=REQUIRED_TOGETHER,
        supports_check_mode=True,
    )
    server, master = module.params["server"], module.params["master"]
    try:
        with RedisClient(server, server_options(module.params)) as client:
            tell, reason = judge(server_row(server, parse_info(client.call("INFO"))), master)
            if tell and not module.check_mode:
                client.call("REPLICAOF", *split_endpoint(master))
                client.call("CONFIG", "REWRITE")
    except (RedisError, ValueError) as error:
        module.fail_json(msg=f"server {server}: {error}")
    module.exit_json(changed=tell, reason=reason)


if __name__ == "__main__":
    main()
