# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every part needs: settings, commands, locks, files that are whole or absent."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

SETTINGS = "/etc/mainstay/backup/settings.json"
ROOM = 1.2  # of a database's size, for the WAL that its copy replays or writes


class Problem(Exception):
    """Says object, found, expected and remedy to the operator."""


def load_settings(path=SETTINGS):
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise Problem(
            f"{path}: found {error.strerror}; expected the settings; run as root on the backup host"
        ) from None
    return json.loads(text, object_hook=lambda found: SimpleNamespace(**found))


def stamp(moment=None):
    """A moment as names carry it: 20231201_120000, in UTC."""
    return datetime.fromtimestamp(time.time() if moment is None else moment, timezone.utc).strftime("%Y%m%d_%H%M%S")


def said(moment):
    """A moment as people read it."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def run(words, **options):
    """The standard output of a command that has to succeed; its last words otherwise."""
    done = subprocess.run(words, check=False, capture_output=True, text=True, errors="replace", **options)
    if done.returncode != 0:
        raise Problem(failure(words, done.returncode, done.stderr or done.stdout))
    return done.stdout


def failure(words, code, text):
    name = next(
        (word for word in words if "/" not in word and word not in ("runuser", "-u", "postgres", "--")), words[0]
    )
    return f"{name}: found exit code {code} ({' '.join(text.split())[-600:] or 'it said nothing'}); expected 0"


def as_postgres(words):
    """A command as the owner of the repository and of scratch instances."""
    return ["runuser", "-u", "postgres", "--", *words]


@contextlib.contextmanager
def lock(kind, wait=False):
    """One at a time of a kind. The kernel lets go of it, however this process ends."""
    with open(f"/run/lock/mainstay-backup-{kind}.lock", "w", encoding="utf-8") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise Problem(f"{kind}: found another one running; expected none; wait for its end") from None
        yield


@contextlib.contextmanager
def scratch(settings):
    """A directory for what is not encrypted yet. It goes away with the block."""
    path = tempfile.mkdtemp(dir=settings.work_dir)
    try:
        yield Path(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)


def write_whole(path, text, mode=0o600):
    """Write a file so that readers find the old one or the new one, never a part."""
    path = Path(path)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.chmod(mode)
    with part.open("rb") as written:
        os.fsync(written.fileno())
    part.replace(path)


def read_json(path, default):
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return default
    except ValueError:
        raise Problem(f"{path}: found text that is not JSON; expected JSON; move the file away") from None


def note(text):
    """Progress for the operator, on the error stream: the output is for results."""
    import sys

    print(text, file=sys.stderr, flush=True)
