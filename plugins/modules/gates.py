# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: gates
short_description: Ask the live services of a host whether they keep their promises
version_added: 0.1.0
description:
  - Runs a list of gates. A gate is one question to a live service - a read-only module, a condition over its result,
    and the remedy when it does not hold.
  - Red gates are asked again until O(deadline) is over; gates that hold are not asked twice.
  - Every gate becomes a row of the fact C(platform_findings), from which the report is made.
    A row replaces an earlier one of the same host, role and gate.
  - The task fails when a gate is red, unless the variable C(platform_verify_enforce) is false. A failed task leaves
    no fact, its findings are in the result.
  - In check mode every gate is asked once; red ones are warned of, and the run goes on, because changes that would turn
    them green have not been made. The report at the end of C(site.yml) and C(verify.yml) fails all the same. A gate
    that judges what must be so before anything changes has C(check_mode=false), and fails in a dry run, too.
author:
  - The mainstay.platform authors (@mainstay)
options:
  role:
    description: Name of the role whose promises are asked.
    type: str
    required: true
  deadline:
    description:
      - Seconds that all gates of the task together have until they hold. Red ones are tried again after a pause of
        one second.
      - With V(0) each gate is asked once.
    type: float
    default: 0
  mask:
    description:
      - Texts that nobody is to read in the evidence, such as secrets; C(***) stands in their place, and of each of
        their lines. Those of three characters or less are left.
      - Conditions are judged over what was really found.
    type: list
    elements: str
    default: []
  gates:
    description: The questions.
    type: list
    elements: dict
    required: true
    suboptions:
      gate:
        description: The promise as a plain sentence, unique in the role.
        type: str
        required: true
      module:
        description:
          - Full name of the module that asks. It runs in check mode too, so it must only read.
          - Modules that are actions on the controller are refused, but for M(ansible.builtin.command),
            M(ansible.builtin.shell), M(ansible.builtin.uri)
            and M(ansible.builtin.wait_for), which run on the host.
          - Without it O(gates[].that) is judged over variables alone.
        type: str
      args:
        description: Arguments of the module. They are templated before the gate runs.
        type: dict
      that:
        description:
          - A conditional, or a list of them that must all hold, over RV(ignore:result) and all variables of the
            host. Written without curly braces.
          - Without it the gate holds when the module does not fail.
          - A module that could not run at all, such as a missing binary, is red whatever the condition says.
        type: raw
      evidence:
        description: An expression over RV(ignore:result) that gives the text shown as proof. By default the module's
          own message or output.
        type: raw
      said:
        description: Text that is shown as proof as it is, for a gate that judges what an earlier task found.
        type: str
      remedy:
        description: One sentence - what to do when the gate is red.
        type: str
      when:
        description: A boolean, a conditional or a list of them. A gate that is not wanted leaves no row.
        type: raw
      not_applicable:
        description: The reason why the gate cannot be asked on this host. Text that is not empty makes a row with
          the verdict V(not applicable).
        type: str
      no_log:
        description: Hide the evidence, and keep the arguments out of the host's log.
        type: bool
        default: false
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
    support: none
  facts:
    support: full
  platform:
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.facts
  - ansible.builtin.action_common_attributes.flow
seealso:
  - module: ansible.builtin.assert
"""

EXAMPLES = r"""
- name: verify | Assert that ssh answers as promised
  mainstay.platform.gates:
    role: hardening
    deadline: 30
    gates:
      - gate: root cannot log in over ssh
        module: ansible.builtin.command
        args:
          argv: [/usr/sbin/sshd, -T]
        that: "'permitrootlogin no' in result.stdout_lines"
        evidence: result.stdout_lines | select('match', 'permitrootlogin') | first
        remedy: Run the hardening role again and look for a later drop-in below /etc/ssh/sshd_config.d.
      - gate: fail2ban watches sshd
        module: ansible.builtin.command
        args:
          argv: [fail2ban-client, status, sshd]
        remedy: Read the unit's journal and start fail2ban.
      - gate: the audit rules are loaded
        not_applicable: "{{ 'the kernel of a container is not its own' if platform_is_container else '' }}"
        module: ansible.builtin.command
        args:
          argv: [auditctl, -l]
        that: result.stdout_lines | length > 1
"""

RETURN = r"""
findings:
  description: One row for each gate that was asked.
  returned: always
  type: list
  elements: dict
  contains:
    host:
      description: Inventory name of the host.
      type: str
      sample: cache1
    role:
      description: The role that promised.
      type: str
      sample: redis
    gate:
      description: The promise.
      type: str
      sample: every replica follows the master
    verdict:
      description: V(pass), V(fail) or V(not applicable).
      type: str
      sample: pass
    evidence:
      description: What was seen, one line of at most 300 characters.
      type: str
      sample: 2 of 2 replicas, lag 0 bytes
    expected:
      description: What had to be seen.
      type: str
      sample: result.replicas | length == 2
    remedy:
      description: What to do when the gate is red.
      type: str
      sample: Run the redis role again.
    seconds:
      description: Seconds from the start of the task until the last answer.
      type: float
      sample: 0.4
    tries:
      description: How many times the gate was asked.
      type: int
      sample: 1
msg:
  description: How many gates hold; for a failed task every red one with what was found, what was expected and the
    remedy.
  returned: always
  type: str
  sample: 3 of 3 gates of redis hold
"""
