# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files below the backup directory: encrypted, whole, kept for their time."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from .common import Problem, failure, run

CIPHER = ["openssl", "enc", "-aes-256-cbc", "-pbkdf2", "-iter", "200000"]
DAY = 86400


def encrypting(settings):
    return [*CIPHER, "-salt", "-pass", f"file:{settings.key_file}"]


def decrypting(settings, path):
    return [*CIPHER, "-d", "-pass", f"file:{settings.key_file}", "-in", str(path)]


def store(settings, source, target, env=None):
    """Encrypt a file, or what a command prints, under the target's name once it is complete; gives the bytes."""
    target = Path(target)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    with part.open("wb") as out:
        if isinstance(source, list):
            pipe(source, encrypting(settings), stdout=out, env=env)
        else:
            with Path(source).open("rb") as read:
                subprocess.run(encrypting(settings), stdin=read, stdout=out, check=True)
    part.replace(target)
    return target.stat().st_size


def pipe(first, second, stdout=None, env=None, second_env=None):
    """Run `first | second`; both have to succeed, and a failure of the first says why."""
    with (
        subprocess.Popen(first, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as one,
        subprocess.Popen(second, stdin=one.stdout, stdout=stdout, stderr=subprocess.PIPE, env=second_env) as two,
    ):
        one.stdout.close()  # so that the first ends when the second does
        said_two = two.communicate()[1]
        said_one = one.stderr.read()
        one.wait()
    # When the second gives up, the first dies of the broken pipe: the second's words are the cause.
    for words, process, text in ((second, two, said_two), (first, one, said_one)):
        if process.returncode != 0 and not (process is one and process.returncode < 0):
            raise Problem(failure(words, process.returncode, text.decode(errors="replace")))
    if one.returncode != 0:
        raise Problem(failure(first, one.returncode, said_one.decode(errors="replace")))


def newest(directory, pattern):
    """The file of a pattern that was written last, or None."""
    return max(Path(directory).glob(pattern), key=lambda path: path.stat().st_mtime, default=None)


def expire(directory, days, now=None):
    """Remove what is older than its time, and parts that a killed run left."""
    now = time.time() if now is None else now
    for path in Path(directory).rglob("*"):
        if not path.is_file():
            continue
        age = now - path.stat().st_mtime
        if (path.suffix == ".enc" and age > days * DAY) or (path.suffix == ".part" and age > DAY):
            path.unlink()


def expire_replaced(directory, days):
    """The same for what holds until something newer takes its place: its age counts from there."""
    paths = sorted(Path(directory).glob("*.enc"), key=lambda path: path.stat().st_mtime)
    for path, successor in zip(paths, paths[1:], strict=False):
        if time.time() - successor.stat().st_mtime > days * DAY:
            path.unlink()


def thin(paths, now, whole_days=2):
    """Of hourly files those to remove: after some days the first one of each day, or its parts, is enough."""
    seen, surplus = {}, []
    for path in sorted(paths):
        day, _mark, rest = path.name.partition("_")
        first = seen.setdefault(day, rest[:6])
        if now - path.stat().st_mtime > whole_days * DAY and rest[:6] != first:
            surplus.append(path)
    return surplus


def read_back(settings, path, reader, scratch):
    """Decrypt a file into the scratch directory and have a command read it."""
    with path.open("rb") as stored:
        if stored.read(8) != b"Salted__":
            raise Problem(f"{path}: found it not encrypted; expected it encrypted; remove it and take a new one")
    plain = scratch / "plain"
    with plain.open("wb") as out:
        done = subprocess.run(decrypting(settings, path), check=False, stdout=out, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise Problem(f"{path}: found it not readable with the key; expected it to be; check backup_files in the vault")
    try:
        run([*reader, str(plain)])
    except Problem as error:
        raise Problem(f"{path}: found it damaged ({error}); expected a whole file; take a new one") from None
    finally:
        plain.unlink()
