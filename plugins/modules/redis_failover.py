# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: redis_failover
short_description: Move the role of the Redis master away from a server, in peace
version_added: 0.1.0
description:
  - Asks a Sentinel for a planned failover when the given server is the master, and waits until the Sentinel names
    another one and that one says so itself.
  - Does nothing when the server is not the master. Takes about a second, in which clients are told to look for the
    new master.
author:
  - The mainstay.platform authors (@mainstay)
options:
  name:
    description: Name under which the Sentinels know the master.
    type: str
    required: true
  server:
    description: The server that shall not be master, as C(address:port).
    type: str
    required: true
  sentinel:
    description: The Sentinel that is asked, as C(address:port).
    type: str
    required: true
  deadline:
    description:
      - Seconds until another server must be master.
      - A Sentinel whose host stood still for two seconds decides nothing for thirty.
        So less than a minute is too little.
    type: float
    default: 60
extends_documentation_fragment:
  - mainstay.platform._changer
  - mainstay.platform._redis
  - mainstay.platform._redis.connection
seealso:
  - module: mainstay.platform.redis_topology
"""

EXAMPLES = r"""
- name: Ensure that this server is a replica before it restarts
  mainstay.platform.redis_failover:
    name: sessions
    server: 192.0.2.21:6379
    sentinel: 192.0.2.22:26379
    user: ops
    password: "{{ redis_ops_password }}"
    sentinel_user: ops
    sentinel_password: "{{ redis_ops_password }}"
    tls: true
    ca_path: /etc/mainstay/tls/ca.crt
"""

RETURN = r"""
master:
  description: The master afterwards, as C(address:port).
  returned: always
  type: str
  sample: 192.0.2.22:6379
seconds:
  description: How long it took until the new master said that it is.
  returned: when the role moved
  type: float
  sample: 0.8
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._endpoint import join_endpoint
from ansible_collections.mainstay.platform.plugins.module_utils._redis_argspec import (
    CONNECTION,
    REQUIRED_TOGETHER,
    sentinel_options,
    server_options,
)
from ansible_collections.mainstay.platform.plugins.module_utils._redis_client import RedisClient, RedisError

PAUSE = 0.1  # seconds between two looks


def named_master(params, connect):
    """Whom the Sentinel names."""
    with connect(params["sentinel"], sentinel_options(params)) as client:
        found = client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", params["name"])
    if not found:
        raise ValueError(
            f"Sentinel {params['sentinel']}: does not know the master {params['name']}; expected that it "
            "watches it; run the role redis first"
        )
    return join_endpoint(*found)


def says_master(endpoint, params, connect):
    """Whether a server says that it is master."""
    try:
        with connect(endpoint, server_options(params)) as client:
            return "role:master" in client.call("INFO", "replication").splitlines()
    except RedisError:
        return False


def move(params, connect=RedisClient, sleep=time.sleep, clock=time.monotonic):
    """Ask for the failover and wait; (new master, seconds)."""
    started = clock()
    with connect(params["sentinel"], sentinel_options(params)) as client:
        client.call("SENTINEL", "FAILOVER", params["name"])
    while clock() - started < params["deadline"]:
        master = named_master(params, connect)
        if master != params["server"] and says_master(master, params, connect):
            return master, round(clock() - started, 2)
        sleep(PAUSE)
    raise ValueError(
        f"master {params['name']}: found {params['server']} still master after {params['deadline']:g} s; "
        "expected another one; "
        "look at the Sentinel's log for the reason (no good replica, no quorum, tilt)"
    )


def main():
    module = AnsibleModule(
        argument_spec=dict(
            CONNECTION,
            name={"type": "str", "required": True},
            server={"type": "str", "required": True},
            sentinel={"type": "str", "required": True},
            deadline={"type": "float", "default": 60},
        ),
        required_together=REQUIRED_TOGETHER,
        supports_check_mode=True,
    )
    params = module.params
    try:
        master = named_master(params, RedisClient)
        if master != params["server"]:
            module.exit_json(changed=False, master=master)
        if module.check_mode:
            module.exit_json(changed=True, master=master)
        master, seconds = move(params)
        module.exit_json(changed=True, master=master, seconds=seconds)
    except (RedisError, ValueError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
