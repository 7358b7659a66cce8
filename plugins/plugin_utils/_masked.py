# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps secrets out of what people are shown. Pure; private to this collection."""

from __future__ import annotations

LINES = 25  # of what a program has said, when it is shown


def masked(value, secrets):
    """A value in whose texts no secret can be read, nor a line of one.

    The longest go first: one may be a part of another.
    """
    parts = {part for secret in map(str, secrets) for part in (secret, *secret.splitlines())}
    return _without(value, sorted((part for part in parts if len(part) > 3), key=len, reverse=True))


def _without(value, parts):
    if isinstance(value, dict):
        return {key: _without(item, parts) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without(item, parts) for item in value]
    if isinstance(value, str):
        for part in parts:
            value = value.replace(part, "***")
    return value


def last_words(result, secrets):
    """The end of what a command or a container has said, as one line."""
    said = "\n".join(result[stream] for stream in ("stdout", "stderr") if result.get(stream)) or result.get("msg") or ""
    lines = masked(str(said), secrets).splitlines()
    return " / ".join(lines[-LINES:]) or "none"
