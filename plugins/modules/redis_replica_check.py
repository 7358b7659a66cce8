# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: redis_replica_check
short_description: Check that a Redis group has one master, healthy replicas and agreeing Sentinels
version_added: 0.1.0
description:
  - Asks every server and every Sentinel of a group, and fails when one of them is not as a healthy group would have it.
  - Exactly one server is master; every other one follows it with its link up and a lag within limits.
  - Every Sentinel names that master, has a quorum, and knows all replicas and Sentinels.
  - A group of one server without Sentinels is healthy when that server is master.
  - The answer is the same from every host that reaches the group.
author:
  - The mainstay.platform authors (@mainstay)
options:
  max_lag_bytes:
    description: How many bytes of the replication stream a replica may be behind.
    type: int
    default: 1048576
  max_lag_seconds:
    description: How many seconds old a replica's last acknowledgement may be. Replicas acknowledge once a second.
    type: int
    default: 10
extends_documentation_fragment:
  - mainstay.platform._reader
  - mainstay.platform._redis
  - mainstay.platform._redis.connection
  - mainstay.platform._redis.group
seealso:
  - module: mainstay.platform.redis_topology
"""

EXAMPLES = r"""
- name: Check a group of three with TLS and ACL users
  mainstay.platform.redis_replica_check:
    name: sessions
    servers: [192.0.2.21:6379, 192.0.2.22:6379, 192.0.2.23:6379]
    sentinels: [192.0.2.21:26379, 192.0.2.22:26379, 192.0.2.23:26379]
    user: ops
    password: "{{ redis_ops_password }}"
    tls: true
    ca_path: /etc/mainstay/tls/ca.crt
    max_lag_bytes: 65536

- name: Check a single server
  mainstay.platform.redis_replica_check:
    name: sessions
    servers: [127.0.0.1:6379]
"""

RETURN = r"""
master:
  description: The master as C(address:port).
  returned: always
  type: str
  sample: 192.0.2.21:6379
lag_bytes:
  description: The largest lag of a replica, in bytes of the replication stream.
  returned: always
  type: int
  sample: 14
lag_seconds:
  description: The largest age of a replica's last acknowledgement, in seconds.
  returned: always
  type: int
  sample: 1
problems:
  description: Everything that is not as expected. Empty when the group is healthy.
  returned: always
  type: list
  elements: str
  sample: []
evidence:
  description: The state of the group in one line.
  returned: always
  type: str
  sample: master 192.0.2.21:6379, 2 of 2 replicas follow with at most 14 bytes and 1 s of lag, 3 of 3 Sentinels agree
servers:
  description: What each server answered.
  returned: always
  type: list
  elements: dict
sentinels:
  description: What each Sentinel answered.
  returned: always
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._redis_argspec import GROUP, REQUIRED_TOGETHER
from ansible_collections.mainstay.platform.plugins.module_utils._redis_reader import read_group
from ansible_collections.mainstay.platform.plugins.module_utils._redis_replication import judge


def main():
    module = AnsibleModule(
        argument_spec=dict(
            GROUP,
            max_lag_bytes={"type": "int", "default": 1048576},
            max_lag_seconds={"type": "int", "default": 10},
        ),
        required_together=REQUIRED_TOGETHER,
        supports_check_mode=True,
    )
    params = module.params
    try:
        servers, sentinels = read_group(params)
    except ValueError as error:
        module.fail_json(msg=str(error))
    found = dict(judge(servers, sentinels, params), servers=servers, sentinels=sentinels)
    if found["problems"]:
        module.fail_json(msg=f"Redis group {params['name']}: " + "; ".join(found["problems"]), **found)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
