# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The console of a PgBouncer, and the file that says where it serves from. Private to this collection."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import time

SAID = b"-- said"  # the console prints it after each answer
# Its input ends when whoever holds statements is killed: they go on then, instead of waiting for somebody to come.
GUARDED = '"$@"; exec "$@" -c RESUME >/dev/null 2>&1'


class Failed(Exception):
    """Of the pooler, or of a switch: the role did not move."""


def redirected(text, old, new):
    """The pooler's file with its servers at another address."""
    return re.sub(rf"(?m)(\bhost=){re.escape(old)}(?=\s|$)", rf"\g<1>{new}", text)


class Pooler:
    """The pooler's console; none of its methods does anything when there is none.

    One psql for all statements, open before the first: starting one takes clients longer than what it says.
    """

    def __init__(self, params):
        self.params, self.console = params, None
        there = not params["pooler_socket"] or os.path.exists(params["pooler_socket"])
        self.runs = bool(params["pooler"]) and there

    def open(self):
        if self.runs:
            pipe = subprocess.PIPE
            self.console = subprocess.Popen(
                ["sh", "-c", GUARDED, "console", *self.params["pooler"]],
                stdin=pipe,
                stdout=pipe,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,
            )
            self.say("SHOW VERSION")

    def close(self):
        if self.console:
            os.killpg(self.console.pid, signal.SIGKILL)  # psql is a grandchild
            self.console.communicate()
            self.console = None

    def say(self, statement, timeout=10):
        """By a new console where the one before has ended, or still waits for an answer."""
        if not self.console:
            self.open()
        answer, end = b"", time.monotonic() + timeout
        with contextlib.suppress(BrokenPipeError):  # what it said before it ended is in the answer
            self.console.stdin.write(b"%s;\n\\echo %s\n" % (statement.encode(), SAID))
        while SAID not in answer:
            left = max(0, end - time.monotonic())
            ready = select.select([self.console.stdout], [], [], left)[0]
            part = os.read(self.console.stdout.fileno(), 65536) if ready else b""
            if not part:
                self.close()
                break
            answer += part
        if SAID not in answer or b"ERROR" in answer:
            found = answer.decode(errors="replace").strip() or "no answer"
            raise Failed(f"pooler: found {found!r} to {statement}; expected it to be done")

    def hold(self):
        """Held when every transaction has ended; otherwise everything goes on, and nothing has changed."""
        if not self.runs:
            return
        try:
            self.say("PAUSE", self.params["pause_deadline"])
        except Failed as error:
            self.go_on()
            raise Failed(
                f"pooler on {self.params['leader']}: found transactions that did not end within "
                f"{self.params['pause_deadline']:g} s ({error}); expected all of them to end; nothing has changed; "
                "look at pg_stat_activity for the oldest, or try again later"
            ) from error

    def point(self, old, new):
        """Serve from another host."""
        if not self.runs:
            return
        path = self.params["pooler_config"]
        with open(path, encoding="utf-8") as source:
            text = source.read()
        status = os.stat(path)
        beside = f"{path}.switchover"
        with open(beside, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as target:
            target.write(redirected(text, old, new))
        os.chown(beside, status.st_uid, status.st_gid)
        os.chmod(beside, status.st_mode & 0o7777)
        os.replace(beside, path)
        self.say("RELOAD")

    def go_on(self):
        """By another console where this one has ended meanwhile."""
        for tries_left in (1, 0) if self.runs else ():
            try:
                self.say("RESUME")
                return
            except Failed as error:
                if "not paused" in str(error):
                    return
                if not tries_left:
                    raise
