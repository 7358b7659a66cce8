# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: redis_config
short_description: Bring the settings of a Redis server or a Sentinel to what is wanted, without taking what it owns
version_added: 0.1.0
description:
  - Redis and Sentinel rewrite their configuration files themselves and keep in them who is master. So this module
    compares directives, never text.
  - Of a running server it compares the live values, sets what differs with C(CONFIG SET) or C(SENTINEL SET), has the
    server write its file,
    and loads the ACL file when the live users differ from it.
  - Settings that a running server cannot take are named in RV(restart_required) and left for the call that follows
    after the server was stopped.
  - A stopped server whose data are in a snapshot alone gets C(appendonly) when it runs. It would start empty with it.
  - When the file says another role than the server has, as after a failover whose server could not write it, the
    server writes it again.
  - Of a stopped server it merges the settings into the file. Directives that are not given stay as they are,
    C(replicaof) and what a Sentinel learned above all.
  - Who is master is never changed. A Sentinel that watches nobody yet is told O(monitor); one that does keeps its
    master.
author:
  - The mainstay.platform authors (@mainstay)
options:
  kind:
    description: What the file belongs to.
    type: str
    choices: [server, sentinel]
    required: true
  path:
    description: The configuration file. It must exist, as the packages leave it.
    type: path
    required: true
  settings:
    description:
      - Directives by name. A list is written as one line per item, and is compared as one value.
      - Sizes may be written as Redis reads them, such as C(16mb).
      - Of a Sentinel, options of the watched master are given by their short name, such as C(down-after-milliseconds),
        and its own with the word in front, such as C(sentinel announce-ip).
    type: dict
    default: {}
  secrets:
    description: Like O(settings); the values are kept out of every output.
    type: dict
    default: {}
  acl_path:
    description: The ACL file. It gets owner and mode of O(path).
    type: path
  acl:
    description:
      - The content of O(acl_path), which the live users are compared with. Passwords stand in it as digests.
      - C(ACL LOAD) brings it in without a restart. Redis 7.0 then closes the connections of all users, which connect
        again. Where passwords alone differ, C(ACL SETUSER) does it and closes none.
      - What a running server refuses is taken out of the file again, and the task fails.
    type: str
    default: ''
  certificate_path:
    description: The certificate file that the server presents. A running server that presents another one takes the
      file anew, a Sentinel needs a restart.
    type: path
  name:
    description: Of a Sentinel - the name of the master it watches. Other names are forgotten.
    type: str
  monitor:
    description: Of a Sentinel that does not know O(name) yet - the master as C(address:port).
    type: str
  quorum:
    description: Of a Sentinel - how many Sentinels must agree that the master is gone.
    type: int
    default: 1
  previous_password_path:
    description: File whose first line ends in C(=) and the password that was used before, tried when the server
      refuses O(password).
    type: path
  mode:
    description:
      - V(apply) changes what differs.
      - V(stopped) does the same to a stopped server and leaves a running one alone, but for new passwords.
        Those it lets in beside the old ones, which V(apply) takes away.
      - V(check) only compares.
    type: str
    choices: [apply, stopped, check]
    default: apply
extends_documentation_fragment:
  - mainstay.platform._changer
  - mainstay.platform._redis
seealso:
  - module: mainstay.platform.redis_topology
"""

EXAMPLES = r"""
- name: Ensure the server's settings
  mainstay.platform.redis_config:
    kind: server
    path: /etc/redis/redis.conf
    settings: {maxmemory: 1536mb, maxmemory-policy: allkeys-lru}
    secrets: {masterauth: "{{ redis_replication_password }}"}
    user: admin
    password: "{{ redis_admin_password }}"
    ca_path: /etc/mainstay/tls/ca.crt
  no_log: true
"""

RETURN = r"""
running:
  description: Whether the server answered.
  returned: always
  type: bool
answers:
  description: Whether it could be talked to. One that runs and cannot has its reason in RV(restart_required).
  returned: always
  type: bool
empty:
  description: Whether a server that starts would have no data, neither a snapshot nor a log.
  returned: always
  type: bool
differences:
  description: What differed from what is wanted, by name, without secret values.
  returned: always
  type: list
  elements: str
  sample: ["maxmemory: found 0, expected 1536mb"]
restart_required:
  description: What a running server can only take by a restart.
  returned: always
  type: list
  elements: str
  sample: [io-threads]
info:
  description: What INFO of the running server says, as strings. Empty when it was not asked.
  returned: always
  type: dict
monitor:
  description: The master that the file of a Sentinel names, as C(address:port), empty when none.
  returned: always
  type: str
  sample: 192.0.2.22:6379
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._redis_argspec import REQUIRED_TOGETHER, SERVER
from ansible_collections.mainstay.platform.plugins.module_utils._redis_client import RedisError
from ansible_collections.mainstay.platform.plugins.module_utils._redis_settings import Instance


def main():
    module = AnsibleModule(
        argument_spec=dict(
            SERVER,
            kind={"type": "str", "choices": ["server", "sentinel"], "required": True},
            path={"type": "path", "required": True},
            settings={"type": "dict", "default": {}},
            secrets={"type": "dict", "default": {}, "no_log": True},
            acl_path={"type": "path"},
            acl={"type": "str", "default": "", "no_log": True},
            certificate_path={"type": "path"},
            name={"type": "str"},
            monitor={"type": "str"},
            quorum={"type": "int", "default": 1},
            previous_password_path={"type": "path", "no_log": False},
            mode={"type": "str", "choices": ["apply", "stopped", "check"], "default": "apply"},
        ),
        required_if=[("kind", "sentinel", ["name"])],
        required_together=REQUIRED_TOGETHER,
        supports_check_mode=True,
    )
    instance = Instance(module)
    try:
        module.exit_json(**instance.reconcile())
    except (RedisError, OSError, ValueError) as error:
        module.fail_json(msg=f"{module.params['kind']} of {module.params['path']}: {error}")


if __name__ == "__main__":
    main()
