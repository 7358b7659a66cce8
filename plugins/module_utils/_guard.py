# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A dead man's switch: paths as they are now come back unless somebody confirms. Private to this collection."""

from __future__ import annotations

import os
import shlex
import shutil

from ansible_collections.mainstay.platform.plugins.module_utils._systemd import timer

ROOT = "/var/lib/mainstay/guard"

# First what was there comes back, over what is there now; then what was not there goes. At no moment is a door missing.
# Who renames the archive has it, so a confirmation and a return never both happen. One that failed may be tried again;
# after one that came by itself it is kept, because a step that was still at work may have written over the old state.
RESTORE = """#!/bin/sh
set -u
export LC_ALL=C
cd {folder} || exit 1
for archive in saved failed returned none; do mv $archive.tar returning.tar 2>/dev/null && break; done
[ $archive != none ] || {{
    echo 'no old state is here to return: it was confirmed, or is returning right now' >&2
    exit 3
}}
tar --list --file=returning.tar >/dev/null || {{ mv returning.tar failed.tar; exit 1; }}
status=0
tar --extract --preserve-permissions --directory=/ --file=returning.tar || status=1
find {paths} ! -type d 2>/dev/null | sort | comm -13 listed - | while IFS= read -r path; do rm -f -- "$path"; done
dumped={dumped}
( {revert} ) || status=1
[ $status = 0 ] || {{ mv returning.tar failed.tar; exit 1; }}
mv returning.tar returned.tar
"""


class Guard:
    """`run` takes a list of words and gives (status, output, error)."""

    def __init__(self, run, name, root=ROOT):
        self.run = run
        self.name = name
        self.unit = f"mainstay-guard-{name}"
        self.folder = os.path.join(root, name)

    def _path(self, name):
        return os.path.join(self.folder, name)

    def arm(self, paths, revert, seconds, dump=":"):
        """Save paths and dump, and have them return when the time is over. Gives what went wrong, or nothing."""
        if self.armed():
            return f"{self.unit}.timer runs already: another run has not confirmed its change"
        for left in map(self._path, ("returning.tar", "failed.tar")):
            if os.path.exists(left):
                return f"{left} holds an old state that did not come back whole: unpack it over / or delete it"
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder, mode=0o700)
        there = [path for path in paths if os.path.lexists(path)]
        words = [f"--file={self._path('saved.tar')}", "--directory=/", "--files-from=/dev/null"]  # also of nothing
        status, _out, error = self.run(["tar", "--create", *words, *there])
        if status > 1:  # 1: a file changed while it was read, or a leading / was taken off
            return f"tar could not save {', '.join(there)}: {error.strip()}"
        status, out, error = self.run(["sh", "-c", dump])
        if status:
            return f"that {dump!r} failed: {error.strip()}"
        self._write("dumped", out)
        quoted = " ".join(shlex.quote(path) for path in paths)
        _status, out, _error = self.run(["sh", "-c", f"find {quoted} ! -type d 2>/dev/null | LC_ALL=C sort"])
        self._write("listed", out)
        places = {"folder": shlex.quote(self.folder), "dumped": shlex.quote(self._path("dumped"))}
        self._write("restore", RESTORE.format(**places, paths=quoted, revert=revert))
        status, _out, error = self.run(timer(self.unit, seconds, ["/bin/sh", self._path("restore")], "200ms"))
        return f"systemd-run: {error.strip()}" if status else ""

    def _write(self, name, text):
        with open(
            os.open(self._path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as target:
            target.write(text)

    def armed(self):
        return self.run(["systemctl", "is-active", f"{self.unit}.timer", f"{self.unit}.service"])[0] == 0

    def confirm(self):
        """Keep the change. False when the old state has returned, or is about to."""
        try:
            os.rename(self._path("saved.tar"), self._path("kept.tar"))
        except FileNotFoundError:
            return False
        self.run(["systemctl", "stop", f"{self.unit}.timer"])
        shutil.rmtree(self.folder, ignore_errors=True)
        return True

    def restore(self):
        """Have the old state back at once. Gives what went wrong, or nothing."""
        if os.path.exists(self._path("restored")):
            return ""
        self.run(["systemctl", "stop", f"{self.unit}.timer"])
        status, _out, error = self.run(["/bin/sh", self._path("restore")])
        if status:
            return error.strip() or f"status {status} of {self._path('restore')}"
        self._write("restored", "")
        os.unlink(self._path("returned.tar"))
        return ""
