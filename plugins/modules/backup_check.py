# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: backup_check
short_description: Check that backups are fresh, complete and encrypted
version_added: 0.1.0
description:
  - Checks a pgBackRest stanza, plain backup files, or both, and fails when something is not as expected.
  - Of a stanza - its status, the age of its newest backup and full backup, that the WAL which the newest backup
    needs is archived,
    that no segment is missing since the newest full backup, and that the repository is encrypted.
  - Of files - that the newest one of a pattern is young and large enough.
author:
  - The mainstay.platform authors (@mainstay)
options:
  stanza:
    description: Name of the stanza. Without it no stanza is checked.
    type: str
  user:
    description: System user that runs C(pgbackrest), when the module runs as root.
    type: str
    default: postgres
  max_backup_age_hours:
    description: Hours since the end of the newest backup of any type.
    type: float
    default: 26
  max_full_age_hours:
    description: Hours since the end of the newest full backup.
    type: float
    default: 170
  encrypted:
    description: Whether every repository must be encrypted.
    type: bool
    default: true
  continuity:
    description: Whether to list the archive and look for missing WAL segments. Segments of 16 MB are assumed.
    type: bool
    default: true
  files:
    description: Plain backup files.
    type: list
    elements: dict
    default: []
    suboptions:
      pattern:
        description: Shell pattern of the paths; C(**) stands for any number of directories.
        type: str
        required: true
      max_age_hours:
        description: Hours since the newest file was written.
        type: float
        default: 26
      min_bytes:
        description: Bytes that the newest file must have at least.
        type: int
        default: 1
requirements:
  - pgbackrest 2.45 on the host, when O(stanza) is given
extends_documentation_fragment:
  - mainstay.platform._reader
"""

EXAMPLES = r"""
- name: Check the database's backups on the repository host
  mainstay.platform.backup_check:
    stanza: ledger
    user: pgbackrest
    max_backup_age_hours: 26
    max_full_age_hours: 170

- name: Check snapshots and copies of the configuration
  mainstay.platform.backup_check:
    files:
      - pattern: /var/backups/redis/*/dump-*.rdb.gpg
        max_age_hours: 7
        min_bytes: 100
      - pattern: /var/backups/config/*.tar.gz
"""

RETURN = r"""
label:
  description: Label of the newest backup.
  returned: always
  type: str
  sample: 20261121-020002F
backup_age_hours:
  description: Hours since the end of the newest backup.
  returned: always
  type: float
  sample: 7.4
full_age_hours:
  description: Hours since the end of the newest full backup.
  returned: always
  type: float
  sample: 7.4
wal_start:
  description: The first WAL segment that the newest full backup needs.
  returned: always
  type: str
  sample: "000000010000000000000005"
wal_last:
  description: The last WAL segment in the archive.
  returned: always
  type: str
  sample: "000000010000000000000031"
wal_segments:
  description: How many segments the archive holds since RV(wal_start).
  returned: always
  type: int
  sample: 45
files:
  description: The newest file of each pattern.
  returned: always
  type: list
  elements: dict
  sample: [{path: /var/backups/config/20261121.tar.gz, age_hours: 7.1, bytes: 20480, count: 7}]
problems:
  description: Everything that is not as expected. Empty when the backups are good.
  returned: always
  type: list
  elements: str
  sample: []
evidence:
  description: The state of the backups in one line.
  returned: always
  type: str
  sample: "stanza ledger: newest backup 20261121-020002F 7.4 hours old, 45 WAL segments without a gap"
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._backup import judge_files, judge_stanza, judge_wal
from ansible_collections.mainstay.platform.plugins.module_utils._backup_client import (
    BackupError,
    read_files,
    read_info,
    read_wal,
)

ARGUMENTS = {
    "stanza": {"type": "str"},
    "user": {"type": "str", "default": "postgres"},
    "max_backup_age_hours": {"type": "float", "default": 26},
    "max_full_age_hours": {"type": "float", "default": 170},
    "encrypted": {"type": "bool", "default": True},
    "continuity": {"type": "bool", "default": True},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "pattern": {"type": "str", "required": True},
            "max_age_hours": {"type": "float", "default": 26},
            "min_bytes": {"type": "int", "default": 1},
        },
    },
}


def check_stanza(run, params, now):
    """Verdict over the stanza, its archive included."""
    try:
        info = read_info(run, params["user"], params["stanza"])
        found = judge_stanza(info, params["stanza"], params, now)
        wal = {"wal_segments": None, "wal_last": ""}
        if params["continuity"] and found["wal_start"]:
            wal = judge_wal(read_wal(run, params["user"], params["stanza"], info), found["wal_start"])
            found["problems"] += wal.pop("problems")
            found["evidence"] += f", {wal['wal_segments']} WAL segments without a gap"
        return {**found, **wal}
    except BackupError as error:
        return {"problems": [str(error)], "evidence": ""}


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    if not params["stanza"] and not params["files"]:
        module.fail_json(msg="backups: found neither stanza nor files; expected at least one; say what to check")
    now = time.time()
    found = {
        "label": "",
        "backup_age_hours": None,
        "full_age_hours": None,
        "wal_start": "",
        "wal_last": "",
        "wal_segments": None,
    }
    found.update({"problems": [], "evidence": ""})
    if params["stanza"]:
        module.get_bin_path("pgbackrest", required=True)
        found.update(check_stanza(module.run_command, params, now))
    files = judge_files(
        params["files"], {item["pattern"]: read_files(item["pattern"]) for item in params["files"]}, now
    )
    found["problems"] += files["problems"]
    found["files"] = files["files"]
    texts = [found["evidence"]] + [
        f"{row['path']} {row['age_hours']} hours old, {row['bytes']} bytes" for row in found["files"]
    ]
    found["evidence"] = ", ".join(text for text in texts if text)
    if found["problems"]:
        module.fail_json(msg="backups: " + "; ".join(found["problems"]), **found)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
