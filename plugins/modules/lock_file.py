# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: lock_file
short_description: Hold a lock that one run at a time can have, and say who has it
version_added: 0.1.0
description:
  - A lock is a file that names its owner, a reason, a time and a run. Whoever makes it first holds it.
  - A lock of the same run is held already. A lock that is there is never broken, unless O(replaces) names its run.
author:
  - The mainstay.platform authors (@mainstay)
options:
  path:
    description: The file. Its directory is made when it is missing.
    type: path
    required: true
  state:
    description:
      - V(held) takes the lock or fails, with owner, time and reason of the one that is there.
      - V(free) lets go of the lock of O(run), and leaves that of another run.
      - V(read) only says who holds it.
    type: str
    choices: [held, free, read]
    default: held
  run:
    description: What tells one run from every other. Not for O(state=read).
    type: str
  owner:
    description: Who holds it, in words for people.
    type: str
    default: ''
  reason:
    description: What for, in words for people.
    type: str
    default: ''
  replaces:
    description: The run whose lock may be taken over, because it has ended or somebody has said so.
    type: str
    default: ''
  remedy:
    description: What the failure tells people to do.
    type: str
    default: wait until it is free
extends_documentation_fragment:
  - mainstay.platform._changer
"""

EXAMPLES = r"""
- name: Ensure that nobody else deploys meanwhile
  mainstay.platform.lock_file:
    path: /var/lib/mainstay/app/deploy.lock
    run: "{{ run }}"
    owner: maria@laptop
    reason: release 2.0.0

- name: Ensure that others may deploy
  mainstay.platform.lock_file:
    path: /var/lib/mainstay/app/deploy.lock
    run: "{{ run }}"
    state: free
"""

RETURN = r"""
holder:
  description: Who holds the lock now, or would; empty when it is free.
  returned: always
  type: dict
  sample: {run: '4711', owner: maria@laptop, reason: release 2.0.0, at: '2026-11-25T10:00:00+00:00'}
replaced:
  description: Whose lock was taken over.
  returned: success
  type: dict
  sample: {}
"""

import contextlib
import datetime
import json
import os
import tempfile

from ansible.module_utils.basic import AnsibleModule

ARGUMENTS = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["held", "free", "read"], "default": "held"},
    "run": {"type": "str"},
    "owner": {"type": "str", "default": ""},
    "reason": {"type": "str", "default": ""},
    "replaces": {"type": "str", "default": ""},
    "remedy": {"type": "str", "default": "wait until it is free"},
}


# Of a file that nobody can read. It has a run all the same, so that it can be broken as any other.
UNREADABLE = {"run": "unreadable", "owner": "somebody", "reason": "unreadable", "at": "an unknown time"}


def holder(path):
    """Who holds a lock; empty when nobody does."""
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
    except FileNotFoundError:
        return {}
    except ValueError:
        return UNREADABLE
    return found if isinstance(found, dict) and found.get("run") and "owner" in found else UNREADABLE


def put_aside(path, run):
    """Take a lock away that is still that of the run; of two who try, one does."""
    aside = f"{path}.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, aside)
        if holder(aside).get("run") != run:  # another one was quicker
            with contextlib.suppress(FileExistsError):
                os.link(aside, path)
        os.unlink(aside)


def take(path, mine):
    """Whether the lock was made. It appears complete, or not at all."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".lock")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(mine, stream)
            os.fchmod(stream.fileno(), 0o644)
        os.link(partial, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(partial)
    return True


def hold(module, path, mine, found):
    params = module.params
    replaced = {}
    if found and params["replaces"] and found["run"] == params["replaces"]:
        replaced = found
        if not module.check_mode:
            put_aside(path, found["run"])
    elif found:
        refuse(module, path, found)
    if not module.check_mode and not take(path, mine):
        refuse(module, path, holder(path))
    module.exit_json(changed=True, holder=mine, replaced=replaced)


def refuse(module, path, found):
    why = f" ({found['reason']})" if found.get("reason") else ""
    module.fail_json(
        msg=f"lock {path}: found it held by {found.get('owner')} since {found.get('at')}{why}, expected nobody; "
        f"{module.params['remedy']}",
        holder=found,
    )


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_if=[("state", "held", ["run"]), ("state", "free", ["run"])],
        supports_check_mode=True,
    )
    path, params = module.params["path"], module.params
    found = holder(path)
    if params["state"] == "read":
        module.exit_json(changed=False, holder=found, replaced={})
    if params["state"] == "free":
        held = bool(found) and found["run"] == params["run"]
        if held and not module.check_mode:
            put_aside(path, params["run"])
        module.exit_json(changed=held, holder={} if held else found, replaced={})
    if found and found["run"] == params["run"]:
        module.exit_json(changed=False, holder=found, replaced={})
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    mine = {"run": params["run"], "owner": params["owner"], "reason": params["reason"], "at": now}
    hold(module, path, mine, found)


if __name__ == "__main__":
    main()
