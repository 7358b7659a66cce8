#!/usr/bin/python
# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: prometheus_gate
short_description: Ask Prometheus whether it watches what it should, and what it sees
version_added: 0.1.0
description:
  - Asks one question of a Prometheus server and fails when the answer is not as expected.
  - The module asks once. M(mainstay.platform.gates) asks again until its deadline.
author:
  - The mainstay.platform authors (@mainstay)
extends_documentation_fragment:
  - mainstay.platform._reader
attributes:
  platform:
    description: Platforms that the module runs on.
    platforms: posix
    support: full
options:
  url:
    description: Where the server answers, without a path.
    type: str
    required: true
  ca_path:
    description: File with the certificates of the authorities that are trusted. By default those of the system.
    type: path
  timeout:
    description: Seconds that an answer may take.
    type: float
    default: 10
  scrape_configs:
    description:
      - Scrape configurations in Prometheus' own form. Every target of their C(static_configs) must be scraped and up.
      - A target is known by its job and by its labels, but for those that begin with two underscores.
    type: list
    elements: dict
  rules:
    description: With V(true) there must be rules, and every one must have been evaluated without an error.
    type: bool
    choices: [true]
  alertmanagers:
    description: URLs of the Alertmanagers that the server must send its alerts to.
    type: list
    elements: str
  quiet:
    description: Severities of which no alert may fire.
    type: list
    elements: str
  ignore:
    description: Names of alerts that may fire all the same, for O(quiet).
    type: list
    elements: str
    default: []
  expression:
    description: A PromQL expression that gives a vector.
    type: str
  expect:
    description: Whether O(expression) must give V(some) series or V(none).
    type: str
    choices: [some, none]
    default: some
seealso:
  - module: mainstay.platform.gates
"""

EXAMPLES = r"""
- name: Assert that every database host is scraped
  mainstay.platform.prometheus_gate:
    url: https://10.20.31.11:9090
    ca_path: /etc/mainstay/tls/ca.crt
    scrape_configs:
      - job_name: postgresql
        static_configs:
          - targets: ['10.20.21.11:9187']
            labels: {instance: db1}

- name: Assert that no critical alert fires
  mainstay.platform.prometheus_gate:
    url: https://10.20.31.11:9090
    ca_path: /etc/mainstay/tls/ca.crt
    quiet: [critical]

- name: Assert that no probe fails
  mainstay.platform.prometheus_gate:
    url: https://10.20.31.11:9090
    ca_path: /etc/mainstay/tls/ca.crt
    expression: probe_success == 0
    expect: none
"""

RETURN = r"""
evidence:
  description: What was found, in one sentence.
  returned: always
  type: str
  sample: 37 of 37 targets are up
"""

import json
from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_native
from ansible.module_utils.urls import open_url
from ansible_collections.mainstay.platform.plugins.module_utils import _prometheus

QUESTIONS = ("scrape_configs", "rules", "alertmanagers", "quiet", "expression")

ARGUMENTS = {
    "url": {"type": "str", "required": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "float", "default": 10},
    "scrape_configs": {"type": "list", "elements": "dict"},
    "rules": {"type": "bool", "choices": [True]},
    "alertmanagers": {"type": "list", "elements": "str"},
    "quiet": {"type": "list", "elements": "str"},
    "ignore": {"type": "list", "elements": "str", "default": []},
    "expression": {"type": "str"},
    "expect": {"type": "str", "choices": ["some", "none"], "default": "some"},
}


def ask(params, path):
    """The decoded answer of the server's HTTP API."""
    answer = open_url(
        f"{params['url']}/api/v1/{path}", ca_path=params["ca_path"], timeout=params["timeout"], use_proxy=False
    )
    return json.loads(answer.read())


def judge(params, get):
    """Whether the one question that was put is answered as expected. Gives (holds, evidence)."""
    if params["scrape_configs"] is not None:
        return _prometheus.judge_targets(params["scrape_configs"], get("targets?state=active"))
    if params["rules"]:
        return _prometheus.judge_rules(get("rules"))
    if params["alertmanagers"] is not None:
        return _prometheus.judge_alertmanagers(params["alertmanagers"], get("alertmanagers"))
    if params["quiet"] is not None:
        return _prometheus.judge_quiet(params["quiet"], get("alerts"), params["ignore"])
    return _prometheus.judge_expression(params["expect"], get(f"query?query={quote(params['expression'])}"))


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        mutually_exclusive=[QUESTIONS],
        required_one_of=[QUESTIONS],
        supports_check_mode=True,
    )
    try:
        holds, evidence = judge(module.params, lambda path: ask(module.params, path))
    except (OSError, ValueError, KeyError) as error:
        # OSError covers what urllib and ssl raise; the others are answers that are no answer of Prometheus.
        module.fail_json(
            msg=f"{module.params['url']} gave no usable answer: {to_native(error)}", evidence=to_native(error)
        )
    if not holds:
        module.fail_json(msg=evidence, evidence=evidence)
    module.exit_json(changed=False, evidence=evidence)


if __name__ == "__main__":
    main()
