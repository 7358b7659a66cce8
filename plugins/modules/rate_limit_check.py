# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: rate_limit_check
short_description: Check that a web server limits a source at its threshold, and says so
version_added: 0.1.0
description:
  - Sends requests to a server on this host until one is limited.
  - Fails unless that is the first one too many, and the answer names a time to wait.
  - The requests come from a loopback address that is chosen at random each time.
    So its count starts at zero, and no other client is limited by the check.
author:
  - The mainstay.platform authors (@mainstay)
options:
  port:
    description: TCP port of the server on the loopback address, which speaks HTTPS.
    type: int
    default: 443
  server_name:
    description: The name that the server's certificate must have.
    type: str
    default: localhost
  host_header:
    description: The Host header of the requests. By default O(server_name).
    type: str
  path:
    description: The path to ask for, by HEAD. One that costs the server little.
    type: str
    default: /
  requests:
    description: How many requests a source may send. One more is sent.
    type: int
    required: true
  limited_status:
    description: The status of a limited answer.
    type: int
    default: 429
  ca_path:
    description: File with the certificates of the authorities that are trusted. By default those of the system.
    type: path
  timeout:
    description: Seconds that one request may take.
    type: float
    default: 5
extends_documentation_fragment:
  - mainstay.platform._reader
seealso:
  - module: mainstay.platform.health_gate
"""

EXAMPLES = r"""
- name: Check that the edge limits a source after twenty requests
  mainstay.platform.rate_limit_check:
    requests: 20
    ca_path: /etc/mainstay/tls/ca.crt
"""

RETURN = r"""
source:
  description: The address from which the requests came.
  returned: always
  type: str
  sample: 127.81.12.201
sent:
  description: How many requests were sent.
  returned: always
  type: int
  sample: 21
evidence:
  description: The outcome in one line.
  returned: success
  type: str
  sample: 20 requests passed, the next one was answered 429 with Retry-After 10
"""

import http.client
import socket

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._edge import judge_limit, loopback_source
from ansible_collections.mainstay.platform.plugins.module_utils._tls import client_context


class Connection(http.client.HTTPConnection):
    """A connection to loopback, from a given address, with the server's name verified."""

    def __init__(self, params, source):
        super().__init__("127.0.0.1", params["port"], timeout=params["timeout"], source_address=(source, 0))
        self.context = client_context(params["ca_path"])
        self.server_name = params["server_name"]

    def connect(self):
        plain = socket.create_connection((self.host, self.port), self.timeout, self.source_address)
        self.sock = self.context.wrap_socket(plain, server_hostname=self.server_name)


def ask(params, source):
    """Statuses in the order of the requests, up to the first limited one, and its Retry-After."""
    statuses, retry_after = [], None
    connection = Connection(params, source)
    headers = {"Host": params["host_header"] or params["server_name"]}
    while len(statuses) <= params["requests"]:
        connection.request("HEAD", params["path"], headers=headers)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
        if answer.status == params["limited_status"]:
            retry_after = answer.getheader("Retry-After")
            break
    connection.close()
    return statuses, retry_after


def main():
    module = AnsibleModule(
        argument_spec={
            "port": {"type": "int", "default": 443},
            "server_name": {"type": "str", "default": "localhost"},
            "host_header": {"type": "str"},
            "path": {"type": "str", "default": "/"},
            "requests": {"type": "int", "required": True},
            "limited_status": {"type": "int", "default": 429},
            "ca_path": {"type": "path"},
            "timeout": {"type": "float", "default": 5},
        },
        supports_check_mode=True,
    )
    source = loopback_source()
    try:
        statuses, retry_after = ask(module.params, source)
    except (OSError, http.client.HTTPException) as error:
        module.fail_json(msg=f"127.0.0.1:{module.params['port']}: could not be asked: {error}", source=source, sent=0)
    good, sentence = judge_limit(statuses, retry_after, module.params["requests"], module.params["limited_status"])
    result = {"source": source, "sent": len(statuses), "changed": False}
    if not good:
        module.fail_json(msg=sentence, **result)
    module.exit_json(evidence=sentence, **result)


if __name__ == "__main__":
    main()
