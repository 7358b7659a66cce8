#!/usr/bin/python
# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: file_bundle
short_description: Write several small files in one step
version_added: 0.1.0
description:
  - Writes the files of one subsystem in one call instead of one task for each, because a run costs tasks times hosts.
  - Every changed file is validated by its own command before the first one is replaced.
    When one is refused, all old files stay.
  - Missing parent directories are made with mode 0755.
author:
  - The mainstay.platform authors (@mainstay)
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path of the file.
        type: path
        required: true
      state:
        description: V(absent) has the file away. Its other options count for nothing then.
        type: str
        choices: [present, absent]
        default: present
      content:
        description: The whole text of the file. A line feed is added at its end when there is none.
        type: str
        default: ''
      mode:
        description: Permissions in octal digits.
        type: str
        default: '0644'
      owner:
        description: Name of the owner.
        type: str
        default: root
      group:
        description: Name of the group.
        type: str
        default: root
      validate:
        description:
          - Command that must succeed on the new text before it replaces the old one.
          - C(%s) stands for a file with the text.
          - When it refuses a line by its number, the message has how that line begins.
        type: str
attributes:
  check_mode:
    support: full
    description: Says which files would change.
  diff_mode:
    support: full
    description: Shows the text before and after.
"""

EXAMPLES = r"""
- name: Ensure fail2ban and rsyslog are set up
  mainstay.platform.file_bundle:
    files:
      - path: /etc/fail2ban/jail.d/local.local
        content: "{{ lookup('mainstay.platform.template', 'jail.local.j2') }}"
      - path: /etc/rsyslog.conf
        content: "{{ lookup('mainstay.platform.template', 'rsyslog.conf.j2') }}"
        validate: rsyslogd -N1 -f %s
"""

RETURN = r"""
changed_files:
  description: Paths of the files whose text, mode or owner changed or would change.
  returned: always
  type: list
  elements: str
  sample: [/etc/rsyslog.conf]
"""

import os
import re
import shlex
import tempfile

from ansible.module_utils.basic import AnsibleModule

SPEC = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "content": {"type": "str", "default": ""},
    "mode": {"type": "str", "default": "0644"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "validate": {"type": "str"},
}


def read(path):
    """The present text of a file, or None when there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as source:
            return source.read()
    except FileNotFoundError:
        return None


def with_line_end(text):
    return text if text.endswith("\n") or not text else text + "\n"


def draft(module, item):
    """Write the new text to a temporary file that only we can read, and have it validated."""
    handle, name = tempfile.mkstemp(suffix=os.path.splitext(item["path"])[1])
    module.add_cleanup_file(name)
    with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as target:
        target.write(item["content"])
    if item["validate"]:
        command = [part.replace("%s", name) for part in shlex.split(item["validate"])]
        status, out, err = module.run_command(command)
        if status != 0:
            words = refusal(err or out, name, item)
            module.fail_json(
                msg=f"{item['path']}: found text that {command[0]} refuses ({words}); expected text that it accepts; "
                "correct the input from which it is made. No file was replaced."
            )
    return name


def refusal(words, name, item):
    """What the command says, of the file instead of the draft, and how each line that it numbers begins."""
    lines = item["content"].splitlines()

    def beginning(found):
        # The first word alone: what follows it can be a secret.
        first = "".join(lines[int(found[1]) - 1 : int(found[1])]).split()[:1]
        return f"{found[0]} ({first[0]})" if first else found[0]

    return re.sub(r"\bline (\d+)", beginning, words.strip().replace(name, item["path"]))


def put(module, item, drafted):
    """Put a validated text into place, then see to mode and owner; or take the file away."""
    if item["state"] == "absent":
        if os.path.exists(item["path"]) and not module.check_mode:
            os.unlink(item["path"])
        return False
    if drafted:
        os.makedirs(os.path.dirname(item["path"]), mode=0o755, exist_ok=True)
        os.chmod(drafted, int(item["mode"], 8))
        module.atomic_move(drafted, item["path"])
    if not os.path.exists(item["path"]):
        return True
    changed = module.set_mode_if_different(item["path"], item["mode"], False)
    changed = module.set_owner_if_different(item["path"], item["owner"], changed)
    return module.set_group_if_different(item["path"], item["group"], changed) or bool(drafted)


def main():
    module = AnsibleModule(
        argument_spec={"files": {"type": "list", "elements": "dict", "required": True, "options": SPEC}},
        supports_check_mode=True,
    )
    files = module.params["files"]
    diffs, drafts = [], {}
    for item in files:
        item["content"] = None if item["state"] == "absent" else with_line_end(item["content"])
        before = read(item["path"])
        if before == item["content"]:
            continue
        headers = {"before_header": item["path"], "after_header": item["path"]}
        diffs.append({**headers, "before": before or "", "after": item["content"] or ""})
        drafts[item["path"]] = None if module.check_mode or item["content"] is None else draft(module, item)
    changed = [item["path"] for item in files if put(module, item, drafts.get(item["path"])) or item["path"] in drafts]
    module.exit_json(changed=bool(changed), changed_files=changed, diff=diffs)


if __name__ == "__main__":
    main()
