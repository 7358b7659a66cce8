# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: secret_search
short_description: Say where on a host secrets can be seen that must not be
version_added: 0.1.0
description:
  - Looks for the values of secrets in the command lines of all processes, in logs, and in files that everybody may
    read.
  - Values are compared as they are. One that is stored otherwise, such as encoded, compressed or cut in two, is not
    found.
  - It says names and places, never values, and needs C(root) to see everything.
author:
  - The mainstay.platform authors (@mainstay)
options:
  secrets:
    description:
      - The values to look for, by name. Those shorter than eight characters are left out, which would be found
        anywhere.
    type: dict
    required: true
  logs:
    description: Directories of logs. Of what is in them every file is read.
    type: list
    elements: path
    default: [/var/log, /run/log, /var/lib/docker/containers]
  readable:
    description:
      - Directories of which those files are read that everybody may read. File systems that are mounted below are left
        out.
    type: list
    elements: path
    default:
      - /etc
      - /home
      - /opt
      - /root
      - /run
      - /srv
      - /tmp
      - /usr/local
      - /var/backups
      - /var/lib/mainstay
      - /var/spool
      - /var/tmp
  largest_mb:
    description: Files larger than so many MiB are not read, and counted in RV(skipped).
    type: int
    default: 64
requirements:
  - find and grep on the host
extends_documentation_fragment:
  - mainstay.platform._reader
"""

EXAMPLES = r"""
- name: Read where secrets can be seen
  mainstay.platform.secret_search:
    secrets: "{{ platform_secrets }}"
  register: search
  become: true
"""

RETURN = r"""
found:
  description: One text for each secret and place.
  returned: always
  type: list
  elements: str
  sample: [redis_app in the command line of redis-cli (412), patroni_rest in /var/log/syslog]
skipped:
  description: How many files were too large to be read.
  returned: always
  type: int
  sample: 0
"""

import os

from ansible.module_utils.basic import AnsibleModule

SHORTEST = 8
LOGS = ["/var/log", "/run/log", "/var/lib/docker/containers"]
READABLE = ["/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/usr/local"]
READABLE += ["/var/backups", "/var/lib/mainstay", "/var/spool", "/var/tmp"]


def processes(root="/proc"):
    """(name and number, command line) of every process; those that end meanwhile are left out."""
    for number in filter(str.isdigit, os.listdir(root)):
        try:
            with open(f"{root}/{number}/cmdline", "rb") as stream:
                line = stream.read()
            with open(f"{root}/{number}/comm", encoding="utf-8", errors="replace") as stream:
                name = stream.read().strip()
        except OSError:
            continue
        if line:
            yield f"{name} ({number})", line


def seen(secrets, content):
    return [name for name, value in secrets.items() if value.encode() in content]


class Search:
    def __init__(self, module):
        self.module = module
        given = {name: str(value) for name, value in module.params["secrets"].items()}
        self.secrets = {name: value for name, value in given.items() if len(value) >= SHORTEST and "\n" not in value}
        self.largest = module.params["largest_mb"] * 2**20

    def files(self, directories, *conditions):
        """Those below the directories that are there, and apart from them those that are too large to be read."""
        there = [path for path in directories if os.path.isdir(path)]
        if not there:
            return [], set()
        command = ["find", *there, "-xdev", "-type", "f", *conditions, "-printf", "%s %p\\0"]
        _status, out, _errors = self.module.run_command(command, encoding=None)  # files may go while it looks
        sizes = {path: int(size) for size, path in (item.split(b" ", 1) for item in out.split(b"\0") if item)}
        small = sorted(path for path, size in sizes.items() if size <= self.largest)
        return small, sizes.keys() - set(small)

    def holding(self, files):
        """Those of the files that hold any of the values. The values come by standard input: nobody else sees that."""
        if not files or not self.secrets:
            return []
        found = []
        for begin in range(0, len(files), 1000):
            command = [
                "grep",
                "--files-with-matches",
                "--null",
                "--text",
                "--fixed-strings",
                "--file=-",
                "--no-messages",
                "--",
            ]
            data = "\n".join(self.secrets.values())
            _status, out, _errors = self.module.run_command(
                command + [os.fsdecode(path) for path in files[begin : begin + 1000]], data=data, encoding=None
            )
            found += [path for path in out.split(b"\0") if path]
        return found

    def named(self, files, words):
        for path in self.holding(files):
            try:
                with open(path, "rb") as stream:
                    names = seen(self.secrets, stream.read())
            except OSError:
                continue
            for name in names:
                yield f"{name} in {os.fsdecode(path)}{words}"

    def run(self):
        found = [
            f"{name} in the command line of {who}" for who, line in processes() for name in seen(self.secrets, line)
        ]
        logs, large = self.files(self.module.params["logs"])
        others, larger = self.files(self.module.params["readable"], "-perm", "-o=r")
        found += self.named(logs, "")
        found += self.named(sorted(set(others) - set(logs)), ", which everybody may read")
        return {"found": found, "skipped": len(large | larger)}


def main():
    module = AnsibleModule(
        argument_spec={
            "secrets": {"type": "dict", "required": True, "no_log": True},
            "logs": {"type": "list", "elements": "path", "default": LOGS},
            "readable": {"type": "list", "elements": "path", "default": READABLE},
            "largest_mb": {"type": "int", "default": 64},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **Search(module).run())


if __name__ == "__main__":
    main()
