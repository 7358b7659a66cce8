# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# This file is longer than others because holding, switching and letting go are one act, whatever fails in between.
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: patroni_switchover
short_description: Hand the role of the primary to another member while statements wait
version_added: 0.1.0
description:
  - Runs on the host of the primary. Has the pooler finish what it does and hold what comes, has Patroni hand over,
    points the pooler at the new primary, and lets it go on. Clients of this pooler see a pause and no error.
  - The pooler goes on in any case, also when the switch fails, a transaction does not end in time, or the module is
    killed. After a kill the pooler may point at a replica until the next hand-over.
  - Nothing happens when O(candidate) is primary already.
  - The pooler's file is left pointing at the new primary, for the sessions that it still has. Have the file written
    again when those are gone.
author:
  - The mainstay.platform authors (@mainstay)
options:
  leader:
    description: Name of the member that is primary.
    type: str
    required: true
  candidate:
    description: Name of the member that takes over.
    type: str
    required: true
  patroni_url:
    description: Address of Patroni's REST interface on O(leader).
    type: str
    required: true
  candidate_url:
    description: Address of Patroni's REST interface on O(candidate).
    type: str
    required: true
  user:
    description: Account of the REST interface.
    type: str
  password:
    description: Password of O(user).
    type: str
  prepare:
    description: Command that runs before statements are held, so that the shutdown of the primary has little left to
      do, such as a checkpoint. It has 30 seconds.
    type: list
    elements: str
    default: []
  marker:
    description: Path of a file that is there while statements are held, for a C(before_stop) of Patroni that then stops
      PostgreSQL itself. Patroni would look only once a second whether it has stopped. Without it there is no file.
    type: path
  pooler:
    description: Command that opens the pooler's console by psql, for statements from its input. Without it nothing is
      held.
    type: list
    elements: str
    default: []
  pooler_socket:
    description: The socket of O(pooler). Where it is not there no pooler runs, as on a host that is still being built,
      and nothing is held.
    type: path
  pooler_config:
    description: The pooler's file with the addresses of its servers.
    type: path
  pooler_from:
    description: Address in O(pooler_config) that is replaced.
    type: str
  pooler_to:
    description: Address of the new primary.
    type: str
  pause_deadline:
    description: Seconds in which running transactions must end.
    type: float
    default: 5
  deadline:
    description: Seconds in which the candidate must be primary. Held statements wait as long.
    type: float
    default: 20
extends_documentation_fragment:
  - mainstay.platform._patroni
  - mainstay.platform._patroni.client
  - mainstay.platform._changer
"""

EXAMPLES = r"""
- name: Ensure that db2 is primary
  mainstay.platform.patroni_switchover:
    leader: db1
    candidate: db2
    patroni_url: https://192.0.2.11:8008
    candidate_url: https://192.0.2.12:8008
    user: patroni
    password: "{{ patroni_password }}"
    ca_path: /etc/mainstay/tls/ca.crt
    pooler: [psql, -X, -h, /run/pgbouncer, -p, "6432", -U, pgbouncer, -d, pgbouncer]
    pooler_socket: /run/pgbouncer/.s.PGSQL.6432
    pooler_config: /etc/pgbouncer/pgbouncer.ini
    pooler_from: 192.0.2.11
    pooler_to: 192.0.2.12
"""

RETURN = r"""
held:
  description: Seconds from the first statement that was held until they went on.
  returned: when it switched and there was a pooler to hold them
  type: float
  sample: 1.31
"""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._health_client import fetch, network_error
from ansible_collections.mainstay.platform.plugins.module_utils._patroni_client import get_json
from ansible_collections.mainstay.platform.plugins.module_utils._pooler import Failed, Pooler

PREPARATION = 30  # seconds
LOOK = 0.05  # seconds between two looks at the candidate: every one of them is a pause for clients
ARGUMENTS = {
    "leader": {"type": "str", "required": True},
    "candidate": {"type": "str", "required": True},
    "patroni_url": {"type": "str", "required": True},
    "candidate_url": {"type": "str", "required": True},
    "user": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "ca_path": {"type": "path"},
    "cert_path": {"type": "path"},
    "key_path": {"type": "path"},
    "prepare": {"type": "list", "elements": "str", "default": []},
    "marker": {"type": "path"},
    "pooler": {"type": "list", "elements": "str", "default": []},
    "pooler_socket": {"type": "path"},
    "pooler_config": {"type": "path"},
    "pooler_from": {"type": "str"},
    "pooler_to": {"type": "str"},
    "pause_deadline": {"type": "float", "default": 5},
    "deadline": {"type": "float", "default": 20},
}


def leader_of(params, get=get_json):
    cluster, error = get(f"{params['patroni_url'].rstrip('/')}/cluster", params)
    if error:
        raise Failed(f"Patroni at {params['patroni_url']}: found {error}; expected the members; start patroni there")
    if cluster.get("pause"):
        raise Failed("Patroni: found the cluster paused; expected it to decide; resume it with patronictl resume")
    return next((item["name"] for item in cluster["members"] if item["role"] == "leader"), "")


class Order(threading.Thread):
    """Patroni answers only some time after the switch is over; its answer matters when there is none."""

    def __init__(self, params, ask=fetch):
        super().__init__(daemon=True)
        self.params, self.ask, self.refusal = params, ask, ""

    def run(self):
        body = {"leader": self.params["leader"], "candidate": self.params["candidate"]}
        try:
            answer = self.ask(
                {
                    **self.params,
                    "url": f"{self.params['patroni_url'].rstrip('/')}/switchover",
                    "method": "POST",
                    "body": json.dumps(body),
                    "timeout": self.params["deadline"] + 5,
                }
            )
            if answer["status"] != 200:
                self.refusal = answer["text"].strip()
        except OSError as error:
            self.refusal = network_error(error)


def wait_for_candidate(params, order, get=get_json, clock=time.monotonic, sleep=time.sleep):
    """Until the candidate takes writes, or Patroni has refused, or it takes too long."""
    end = clock() + params["deadline"]
    url = f"{params['candidate_url'].rstrip('/')}/primary"
    while True:
        found, _error = get(url, {**params, "timeout": 2})
        if found and found.get("role") in ("primary", "master") and found.get("state") == "running":
            return
        if order.refusal or clock() > end:
            raise Failed(
                f"switch from {params['leader']} to {params['candidate']}: found "
                f"{order.refusal or 'no new primary after ' + format(params['deadline'], 'g') + ' s'}; expected the "
                "role to move; read patronictl list and journalctl -u patroni on both"
            )
        sleep(LOOK)


@contextlib.contextmanager
def marked(path):
    """The file is there for as long as statements are held."""
    if not path:
        yield
        return
    with open(path, "w", encoding="utf-8"):
        pass
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def switch(params, pooler, order):
    """Seconds for which statements were held."""
    began = time.monotonic()
    here, there = params["pooler_from"], params["pooler_to"]
    pooler.hold()
    try:
        try:
            pooler.point(here, there)  # now, because clients wait for what is done at the end
            with marked(params["marker"]):
                order.start()
                wait_for_candidate(params, order)
        except BaseException:
            pooler.point(there, here)
            raise
    finally:
        pooler.go_on()
    return time.monotonic() - began


def prepare(params):
    """Have the primary do before statements are held what would make its shutdown long."""
    if not params["prepare"]:
        return
    try:
        subprocess.run(params["prepare"], check=True, capture_output=True, text=True, timeout=PREPARATION)
    except subprocess.CalledProcessError as error:
        found = error.stderr.strip()
    except subprocess.TimeoutExpired:
        found = f"it not done after {PREPARATION} s"
    else:
        return
    raise Failed(
        f"preparing {params['leader']}: found {found}; expected {params['prepare'][0]} to succeed; look at its disk "
        "and its log, and run the playbook again; nothing has changed"
    )


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        required_together=[("user", "password"), ("pooler_config", "pooler_from", "pooler_to")],
    )
    params = {**module.params, "timeout": 5}
    try:
        leader = leader_of(params)
        if leader == params["candidate"]:
            module.exit_json(changed=False)
        if leader != params["leader"]:
            raise Failed(
                f"switch from {params['leader']}: found {leader or 'nobody'} as primary; expected {params['leader']}; "
                "run the playbook again, which reads who is primary"
            )
        if module.check_mode:
            module.exit_json(changed=True)
        prepare(params)
        pooler = Pooler(params)
        # The controller's connection may end, this must not. Outside the main thread no signal can be set.
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with contextlib.closing(pooler):
            pooler.open()
            held = switch(params, pooler, Order(params))
    except Failed as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, **({"held": round(held, 2)} if pooler.runs else {}))


if __name__ == "__main__":
    main()
