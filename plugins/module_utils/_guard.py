# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A dead man's switch: paths as they are now come back unless somebody confirms. Private to this collection."""

from __future__ import annotations

import os
import shlex
import shutil

ROOT = "/var/lib/mainstay/guard"

# First what was there comes back, over what is there now; then what was not there goes. At no moment is a door missing.
RESTORE = """#!/bin/sh
set -u
cd {folder} || exit 1
tar --list --file=saved.tar >/dev/null || exit 1
tar --extract --preserve-permissions --directory=/ --file=saved.tar
find {paths} ! -type d 2>/dev/null | sort | comm -13 listed - | while IFS= read -r path; do rm -f -- "$path"; done
{revert}
date +%s >returned
rm -f saved.tar
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

    def arm(self, paths, revert, seconds):
        """Save the paths, and have them return when the time is over. Gives what went wrong, or nothing."""
        if self.armed():
            return f"{self.unit}.timer runs already: another run has not confirmed its change"
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder, mode=0o700)
        there = [path for path in paths if os.path.lexists(path)]
        status, _out, error = self.run(
            ["tar", "--create", f"--file={self._path('saved.tar')}", "--directory=/", *there]
        )
        if status > 1:  # 1: a file changed while it was read, or a leading / was taken off
            return f"tar could not save {', '.join(there)}: {error.strip()}"
        quoted = " ".join(shlex.quote(path) for path in paths)
        _status, out, _error = self.run(["sh", "-c", f"find {quoted} ! -type d 2>/dev/null | sort"])
        self._write("listed", out)
        self._write("restore", RESTORE.format(folder=shlex.quote(self.folder), paths=quoted, revert=revert))
        status, _out, error = self.run(
            [
                "systemd-run",
                f"--unit={self.unit}",
                f"--on-active={seconds}",
                "--timer-property=AccuracySec=200ms",
                "--collect",
                "/bin/sh",
                self._path("restore"),
            ]
        )
        return f"systemd-run: {error.strip()}" if status else ""

    def _write(self, name, text):
        with open(
            os.open(self._path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as target:
            target.write(text)

    def armed(self):
        return self.run(["systemctl", "is-active", f"{self.unit}.timer"])[0] == 0

    def confirm(self):
        """Keep the change. False when the old state has returned, or is about to."""
        kept = self.armed() and self.run(["systemctl", "stop", f"{self.unit}.timer"])[0] == 0
        kept = kept and not os.path.exists(self._path("returned"))
        if kept:
            shutil.rmtree(self.folder, ignore_errors=True)
        return kept

    def restore(self):
        """Have the old state back at once."""
        if not os.path.exists(self._path("saved.tar")):
            return
        self.run(["systemctl", "stop", f"{self.unit}.timer"])
        self.run(["/bin/sh", self._path("restore")])
