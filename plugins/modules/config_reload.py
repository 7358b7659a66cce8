#!/usr/bin/python
# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: config_reload
short_description: Ensure that a server of the Prometheus family has read its present configuration
version_added: 0.1.0
description:
  - Prometheus, Alertmanager and the blackbox exporter say in a metric when they last read their configuration.
    When a file is younger, the server is asked over HTTP to read it again.
  - So a reload is never lost, as that of a handler is when a run is killed between the file and the end of the play,
    and a server that still starts is waited for. A signal would kill it.
author:
  - The mainstay.platform authors (@mainstay)
options:
  url:
    description: Where the server answers, without a path. Prometheus needs C(--web.enable-lifecycle).
    type: str
    required: true
  ca_path:
    description: File with the certificates of the authorities that are trusted. By default those of the system.
    type: path
  metric:
    description: Name of the metric with the time of the last successful reload, in seconds since 1970.
    type: str
    required: true
  files:
    description: Files that the server reads on a reload.
    type: list
    elements: path
    required: true
  deadline:
    description: Seconds that a server which starts has until it answers.
    type: float
    default: 60
extends_documentation_fragment:
  - mainstay.platform._changer
"""

EXAMPLES = r"""
- name: Ensure that Alertmanager has read its configuration
  mainstay.platform.config_reload:
    url: https://10.20.31.11:9093
    ca_path: /etc/mainstay/tls/ca.crt
    metric: alertmanager_config_last_reload_success_timestamp_seconds
    files: [/etc/prometheus/alertmanager.yml]
"""

RETURN = r"""
read_at:
  description: When the server had last read its configuration, in seconds since 1970, before it was asked again.
  returned: when the server answers
  type: float
  sample: 1795253361.25
"""

import os
import time
from urllib.error import HTTPError

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_native
from ansible.module_utils.urls import open_url

PAUSE = 1  # seconds between two tries

ARGUMENTS = {
    "url": {"type": "str", "required": True},
    "ca_path": {"type": "path"},
    "metric": {"type": "str", "required": True},
    "files": {"type": "list", "elements": "path", "required": True},
    "deadline": {"type": "float", "default": 60},
}


def value_of(metric, text):
    """The value of a metric without labels in a page of metrics; 0 when it is not there, as before the first reload."""
    for line in text.splitlines():
        name, _space, value = line.partition(" ")
        if name == metric:
            return float(value)
    return 0.0


def newest(paths):
    """When the newest of the files that exist was written."""
    return max((os.stat(path).st_mtime for path in paths if os.path.exists(path)), default=0.0)


def fetch(params, path, method="GET"):
    answer = open_url(f"{params['url']}{path}", method=method, ca_path=params["ca_path"], use_proxy=False)
    return to_native(answer.read())


def read_at(params, clock=time.monotonic, sleep=time.sleep):
    """When the server last read its configuration. A server that starts is asked until the deadline."""
    end = clock() + params["deadline"]
    while True:
        try:
            return value_of(params["metric"], fetch(params, "/metrics"))
        except OSError:
            if clock() + PAUSE > end:
                raise
        sleep(PAUSE)


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    try:
        seen = read_at({**params, "deadline": 0} if module.check_mode else params)
    except OSError as error:
        if module.check_mode:
            module.exit_json(changed=True, msg="the server does not run yet")
        module.fail_json(
            msg=f"{params['url']}/metrics: found {to_native(error)}; "
            f"expected an answer within {params['deadline']:g} s; read the journal of the service"
        )
    stale = newest(params["files"]) > seen
    if stale and not module.check_mode:
        try:
            fetch(params, "/-/reload", "POST")
        except OSError as error:
            reason = to_native(error.read()).strip() if isinstance(error, HTTPError) else ""
            module.fail_json(
                msg=f"{params['url']}: found that it refuses {', '.join(params['files'])} "
                f"({reason or to_native(error)}); expected a configuration that it accepts; "
                "correct the input from which it is made"
            )
    module.exit_json(changed=stale, read_at=seen)


if __name__ == "__main__":
    main()
