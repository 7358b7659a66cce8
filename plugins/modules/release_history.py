# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: release_history
short_description: Read and write which releases a host has had
version_added: 0.1.0
description:
  - Keeps one JSON file per host with a record for each act on a release - what was started, by whom, when, why, and
    what came of it.
  - A record that a release was started is replaced by what came of it.
  - The file is replaced as a whole, once the new one is on the disk. A run that is killed, a full disk or a power cut
    leaves the old one or the new one.
  - No file means that there were no releases. A file that says anything but records is refused and stays as it is.
author:
  - The mainstay.platform authors (@mainstay)
options:
  path:
    description: The file.
    type: path
    required: true
  entry:
    description: What to remember. Without it the records are only read.
    type: dict
    suboptions:
      release:
        description: Name of the release.
        type: str
        required: true
      result:
        description: What came of it.
        type: str
        choices: [started, live, failed]
        required: true
      act:
        description: What was done, such as V(deploy) or V(rollback).
        type: str
        default: ''
      by:
        description: Who did it.
        type: str
        default: ''
      reason:
        description: What for.
        type: str
        default: ''
      why:
        description: What was red, for a release that has failed.
        type: str
        default: ''
      images:
        description: The id of each image, by its name.
        type: dict
        required: true
      instances:
        description: What ran, as P(mainstay.platform.service_instances#filter) gives it. Never a secret's value.
        type: list
        elements: dict
        required: true
  left:
    description: Name of the release that a rollback leaves, which is live until then.
    type: str
    default: ''
  keep:
    description: How many releases are kept. The live one is in any case, and so is another one.
    type: int
    default: 5
extends_documentation_fragment:
  - mainstay.platform._changer
seealso:
  - plugin: mainstay.platform.release_plan
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Read which releases there were
  mainstay.platform.release_history:
    path: /var/lib/mainstay/app/releases.json

- name: Remember that a release is live
  mainstay.platform.release_history:
    path: /var/lib/mainstay/app/releases.json
    entry:
      release: 2.0.0-1f2e3d4c
      result: live
      by: maria@laptop
      images: {'example/api:2.0.0': 'sha256:3eace0da985a'}
      instances: "{{ instances }}"
"""

RETURN = r"""
records:
  description: The records, the oldest first.
  returned: always
  type: list
  elements: dict
forgotten:
  description: Ids of images that no kept record names any more.
  returned: always
  type: list
  elements: str
"""

import datetime
import json
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._releases import forgotten, recorded, unlike_records
from ansible_collections.mainstay.platform.plugins.module_utils._services import bare

ENTRY = {
    "release": {"type": "str", "required": True},
    "result": {"type": "str", "choices": ["started", "live", "failed"], "required": True},
    "act": {"type": "str", "default": ""},
    "by": {"type": "str", "default": ""},
    "reason": {"type": "str", "default": ""},
    "why": {"type": "str", "default": ""},
    "images": {"type": "dict", "required": True},
    "instances": {"type": "list", "elements": "dict", "required": True},
}


class Damaged(Exception):
    """The file is there, and nobody can tell from it what there was."""


def read(path):
    """The records of a file; none without it."""
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise Damaged(f"no JSON ({error})") from error
    if said := unlike_records(found):
        raise Damaged(said)
    return found


def write(path, records):
    """Replace the file in one step. What a killed run has left beside it is written over."""
    beside = f"{path}.new"
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "w", encoding="utf-8") as stream:
        json.dump(records, stream, indent=1, sort_keys=True)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(beside, path)
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def act(module, params):
    before = read(params["path"])
    if not params["entry"]:
        return {"changed": False, "records": before, "forgotten": []}
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    entry = {**params["entry"], "instances": bare(params["entry"]["instances"]), "at": now}
    after = recorded(before, entry, params["keep"], params["left"])
    if after != before and not module.check_mode:
        write(params["path"], after)
    return {"changed": after != before, "records": after, "forgotten": forgotten(before, after)}


def main():
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "entry": {"type": "dict", "options": ENTRY},
            "left": {"type": "str", "default": ""},
            "keep": {"type": "int", "default": 5},
        },
        supports_check_mode=True,
    )
    path = module.params["path"]
    try:
        module.exit_json(**act(module, module.params))
    except Damaged as error:
        module.fail_json(
            msg=f"{path}: found {error}, expected the records of releases; put a copy back from a backup, or remove "
            "the file: then there is no release to go back to"
        )
    except OSError as error:
        module.fail_json(
            msg=f"{path}: found {error.strerror or error}, expected it to be read or replaced; it holds the "
            "former records or the new ones, all of them. Make room or mend the disk, then run this again"
        )


if __name__ == "__main__":
    main()
