# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: rate_limit_check
short_description: Check that HAProxy limits a source at its threshold, and says so
version_added: 0.1.0
description:
  - Asks an HAProxy on this host as a source that may send one more request, and then once more.
  - Fails unless the first one passes, the second one is limited, and that answer names a time to wait.
  - The requests come from a loopback address that is chosen at random each time, so no other client is limited by the
    check. What it has sent before is told to HAProxy over its socket; sent for real, as many requests as a high limit
    allows would take longer than the window in which they count.
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
    description: How many requests a source may send.
    type: int
    required: true
  table:
    description: Name of the table in which HAProxy counts them, of type C(ipv6) with C(http_req_rate).
    type: str
    required: true
  socket:
    description: A socket of level admin of the process.
    type: path
    default: /run/haproxy/admin.sock
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
    table: rate_global
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
  sample: 2
evidence:
  description: The outcome in one line.
  returned: success
  type: str
  sample: request 20 passed, the next one was answered 429 with Retry-After 10
"""

import http.client
import socket

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._edge import judge_limit, loopback_source
from ansible_collections.mainstay.platform.plugins.module_utils._haproxy_client import Refused, say
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


def have_sent(params, source):
    """Have HAProxy count all requests of the source but one that it may send."""
    command = f"set table {params['table']} key ::ffff:{source} data.http_req_rate {params['requests'] - 1}"
    answer = say(params["socket"], command).strip()
    if answer:
        raise Refused(f"HAProxy at {params['socket']}: found {answer!r} to '{command}'; expected it to be done")


def ask(params, source):
    """Statuses of the last request that is allowed and of the next one, and the Retry-After of one that is limited."""
    statuses = []
    headers = {"Host": params["host_header"] or params["server_name"]}
    for _request in range(2):
        connection = Connection(params, source)
        connection.request("HEAD", params["path"], headers=headers)
        answer = connection.getresponse()
        connection.close()
        statuses.append(answer.status)
        if answer.status == params["limited_status"]:
            return statuses, answer.getheader("Retry-After")
    return statuses, None


def main():
    module = AnsibleModule(
        argument_spec={
            "port": {"type": "int", "default": 443},
            "server_name": {"type": "str", "default": "localhost"},
            "host_header": {"type": "str"},
            "path": {"type": "str", "default": "/"},
            "requests": {"type": "int", "required": True},
            "table": {"type": "str", "required": True},
            "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
            "limited_status": {"type": "int", "default": 429},
            "ca_path": {"type": "path"},
            "timeout": {"type": "float", "default": 5},
        },
        supports_check_mode=True,
    )
    source = loopback_source()
    try:
        have_sent(module.params, source)
        statuses, retry_after = ask(module.params, source)
    except Refused as error:
        module.fail_json(msg=str(error), source=source, sent=0)
    except (OSError, http.client.HTTPException) as error:
        module.fail_json(msg=f"127.0.0.1:{module.params['port']}: could not be asked: {error}", source=source, sent=0)
    good, sentence = judge_limit(statuses, retry_after, module.params["requests"], module.params["limited_status"])
    result = {"source": source, "sent": len(statuses), "changed": False}
    if not good:
        module.fail_json(msg=sentence, **result)
    module.exit_json(evidence=sentence, **result)


if __name__ == "__main__":
    main()
