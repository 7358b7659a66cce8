# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: secret_files
short_description: Keep directories of files that each carry one secret
version_added: 0.1.0
description:
  - Makes every directory hold exactly the files that are named, each with its content, readable by one user and group
    and by nobody else.
  - Files that are not named are removed, and directories that are not named below O(root).
  - A file is replaced in one step, so that a reader sees the old content or the new one.
  - Contents never appear in the result, nor in a difference.
author:
  - The mainstay.platform authors (@mainstay)
options:
  directories:
    description: The directories.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The directory. Directories above it are made with mode 0755.
        type: path
        required: true
      uid:
        description: Number of the user who may read the files.
        type: int
        required: true
      gid:
        description: Number of the group who may read the files.
        type: int
        required: true
      files:
        description: Content of each file, by name.
        type: dict
        required: true
  root:
    description:
      - A directory that belongs to this module. Directories in it that are not named are removed with their files.
      - Without it nothing but files is removed.
    type: path
extends_documentation_fragment:
  - mainstay.platform._changer
seealso:
  - module: ansible.builtin.copy
"""

EXAMPLES = r"""
- name: Ensure the secrets of a container are there
  mainstay.platform.secret_files:
    directories:
      - path: /etc/mainstay/app/secrets/api
        uid: 10001
        gid: 10001
        files:
          SECRET_KEY: "{{ platform_secrets.app_secret_key }}"
    root: /etc/mainstay/app/secrets
  no_log: true
"""

RETURN = r"""
written:
  description: Paths of files that were written or given their owner and mode.
  returned: always
  type: list
  elements: str
removed:
  description: Paths of files and directories that were removed.
  returned: always
  type: list
  elements: str
"""

import os
import shutil
import stat
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

FILE_MODE = 0o440
DIRECTORY_MODE = 0o550

SUBOPTIONS = {
    "path": {"type": "path", "required": True},
    "uid": {"type": "int", "required": True},
    "gid": {"type": "int", "required": True},
    "files": {"type": "dict", "required": True, "no_log": True},
}


def is_right(path, uid, gid, mode):
    """Whether a path has its owner and mode, and is not a link to elsewhere."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    owned = (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (uid, gid, mode)
    return owned and not stat.S_ISLNK(found.st_mode)


def plan(directory):
    """Which files of a directory to write and which to remove."""
    folder = Path(directory["path"])
    there = sorted(folder.iterdir()) if folder.is_dir() else []
    write = []
    for name, content in directory["files"].items():
        path = folder / name
        if not is_right(path, directory["uid"], directory["gid"], FILE_MODE) or path.read_text() != str(content):
            write.append(name)
    return write, [path for path in there if path.name not in directory["files"]]


def put(path, content, uid, gid):
    """Write a file beside the old one, and put it in its place when it is complete."""
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=".")
    with os.fdopen(handle, "w") as stream:
        stream.write(content)
        os.fchown(stream.fileno(), uid, gid)
        os.fchmod(stream.fileno(), FILE_MODE)
    os.replace(partial, path)


def keep(directory, check_mode):
    """Make one directory right; give what was written, what was removed, and whether anything changed."""
    folder, uid, gid = Path(directory["path"]), directory["uid"], directory["gid"]
    write, remove = plan(directory)
    owned = is_right(folder, uid, gid, DIRECTORY_MODE)
    if not check_mode:
        folder.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder.mkdir(exist_ok=True)
        os.chown(folder, uid, gid)
        folder.chmod(DIRECTORY_MODE)
        for name in write:
            put(folder / name, str(directory["files"][name]), uid, gid)
        for path in remove:
            path.unlink()
    return [str(folder / name) for name in write], [str(path) for path in remove], bool(write or remove or not owned)


def forget(root, directories, check_mode):
    """Remove the directories that are not named; give their paths."""
    named = {Path(directory["path"]) for directory in directories}
    there = sorted(Path(root).iterdir()) if root and Path(root).is_dir() else []
    odd = [path for path in there if path.is_dir() and not path.is_symlink() and path not in named]
    for path in [] if check_mode else odd:
        shutil.rmtree(path)
    return [str(path) for path in odd]


def main():
    module = AnsibleModule(
        argument_spec={
            "directories": {"type": "list", "elements": "dict", "required": True, "options": SUBOPTIONS},
            "root": {"type": "path"},
        },
        supports_check_mode=True,
    )
    result = {"changed": False, "written": [], "removed": []}
    for directory in module.params["directories"]:
        odd = [name for name in directory["files"] if "/" in name or name.startswith(".")]
        if odd:
            module.fail_json(msg=f"{directory['path']}: found file names {', '.join(odd)}; expected plain names")
        try:
            written, removed, changed = keep(directory, module.check_mode)
        except OSError as error:
            module.fail_json(msg=f"{directory['path']}: {error.strerror}: {error.filename}")
        result["written"] += written
        result["removed"] += removed
        result["changed"] = result["changed"] or changed
    try:
        gone = forget(module.params["root"], module.params["directories"], module.check_mode)
    except OSError as error:
        module.fail_json(msg=f"{module.params['root']}: {error.strerror}: {error.filename}")
    result["removed"] += gone
    result["changed"] = result["changed"] or bool(gone)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
