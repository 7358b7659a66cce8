# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: port_probe
short_description: Say which ports of which addresses answer this host
version_added: 0.1.0
description:
  - Opens connections to every port of every address at once, closes them, and says what became of each.
    No data are sent by TCP; by UDP one byte is.
  - V(open) means that something accepts; V(refused) that packets come through and nothing listens; V(silent) that
    nothing came back in time, as when a firewall drops; V(unreachable) that there is no way, or a rejection.
  - By UDP a service that does not answer one byte is V(silent) too.
  - It judges nothing. The filter P(mainstay.platform.probe_problems#filter) does.
author:
  - The mainstay.platform authors (@mainstay)
options:
  addresses:
    description: What is probed, IPv4 and IPv6.
    type: list
    elements: str
    required: true
  tcp:
    description: TCP ports.
    type: list
    elements: int
    default: []
  udp:
    description: UDP ports. A host answers only a few wrong ones per second, so ask few.
    type: list
    elements: int
    default: []
  timeout:
    description: Seconds after which no answer counts as none. A lost packet is sent again after one second.
    type: float
    default: 3
  concurrent:
    description: How many connections are under way at a time. Each is an open file, of which a session has 1024.
    type: int
    default: 500
extends_documentation_fragment:
  - mainstay.platform._reader
seealso:
  - module: mainstay.platform.health_gate
"""

EXAMPLES = r"""
- name: Look what a database host shows to this one
  mainstay.platform.port_probe:
    addresses: [192.0.2.31]
    tcp: [22, 5432, 6432]
    udp: [123]
"""

RETURN = r"""
probes:
  description: One entry for each address and protocol.
  returned: always
  type: list
  elements: dict
  contains:
    address:
      description: The address that was probed.
      type: str
      sample: 192.0.2.31
    source:
      description: The address from which it was probed; empty when there is no route.
      type: str
      sample: 192.0.2.21
    proto:
      description: Protocol, V(tcp) or V(udp).
      type: str
      sample: tcp
    open:
      description: Ports on which something accepts.
      type: list
      elements: int
      sample: [5432]
    refused:
      description: Ports on which nothing listens, though packets come through.
      type: list
      elements: int
      sample: []
    silent:
      description: Ports from which nothing came back.
      type: list
      elements: int
      sample: [22, 6432]
    unreachable:
      description: Ports to which there is no way, or which were rejected.
      type: list
      elements: int
      sample: []
evidence:
  description: All of it in one line.
  returned: always
  type: str
  sample: "4 ports of 1 address(es) in 3.0 s: 1 open, 0 refused, 3 silent, 0 unreachable"
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._port_probe import (
    OPEN,
    REFUSED,
    SILENT,
    UNREACHABLE,
    local_address,
    probe,
)

STATES = (OPEN, REFUSED, SILENT, UNREACHABLE)
PORTS = {"type": "list", "elements": "int", "default": []}
ARGUMENTS = {
    "addresses": {"type": "list", "elements": "str", "required": True},
    "tcp": PORTS,
    "udp": PORTS,
    "timeout": {"type": "float", "default": 3},
    "concurrent": {"type": "int", "default": 500},
}


def grouped(addresses, found):
    """The states of all ports, by address and protocol."""
    rows = {}
    for proto, address, port, state in found:
        rows.setdefault((address, proto), {each: [] for each in STATES})[state].append(port)
    sources = {address: local_address(address) for address in addresses}
    return [
        {
            "address": address,
            "source": sources[address],
            "proto": proto,
            **{each: sorted(states[each]) for each in STATES},
        }
        for (address, proto), states in sorted(rows.items())
    ]


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params, began = module.params, time.monotonic()
    addresses = list(dict.fromkeys(params["addresses"]))
    # Address by address the ports would come in one burst to each host.
    wanted = [(proto, each, port) for proto in ("tcp", "udp") for port in set(params[proto]) for each in addresses]
    try:
        rows = grouped(addresses, probe(wanted, params["timeout"], params["concurrent"]))
    except (OSError, OverflowError) as error:
        module.fail_json(
            msg=f"probe of {len(wanted)} ports: found {error}; expected addresses and ports that a socket takes, and "
            f"fewer open files than a session may have; correct addresses and ports, or lower concurrent"
        )
    counts = ", ".join(f"{sum(len(row[state]) for row in rows)} {state}" for state in STATES)
    spent = time.monotonic() - began
    evidence = f"{len(wanted)} ports of {len(addresses)} address(es) in {spent:.1f} s: {counts}"
    module.exit_json(changed=False, probes=rows, evidence=evidence)


if __name__ == "__main__":
    main()
