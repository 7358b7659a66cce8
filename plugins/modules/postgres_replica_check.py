# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_replica_check
short_description: Check that a Patroni cluster has one leader and that every replica follows it
version_added: 0.1.0
description:
  - Asks Patroni on every member, the leader about its replicas, and the local server about its own view, and fails
    when one of them is not as expected.
  - Exactly one leader, the same in every answer; every expected member there and no other; every replica streaming
    on the
    leader's timeline with a lag within limits; as many synchronous replicas as promised; no replication slot that
      holds too much WAL.
  - What Patroni says is the same from every host. The local server adds lag in seconds and slots, on leader and
    replica alike.
  - A cluster of one member is healthy when that member is the leader.
author:
  - The mainstay.platform authors (@mainstay)
options:
  members:
    description: Names of all members that the cluster must have, and no others. By default any members are accepted.
    type: list
    elements: str
    default: []
  max_lag_bytes:
    description: How many bytes of WAL a replica may be behind.
    type: int
    default: 16777216
  max_lag_seconds:
    description: How many seconds a replica may be behind in replay.
    type: float
    default: 30
  min_sync:
    description: How many synchronous replicas there must be at least.
    type: int
    default: 0
  max_slot_bytes:
    description: How many bytes of WAL one replication slot may hold back. V(0) means any.
    type: int
    default: 1073741824
  allow_pause:
    description: Whether a paused cluster, which does not fail over, is accepted.
    type: bool
    default: false
  sql:
    description: Ask the local server too. With V(false) only Patroni is asked, and lag in seconds and slots are not
      judged.
    type: bool
    default: true
  host:
    description: Address of the local server or directory of its socket. By default the socket where libpq looks for it.
    type: str
  port:
    description: TCP port of the local server.
    type: int
    default: 5432
  user:
    description: Database user.
    type: str
    default: postgres
  password:
    description: Password of O(user), when it is not peer authentication.
    type: str
  peer_user:
    description: System user to be while connecting, for peer authentication, when the module runs as root.
    type: str
    default: postgres
  database:
    description: Database to connect to.
    type: str
    default: postgres
requirements:
  - python3-psycopg2 on the host, when O(sql=true)
extends_documentation_fragment:
  - mainstay.platform._patroni
  - mainstay.platform._patroni.client
  - mainstay.platform._patroni.members
  - mainstay.platform._reader
seealso:
  - module: mainstay.platform.health_gate
"""

EXAMPLES = r"""
- name: Check a cluster of three
  mainstay.platform.postgres_replica_check:
    patroni_urls: [https://192.0.2.11:8008, https://192.0.2.12:8008, https://192.0.2.13:8008]
    members: [db1, db2, db3]
    ca_path: /etc/mainstay/tls/ca.crt
    max_lag_bytes: 67108864

- name: Check it from a host without PostgreSQL
  mainstay.platform.postgres_replica_check:
    patroni_urls: [https://192.0.2.11:8008, https://192.0.2.12:8008, https://192.0.2.13:8008]
    ca_path: /etc/mainstay/tls/ca.crt
    sql: false
"""

RETURN = r"""
leader:
  description: Name of the leader; empty when there is not exactly one.
  returned: always
  type: str
  sample: db1
members:
  description: The members as Patroni lists them.
  returned: always
  type: list
  elements: dict
  sample: [{name: db1, role: leader, state: running, timeline: 3}, {name: db2, role: replica, state: streaming,
    timeline: 3, lag: 0}]
lag_bytes:
  description: The largest lag of a replica in bytes of WAL.
  returned: always
  type: int
  sample: 0
lag_seconds:
  description: The largest lag in seconds that the local server knows of; none without SQL.
  returned: always
  type: float
  sample: 0.2
slot_bytes:
  description: The most WAL in bytes that one slot of the local server holds back; none without SQL.
  returned: always
  type: int
  sample: 16777216
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
  sample: leader db1 on timeline 3, 2 replicas with at most 0 bytes of lag, 0 synchronous, at most 0.0 s of lag, 2
    slots hold at most 0 bytes of WAL
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._patroni_client import read_cluster
from ansible_collections.mainstay.platform.plugins.module_utils._postgres_client import PostgresClient, PostgresError
from ansible_collections.mainstay.platform.plugins.module_utils._postgres_reader import read_server
from ansible_collections.mainstay.platform.plugins.module_utils._postgres_replication import judge_cluster, judge_server

ARGUMENTS = {
    "patroni_urls": {"type": "list", "elements": "str", "required": True},
    "members": {"type": "list", "elements": "str", "default": []},
    "max_lag_bytes": {"type": "int", "default": 16777216},
    "max_lag_seconds": {"type": "float", "default": 30},
    "min_sync": {"type": "int", "default": 0},
    "max_slot_bytes": {"type": "int", "default": 1073741824},
    "allow_pause": {"type": "bool", "default": False},
    "sql": {"type": "bool", "default": True},
    "host": {"type": "str"},
    "port": {"type": "int", "default": 5432},
    "user": {"type": "str", "default": "postgres"},
    "password": {"type": "str", "no_log": True},
    "peer_user": {"type": "str", "default": "postgres"},
    "database": {"type": "str", "default": "postgres"},
    "ca_path": {"type": "path"},
    "cert_path": {"type": "path"},
    "key_path": {"type": "path", "no_log": False},
    "timeout": {"type": "float", "default": 5},
}


def ask_server(params):
    """The local server's side of the verdict."""
    try:
        with PostgresClient(params, params["peer_user"]) as client:
            return judge_server(read_server(client), params)
    except PostgresError as error:
        problem = f"local server: found {error}; expected an answer; start it or correct host, port and user"
        return {"problems": [problem], "lag_seconds": None, "slot_bytes": None, "evidence": ""}


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_together=[("cert_path", "key_path")],
        supports_check_mode=True,
    )
    params = module.params
    # The account is the database's; Patroni's GET requests need none.
    web = {key: params[key] for key in ("ca_path", "cert_path", "key_path", "timeout")}
    cluster = read_cluster(params["patroni_urls"], web)
    found = judge_cluster(cluster["views"], cluster["replication"], params)
    own = (
        ask_server(params)
        if params["sql"]
        else {"problems": [], "lag_seconds": None, "slot_bytes": None, "evidence": ""}
    )
    found["problems"] += own["problems"]
    found["evidence"] = ", ".join(text for text in (found["evidence"], own["evidence"]) if text)
    found.update({key: own[key] for key in ("lag_seconds", "slot_bytes")})
    if found["problems"]:
        module.fail_json(msg="PostgreSQL cluster: " + "; ".join(found["problems"]), **found)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
