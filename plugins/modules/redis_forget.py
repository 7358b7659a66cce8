# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: redis_forget
short_description: Let a Sentinel forget servers and Sentinels that were taken out of the group
version_added: 0.1.0
description:
  - A Sentinel never forgets by itself. Sentinels that are gone count for the majority that a failover needs, and a
    server that is gone is made a replica again when it comes back.
  - When the given Sentinel knows one that is not of the group, it is told to forget all it knows
    (C(SENTINEL RESET)), and the module waits until it has found the group again.
  - What is not of the group but still runs is refused, because the Sentinel would only find it again.
  - Call it for one Sentinel at a time. One that knows nobody yet has no say in a failover.
author:
  - The mainstay.platform authors (@mainstay)
options:
  sentinel:
    description: The Sentinel that shall forget, as C(address:port). It must be one of O(sentinels).
    type: str
    required: true
  deadline:
    description:
      - Seconds until the Sentinel must know the group again.
      - It hears of the others within two seconds and of replicas within ten.
    type: float
    default: 60
extends_documentation_fragment:
  - mainstay.platform._changer
  - mainstay.platform._redis
  - mainstay.platform._redis.connection
  - mainstay.platform._redis.group
seealso:
  - module: mainstay.platform.redis_topology
"""

EXAMPLES = r"""
- name: Ensure that no Sentinel knows a host that was taken out
  mainstay.platform.redis_forget:
    name: sessions
    sentinel: 192.0.2.21:26379
    servers: [192.0.2.21:6379, 192.0.2.22:6379, 192.0.2.23:6379]
    sentinels: [192.0.2.21:26379, 192.0.2.22:26379, 192.0.2.23:26379]
    user: ops
    password: "{{ redis_ops_password }}"
    sentinel_user: ops
    sentinel_password: "{{ redis_ops_password }}"
    tls: true
    ca_path: /etc/mainstay/tls/ca.crt
  throttle: 1
"""

RETURN = r"""
forgotten:
  description: The servers and Sentinels that were not of the group, as C(address:port).
  returned: always
  type: list
  elements: str
  sample: [192.0.2.24:6379, 192.0.2.24:26379]
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._endpoint import join_endpoint
from ansible_collections.mainstay.platform.plugins.module_utils._redis_argspec import (
    GROUP,
    REQUIRED_TOGETHER,
    sentinel_options,
)
from ansible_collections.mainstay.platform.plugins.module_utils._redis_client import RedisClient, RedisError

PAUSE = 0.5  # seconds between two looks


def known(client, name):
    """{endpoint: flags} of the Sentinels and of the replicas that a Sentinel knows beside itself and the master."""
    found = []
    for kind in ("SENTINELS", "REPLICAS"):
        rows = [dict(zip(row[::2], row[1::2], strict=True)) for row in client.call("SENTINEL", kind, name)]
        found.append({join_endpoint(row["ip"], row["port"]): row["flags"] for row in rows})
    return found


def strangers(found, params):
    """{endpoint: flags} of those that are not of the group."""
    members = set(params["servers"]) | set(params["sentinels"])
    return {endpoint: flags for rows in found for endpoint, flags in rows.items() if endpoint not in members}


def refuse_running(gone):
    running = sorted(endpoint for endpoint, flags in gone.items() if "s_down" not in flags)
    if running:
        raise ValueError(
            f"found {', '.join(running)}, which still runs or stopped this moment; expected that whoever was taken out "
            "of the group is stopped; stop server and Sentinel on that host, then run again"
        )


def complete(client, params):
    """Whether the Sentinel knows the whole group, and has a quorum in it."""
    sentinels, replicas = known(client, params["name"])
    try:
        usable = client.call("SENTINEL", "CKQUORUM", params["name"]).startswith("OK")
    except RedisError:
        usable = False
    return usable and len(sentinels) == len(params["sentinels"]) - 1 and len(replicas) == len(params["servers"]) - 1


def forget(client, params, sleep=time.sleep, clock=time.monotonic):
    """Tell the Sentinel and wait until it knows the group again."""
    client.call("SENTINEL", "RESET", params["name"])
    end = clock() + params["deadline"]
    while not complete(client, params):
        if clock() > end:
            sentinels, replicas = known(client, params["name"])
            raise ValueError(
                f"found {len(sentinels)} other Sentinels and {len(replicas)} replicas {params['deadline']:g} s after "
                f"it was told to forget; expected {len(params['sentinels']) - 1} and {len(params['servers']) - 1}; "
                "start what is missing, then run again"
            )
        sleep(PAUSE)


def main():
    module = AnsibleModule(
        argument_spec=dict(
            GROUP, sentinel={"type": "str", "required": True}, deadline={"type": "float", "default": 60}
        ),
        required_together=REQUIRED_TOGETHER,
        supports_check_mode=True,
    )
    params = module.params
    try:
        with RedisClient(params["sentinel"], sentinel_options(params)) as client:
            gone = strangers(known(client, params["name"]), params)
            refuse_running(gone)
            if gone and not module.check_mode:
                forget(client, params)
    except (RedisError, ValueError) as error:
        module.fail_json(msg=f"Sentinel {params['sentinel']}: {error}")
    module.exit_json(changed=bool(gone), forgotten=sorted(gone))


if __name__ == "__main__":
    main()
