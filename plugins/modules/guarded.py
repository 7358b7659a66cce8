# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: guarded
short_description: Change what could close the way in, and keep it only when a new connection comes in
version_added: 0.1.0
description:
  - Runs modules that change ssh, PAM, sudo or the firewall with a dead man's switch.
    The old state returns by itself unless a new connection confirms in time.
    The confirmation logs in and becomes another user as every task does, so both are proven.
  - Every step is run in check mode first. When none would change anything, nothing is armed.
  - A change that was not confirmed fails the task with the reason, when the old state is back.
  - Where Ansible does not come in by ssh, as with the connection plugins of container engines,
    a new connection proves less.
author:
  - The mainstay.platform authors (@mainstay)
options:
  name:
    description: Name of the change. Two runs cannot make one at the same time.
    type: str
    required: true
  steps:
    description: The modules, in order.
    type: list
    elements: dict
    required: true
    suboptions:
      module:
        description: Full name of a module that supports check mode and is no action of the controller.
        type: str
        required: true
      args:
        description: Its arguments.
        type: dict
        default: {}
  paths:
    description: Files and directories that return. What is new in a directory goes.
    type: list
    elements: path
    required: true
  revert:
    description: Commands of C(sh) that bring the old files, and what was dumped, into force.
    type: str
    default: ':'
  dump:
    description:
      - Commands of C(sh) that print what is to return and is no file, such as rules of the kernel.
      - O(revert) finds what they printed in the file that its variable C(dumped) names.
    type: str
    default: ':'
  seconds:
    description: Time from the first step to the confirmation.
    type: int
    default: 30
attributes:
  action:
    support: full
  async:
    support: none
  bypass_host_loop:
    support: none
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.flow
seealso:
  - module: mainstay.platform.guard
"""

EXAMPLES = r"""
- name: Ensure that rules are in force, and that they leave the door open
  mainstay.platform.guarded:
    name: firewall
    paths: [/etc/nftables-mainstay.nft]
    dump: nft list table inet mainstay
    revert: nft delete table inet mainstay; nft -f "$dumped"
    steps:
      - module: mainstay.platform.file_bundle
        args:
          files:
            - path: /etc/nftables-mainstay.nft
              content: "{{ lookup('mainstay.platform.template', 'nftables-mainstay.nft.j2') }}"
              validate: nft -c -f %s
      - module: mainstay.platform.services
        args:
          services:
            - name: mainstay-firewall.service
              files: [/etc/nftables-mainstay.nft]
              refresh: [reload]
"""

RETURN = r"""
guarded:
  description: Whether something was changed with the old state ready to return.
  returned: always
  type: bool
  sample: true
restored:
  description: Whether the old state was seen to be back.
  returned: when the change was not confirmed
  type: bool
  sample: true
"""
