# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs pgBackRest and looks at files. Private to this collection."""

from __future__ import annotations

import glob
import json
import os


class BackupError(Exception):
    """pgBackRest gave no answer."""


def pgbackrest(run, user, words):
    """The JSON that a pgBackRest command prints. `run` is AnsibleModule.run_command."""
    command = ["pgbackrest", "--output=json", "--log-level-console=off", "--log-level-stderr=warn", *words]
    if user and os.geteuid() == 0:
        command = ["runuser", "-u", user, "--", *command]
    # pgBackRest wants a working directory that its user may enter.
    code, out, err = run(command, cwd="/")
    if code != 0:
        raise BackupError(
            f"pgbackrest {words[-1]}: found code {code} ({' '.join(err.split())}); expected 0; read its log"
        )
    try:
        return json.loads(out)
    except ValueError:
        raise BackupError(f"pgbackrest {words[-1]}: found output that is not JSON; expected JSON") from None


def read_info(run, user, stanza):
    return pgbackrest(run, user, [f"--stanza={stanza}", "info"])


def read_wal(run, user, stanza, info):
    """Paths of all archived segments of the stanza's newest database."""
    archive = next((item.get("archive") or [] for item in info if item["name"] == stanza), [])
    if not archive:
        return []
    return list(
        pgbackrest(run, user, [f"--stanza={stanza}", "--recurse", "repo-ls", f"archive/{stanza}/{archive[-1]['id']}"])
    )


def read_files(pattern):
    """Every regular file of a pattern with its age and size."""
    rows = []
    for path in glob.glob(pattern, recursive=True):
        if os.path.isfile(path):
            status = os.stat(path)
            rows.append({"path": path, "mtime": status.st_mtime, "size": status.st_size})
    return rows
