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
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._releases import forgotten, recorded
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


def read(module, path):
    try:
        with open(path, encoding="utf-8") as stream:
            return json.load(stream)
    except FileNotFoundError:
        return []
    except ValueError as error:
        module.fail_json(
            msg=f"{path}: found no JSON ({error}), expected the records of releases; put a copy back from a backup, "
            "or remove the file: then there is no release to go back to"
        )


def write(path, records):
    """Replace the file in one step."""
    handle, partial = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".releases")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(records, stream, indent=1, sort_keys=True)
        os.fchmod(stream.fileno(), 0o640)
    os.replace(partial, path)


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
    params = module.params
    before = read(module, params["path"])
    if not params["entry"]:
        module.exit_json(changed=False, records=before, forgotten=[])
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    entry = {**params["entry"], "instances": bare(params["entry"]["instances"]), "at": now}
    after = recorded(before, entry, params["keep"], params["left"])
    if after != before and not module.check_mode:
        write(params["path"], after)
    module.exit_json(changed=after != before, records=after, forgotten=forgotten(before, after))


if __name__ == "__main__":
    main()
