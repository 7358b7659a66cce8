# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# This file is longer than others because one gate has four protocols, and each has options to document.
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: health_gate
short_description: Wait until a service proves that it is healthy, or say why it is not
version_added: 0.1.0
description:
  - Asks a service by HTTP, TCP, SQL or Redis until enough good answers came in a row, over a window of time and
    within a latency budget.
  - One bad answer starts the count again. With a O(deadline) of V(0) the first bad answer ends it.
  - On failure the message says what was seen last and why that is not enough, and RV(timeline) holds every attempt.
  - It only reads - HTTP by GET or HEAD, SQL in a read-only transaction.
author:
  - The mainstay.platform authors (@mainstay)
options:
  kind:
    description: How to ask.
    type: str
    choices: [http, tcp, sql, redis]
    required: true
  url:
    description: What to ask with O(kind=http). Redirects are not followed, they are answers with a status of their own.
    type: str
  host:
    description: Name or address of the service, for O(kind=tcp), O(kind=sql) and O(kind=redis).
    type: str
  port:
    description: TCP port of the service, for O(kind=tcp), O(kind=sql) and O(kind=redis).
    type: int
  connect_to:
    description:
      - Connect to this address instead of the name in O(url) or O(host), which stays in the Host header and in the
        check of the certificate.
      - So a gate can ask one host behind a floating address, or a name that no DNS knows yet. Not for O(kind=sql).
    type: str
  method:
    description: HTTP method.
    type: str
    choices: [GET, HEAD]
    default: GET
  headers:
    description: HTTP headers to send.
    type: dict
  user:
    description: User for HTTP basic authentication, SQL or Redis.
    type: str
  password:
    description: Password of O(user).
    type: str
  tls:
    description: Speak TLS with O(kind=tcp), O(kind=sql) and O(kind=redis); for HTTP the scheme of O(url) says so.
      Always verified.
    type: bool
    default: false
  ca_path:
    description: File with the certificates of the authorities that are trusted. By default those of the system.
    type: path
  cert_path:
    description: File with the client certificate.
    type: path
  key_path:
    description: File with the key of O(cert_path).
    type: path
  server_name:
    description: The name that the server's certificate must have, where it is not that of O(url) or O(host). Not for
      O(kind=sql).
    type: str
  dsn:
    description: Connection string for O(kind=sql), instead of O(host), O(port), O(user), O(password), O(database)
      and O(tls).
    type: str
  database:
    description: Name of the database for O(kind=sql).
    type: str
    default: postgres
  peer_user:
    description: Connect as this system user, for peer authentication over the local socket, when the module runs as
      root and O(kind=sql).
    type: str
  query:
    description: What to ask with O(kind=sql). The first value of the first row is the answer.
    type: str
    default: SELECT 1
  command:
    description: What to ask with O(kind=redis), word by word.
    type: list
    elements: str
    default: [PING]
  expect_status:
    description: HTTP status codes that are good.
    type: list
    elements: int
    default: [200]
  expect_headers:
    description: HTTP headers that must be there, with a regular expression that is found in each.
    type: dict
  expect_json:
    description: Values of a JSON answer by path, such as C(checks.database.status). A number in a path is a position
      in a list.
    type: dict
  expect_text:
    description: Regular expressions that must each be found in an HTTP answer, in what a TCP service says first, or in
      the answer of Redis to O(command).
    type: list
    elements: str
  expect_value:
    description: The answer to O(query) or O(command), compared as text. For O(kind=redis) C(PONG) when neither this
      nor O(expect_text) is given, for O(kind=sql) any value is good.
    type: raw
  successes:
    description: How many good answers in a row are enough.
    type: int
    default: 1
  window:
    description: Seconds that the good answers must span. They are asked evenly over it. With V(0) O(pause) counts.
    type: float
    default: 0
  pause:
    description: Seconds between two attempts when there is no O(window).
    type: float
    default: 0.5
  p95_ms:
    description: Milliseconds that the 95th percentile of the last O(successes) answers may take, connection
      included. V(0) means any.
    type: float
    default: 0
  timeout:
    description: Seconds that one attempt may take.
    type: float
    default: 5
  deadline:
    description: Seconds after which no new attempt starts. With V(0) the first bad answer ends the gate.
    type: float
    default: 0
requirements:
  - python3-psycopg2 on the host, for O(kind=sql)
extends_documentation_fragment:
  - mainstay.platform._reader
seealso:
  - module: ansible.builtin.uri
  - module: ansible.builtin.wait_for
"""

EXAMPLES = r"""
- name: Wait until an instance answered ten times in a row, over five seconds
  mainstay.platform.health_gate:
    kind: http
    url: http://127.0.0.1:8000/health
    expect_json:
      status: ok
      checks.database.status: ok
    successes: 10
    window: 5
    p95_ms: 500
    deadline: 120

- name: Check that the edge serves the site on the floating address, by its name
  mainstay.platform.health_gate:
    kind: http
    url: https://pay.example.org/
    connect_to: 192.0.2.10
    ca_path: /etc/mainstay/tls/ca.crt
    expect_headers:
      Strict-Transport-Security: max-age=

- name: Check that the read-only entry ends at a replica
  mainstay.platform.health_gate:
    kind: sql
    host: 192.0.2.10
    port: 5001
    user: monitor
    password: "{{ monitor_password }}"
    tls: true
    ca_path: /etc/mainstay/tls/ca.crt
    query: SELECT pg_is_in_recovery()
    expect_value: true

- name: Check that Redis answers
  mainstay.platform.health_gate:
    kind: redis
    host: 127.0.0.1
    port: 6379
    user: ops
    password: "{{ redis_ops_password }}"
    tls: true
    ca_path: /etc/mainstay/tls/ca.crt
"""

RETURN = r"""
healthy:
  description: Whether the good answers were enough. A task that failed has V(false).
  returned: always
  type: bool
  sample: true
attempts:
  description: How many times the service was asked.
  returned: always
  type: int
  sample: 12
good:
  description: How many answers were good.
  returned: always
  type: int
  sample: 10
streak:
  description: How many good answers came in a row at the end.
  returned: always
  type: int
  sample: 10
longest_streak:
  description: The most good answers in a row.
  returned: always
  type: int
  sample: 10
p95_ms:
  description: The 95th percentile of the last good answers, in milliseconds; none without a good answer.
  returned: always
  type: float
  sample: 14.2
seconds:
  description: Seconds that the gate took.
  returned: always
  type: float
  sample: 6.3
evidence:
  description: The outcome in one line.
  returned: success
  type: str
  sample: http https://pay.example.org/ answered status 200, 10 times in a row, 95th percentile 14.2 ms
timeline:
  description: The attempts, at most the last 200.
  returned: always
  type: list
  elements: dict
  contains:
    at:
      description: Seconds from the start of the gate.
      type: float
      sample: 0.512
    good:
      description: Whether the answer was good.
      type: bool
      sample: true
    ms:
      description: Milliseconds that the answer took.
      type: float
      sample: 12.9
    found:
      description: What was seen.
      type: str
      sample: status 200
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._health import explain, run_series
from ansible_collections.mainstay.platform.plugins.module_utils._health_client import ASK
from ansible_collections.mainstay.platform.plugins.module_utils._postgres_client import MISSING, psycopg2

ARGUMENTS = {
    "kind": {"type": "str", "choices": ["http", "tcp", "sql", "redis"], "required": True},
    "url": {"type": "str"},
    "host": {"type": "str"},
    "port": {"type": "int"},
    "connect_to": {"type": "str"},
    "method": {"type": "str", "choices": ["GET", "HEAD"], "default": "GET"},
    "headers": {"type": "dict", "no_log": True},
    "user": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "tls": {"type": "bool", "default": False},
    "ca_path": {"type": "path"},
    "cert_path": {"type": "path"},
    "key_path": {"type": "path", "no_log": False},
    "server_name": {"type": "str"},
    "dsn": {"type": "str", "no_log": True},
    "database": {"type": "str", "default": "postgres"},
    "peer_user": {"type": "str"},
    "query": {"type": "str", "default": "SELECT 1"},
    "command": {"type": "list", "elements": "str", "default": ["PING"]},
    "expect_status": {"type": "list", "elements": "int", "default": [200]},
    "expect_headers": {"type": "dict"},
    "expect_json": {"type": "dict"},
    "expect_text": {"type": "list", "elements": "str"},
    "expect_value": {"type": "raw"},
    "successes": {"type": "int", "default": 1},
    "window": {"type": "float", "default": 0},
    "pause": {"type": "float", "default": 0.5},
    "p95_ms": {"type": "float", "default": 0},
    "timeout": {"type": "float", "default": 5},
    "deadline": {"type": "float", "default": 0},
}


def object_name(params):
    """The service as messages name it, without what could be a secret."""
    name = params["url"].split("?")[0].rpartition("@")[2] if params["kind"] == "http" else ""
    if not name:
        name = f"{params['host'] or 'local socket'}:{params['port'] or ''}".rstrip(":")
    via = f" by {params['connect_to']}" if params["connect_to"] else ""
    return f"{params['kind']} {name}{via}"


def check(module):
    """Refuse combinations that types cannot express."""
    params = module.params
    if params["successes"] < 1:
        module.fail_json(msg=f"successes: found {params['successes']}; expected at least 1")
    if params["window"] and params["successes"] < 2:
        module.fail_json(msg="successes: found 1 with a window; expected at least 2 answers to span a window")
    if params["deadline"] and params["window"] > params["deadline"]:
        module.fail_json(
            msg=f"window: found {params['window']:g} s; expected less than the deadline {params['deadline']:g} s"
        )
    if params["kind"] == "sql" and psycopg2 is None:
        module.fail_json(msg=MISSING)


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_if=[
            ("kind", "http", ["url"]),
            ("kind", "tcp", ["host", "port"]),
            ("kind", "redis", ["host", "port"]),
        ],
        required_together=[("cert_path", "key_path")],
        mutually_exclusive=[("dsn", "host")],
        supports_check_mode=True,
    )
    check(module)
    params = module.params
    try:
        result = run_series(lambda: ASK[params["kind"]](params), params, time.monotonic, time.sleep)
    except ValueError as error:
        module.fail_json(msg=f"{object_name(params)}: {error}")
    if not result["healthy"]:
        module.fail_json(msg=explain(object_name(params), result, params), **result)
    evidence = f"{object_name(params)} answered {result['timeline'][-1]['found']}"
    if result["streak"] > 1:
        evidence += f", {result['streak']} times in a row, 95th percentile {result['p95_ms']:g} ms"
    module.exit_json(changed=False, evidence=evidence, **result)


if __name__ == "__main__":
    main()
