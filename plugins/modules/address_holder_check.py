# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: address_holder_check
short_description: Check that exactly one host holds a floating address
version_added: 0.1.0
description:
  - Looks whether this host holds the address, asks the wire by ARP who else does, and fails unless it is one host.
  - So two hosts that both believe to be master are seen from each of them, whatever they say of themselves.
author:
  - The mainstay.platform authors (@mainstay)
options:
  address:
    description: The floating IPv4 address, without a prefix.
    type: str
    required: true
  interface:
    description: The Ethernet interface on which the address is expected.
    type: str
    required: true
  source:
    description: This host's own address, in whose name it asks.
    type: str
    required: true
  wait:
    description: Seconds in which answers are collected.
    type: float
    default: 0.5
requirements:
  - root, for a raw socket
  - ip of the package iproute2
extends_documentation_fragment:
  - mainstay.platform._reader
"""

EXAMPLES = r"""
- name: Check that one host of the edge holds the floating address
  mainstay.platform.address_holder_check:
    address: 192.0.2.10
    interface: eth0
    source: 192.0.2.11
"""

RETURN = r"""
own:
  description: Whether this host holds the address.
  returned: always
  type: bool
  sample: false
others:
  description: Hardware addresses of the other hosts that hold it.
  returned: always
  type: list
  elements: str
  sample: ['02:42:ac:1e:00:0b']
evidence:
  description: The outcome in one line.
  returned: success
  type: str
  sample: 192.0.2.10 is held by 02:42:ac:1e:00:0b
"""

import json
import socket
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._edge import (
    ETHERTYPE_ARP,
    arp_answer,
    arp_request,
    judge_holders,
)


def held_here(module):
    """Whether one of this host's interfaces carries the address."""
    command = ["ip", "-json", "-4", "address", "show", "to", module.params["address"]]
    _rc, out, _err = module.run_command(command, check_rc=True)
    return any(link.get("addr_info") for link in json.loads(out or "[]"))


def held_elsewhere(params):
    """Hardware addresses of all who answer for the address on the wire."""
    found = set()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE_ARP)) as wire:
        wire.bind((params["interface"], ETHERTYPE_ARP))
        wire.send(arp_request(wire.getsockname()[4], params["source"], params["address"]))
        end = time.monotonic() + params["wait"]
        while (left := end - time.monotonic()) > 0:
            wire.settimeout(left)
            try:
                mac = arp_answer(wire.recv(128), params["address"])
            except TimeoutError:
                break
            if mac:
                found.add(mac)
    return found


def main():
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "interface": {"type": "str", "required": True},
            "source": {"type": "str", "required": True},
            "wait": {"type": "float", "default": 0.5},
        },
        supports_check_mode=True,
    )
    try:
        own, others = held_here(module), held_elsewhere(module.params)
    except OSError as error:
        module.fail_json(msg=f"interface {module.params['interface']}: could not ask for the address: {error}")
    good, sentence = judge_holders(module.params["address"], own, others)
    result = {"own": own, "others": sorted(others), "changed": False}
    if not good:
        module.fail_json(msg=sentence, **result)
    module.exit_json(evidence=sentence, **result)


if __name__ == "__main__":
    main()
