# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# This file is longer than others because telling, waiting and taking back are one act, whatever ends the run early.
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: haproxy_server
short_description: Drain a server of a running HAProxy, take it back, and wait until that has happened
version_added: 0.1.0
description:
  - Tells HAProxy over its sockets what a server may do, and waits for what follows from it. Nothing is written to its
    configuration; a reload keeps it where the state of servers is kept.
  - What a server has already is not said again.
  - Whoever takes a server out for a while gives O(expires), or a run that is killed leaves it out.
author:
  - The mainstay.platform authors (@mainstay)
options:
  backend:
    description: Name of the backend.
    type: str
  server:
    description: Name of the server in O(backend).
    type: str
  addresses:
    description:
      - Addresses as C(ADDRESS:PORT), instead of O(backend) and O(server). Every server that leads to one of them is
        meant, in whatever backend, also one that only the running process knows.
    type: list
    elements: str
  state:
    description:
      - V(ready) gives it new sessions while its health checks say so.
      - V(drain) gives it no new session and leaves those that it has.
      - V(maint) takes it out at once.
    type: str
    choices: [ready, drain, maint]
  health:
    description: Whether its health is asked. While it is V(disabled) the server keeps the health that it had.
    type: str
    choices: [enabled, disabled]
  wait_sessions:
    description: Wait until it has at most so many sessions.
    type: int
  wait_up:
    description: Wait until its health checks say that it is up, or that it is not.
    type: bool
  deadline:
    description: Seconds that may be waited for.
    type: float
    default: 60
  shutdown:
    description: Close the sessions that are left at the O(deadline), instead of failing.
    type: bool
    default: false
  expires:
    description:
      - Seconds after which the host takes it back by itself, by a timer of systemd and socat. The server is V(ready)
        then, and its health is asked.
      - Every call ends what the one before left for the server. Without it nothing is left.
    type: int
  one_up_of:
    description:
      - Lists of servers, as backend/server. A server that serves is not taken from its clients by V(drain) or V(maint)
        unless one of each list of its backend serves as well; nobody is told anything then.
    type: list
    elements: list
    default: []
  required:
    description: Whether there must be such a server. With V(false) an HAProxy that does not run or does not know it is
      passed over, as one that is still to come.
    type: bool
    default: true
  sockets:
    description: Sockets of level admin of the processes on this host.
    type: list
    elements: path
    default: [/run/haproxy/admin.sock]
extends_documentation_fragment:
  - mainstay.platform._changer
"""

EXAMPLES = r"""
- name: Ensure that nobody new comes to the server, and that the others have left
  mainstay.platform.haproxy_server:
    backend: api
    server: app1
    state: drain
    wait_sessions: 0
    deadline: 30
    shutdown: true

- name: Ensure that nobody reads from the replica for the time of its restart, where there is an edge already
  mainstay.platform.haproxy_server:
    backend: replicas
    server: db2
    state: drain
    wait_sessions: 0
    expires: 1800
    required: false

- name: Ensure that clients have left two instances, by whatever names the edge knows them
  mainstay.platform.haproxy_server:
    addresses: ['192.0.2.21:8001', '192.0.2.21:8002']
    state: drain
    wait_sessions: 0
    required: false

- name: Ensure that an instance is away, where the other one serves
  mainstay.platform.haproxy_server:
    addresses: ['192.0.2.21:8001']
    state: drain
    one_up_of: [[api/app2-1]]

- name: Ensure that it serves again
  mainstay.platform.haproxy_server:
    backend: api
    server: app1
    state: ready
    wait_up: true
"""

RETURN = r"""
commands:
  description: What each socket was told, or would be.
  returned: success
  type: dict
  sample: {/run/haproxy/admin.sock: [set server api/app1 state drain]}
passed_over:
  description: Sockets of those without such a server, when it is not O(required).
  returned: success
  type: list
  elements: str
  sample: []
closed:
  description: Sessions that were closed at the deadline, of all sockets.
  returned: success
  type: int
  sample: 0
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._haproxy import (
    commands,
    expiry,
    leading_to,
    missing,
    server_state,
)
from ansible_collections.mainstay.platform.plugins.module_utils._haproxy_client import Missing, Refused, say, tell
from ansible_collections.mainstay.platform.plugins.module_utils._traffic import counters, nobody_left, without_any

PAUSE = 0.2  # seconds between two looks
NO_SUCH_UNIT = 5  # what systemctl ends with
ARGUMENTS = {
    "backend": {"type": "str"},
    "server": {"type": "str"},
    "addresses": {"type": "list", "elements": "str"},
    "state": {"type": "str", "choices": ["ready", "drain", "maint"]},
    "health": {"type": "str", "choices": ["enabled", "disabled"]},
    "wait_sessions": {"type": "int"},
    "wait_up": {"type": "bool"},
    "deadline": {"type": "float", "default": 60},
    "shutdown": {"type": "bool", "default": False},
    "expires": {"type": "int"},
    "one_up_of": {"type": "list", "elements": "list", "default": []},
    "required": {"type": "bool", "default": True},
    "sockets": {"type": "list", "elements": "path", "default": ["/run/haproxy/admin.sock"]},
}


def read(path, name):
    found = server_state(say(path, "show servers state"), say(path, "show stat"), *name)
    if found is None:
        raise Missing(
            f"HAProxy at {path}: found no server {'/'.join(name)}; expected it among "
            "`show servers state`; correct the name"
        )
    return found


def meant(path, params):
    """The servers of one HAProxy that are meant, as (backend, server)."""
    if params["server"]:
        read(path, (params["backend"], params["server"]))
        return [(params["backend"], params["server"])]
    found = leading_to(say(path, "show servers state"), params["addresses"])
    if not found:
        raise Missing(
            f"HAProxy at {path}: found no server that leads to {' or '.join(params['addresses'])}; expected one among "
            "`show servers state`; correct the address"
        )
    return found


def bring(path, name, params, only_say):
    """Have one HAProxy do what it does not do yet with a server; give the commands."""
    given = commands(read(path, name), params, *name)
    for command in [] if only_say else given:
        tell(path, command)
    return given


def spare(path, names, lists):
    """Refuse where clients of a server that serves would have nobody left."""
    counted = counters(say(path, "show stat"), {backend for backend, _server in names})
    leaving = ["/".join(name) for name in names if counted.get("/".join(name), {}).get("up")]
    for rest in without_any(counted, lists):
        gone = [name for name in leaving if name.partition("/")[0] == rest[0].partition("/")[0]]
        if gone:
            raise Refused(f"HAProxy at {path}: " + nobody_left(rest, f"{', '.join(gone)} is away"))


def bring_all(found, params, only_say):
    return {
        path: [command for name in names for command in bring(path, name, params, only_say)]
        for path, names in found.items()
    }


def wait(path, name, params, end, clock=time.monotonic, sleep=time.sleep):
    """Wait for one server of one HAProxy until the deadline; give how many sessions were closed then."""
    wanted = {"sessions": params["wait_sessions"], "up": params["wait_up"]}
    while True:
        found = read(path, name)
        lacks = missing(found, wanted)
        if not lacks:
            return 0
        if clock() > end:
            break
        sleep(PAUSE)
    if params["shutdown"] and not missing(found, {"up": params["wait_up"]}):
        say(path, f"shutdown sessions server {'/'.join(name)}")
        return found["sessions"]
    raise Refused(
        f"server {'/'.join(name)} at {path}: found {lacks} after {params['deadline']:g} s; "
        f"expected {expected(wanted)}; look at its health checks and at `show sess`"
    )


def expected(wanted):
    said = [] if wanted["sessions"] is None else [f"at most {wanted['sessions']} sessions"]
    if wanted["up"] is not None:
        said.append("it to be up" if wanted["up"] else "it not to be up")
    return " and ".join(said)


def there(params):
    """The servers that are meant, by the socket of the HAProxy that has them."""
    found = {}
    for path in params["sockets"]:
        try:
            found[path] = meant(path, params)
        except Missing:
            if params["required"]:
                raise
    return found


def expire(module, params, found):
    """End what the call before left to happen by itself, and leave it anew."""
    # Of a server that is named also where no HAProxy has it any more.
    names = {(params["backend"], params["server"])} if params["server"] else set()
    for name in sorted(names.union(*found.values())):
        unit = f"mainstay-haproxy-{'-'.join(name)}"
        code, _out, error = module.run_command(["systemctl", "stop", f"{unit}.timer"])
        if code not in (0, NO_SUCH_UNIT):
            raise Refused(
                f"{unit}.timer: found {error.strip()!r}; expected it to stop; see systemctl status {unit}.timer"
            )
        paths = [path for path, known in found.items() if name in known]
        if not params["expires"] or not paths:
            continue
        code, _out, error = module.run_command(expiry(unit, params["expires"], *name, paths))
        if code:
            raise Refused(f"{unit}.timer: found {error.strip()!r}; expected it to be made; nothing was told to HAProxy")


def act(module, params):
    """What was told to whom, and how many sessions were closed."""
    found = there(params)
    for path, names in found.items() if params["state"] in ("drain", "maint") and params["one_up_of"] else ():
        spare(path, names, params["one_up_of"])
    if module.check_mode:
        return bring_all(found, params, True), 0
    # A run that is killed at any point leaves the server as it should be, or somebody who brings it back.
    if params["expires"]:
        expire(module, params, found)
    told = bring_all(found, params, False)
    end = time.monotonic() + params["deadline"]
    closed = sum(wait(path, name, params, end) for path, names in found.items() for name in names)
    if not params["expires"]:
        expire(module, params, found)
    return told, closed


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_together=[("backend", "server")],
        required_one_of=[("server", "addresses")],
        mutually_exclusive=[("server", "addresses")],
        supports_check_mode=True,
    )
    try:
        told, closed = act(module, module.params)
    except Refused as error:
        module.fail_json(msg=str(error))
    passed_over = [path for path in module.params["sockets"] if path not in told]
    changed = any(told.values()) or closed > 0
    module.exit_json(changed=changed, commands=told, closed=closed, passed_over=passed_over)


if __name__ == "__main__":
    main()
