# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durations and sizes as text and as numbers. Pure; private to this collection."""

from __future__ import annotations

import re

SECONDS = {
    "ms": 0.001,
    "s": 1,
    "sec": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
    "w": 604800,
    "week": 604800,
}
# Powers of 1024 throughout, as PostgreSQL and the kernel count.
BYTES = {"b": 1, "byte": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}

PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)\s*")


def seconds(value):
    """Seconds of 90, "90", "5min", "30 s" or "1h 30min"; whole numbers stay whole."""
    text = _text(value, "a duration such as 30s, 5min or 1h 30min")
    total, position = 0.0, 0
    while position < len(text):
        part = PART.match(text, position)
        unit = part and _duration_unit(part.group(2))
        if not part or unit is None:
            raise ValueError(
                f"found {value!r}; expected a duration such as 30s, 5min or 1h 30min; units are ms, s, min, h, d and w"
            )
        total += float(part.group(1)) * unit
        position = part.end()
    return int(total) if total == int(total) else round(total, 6)


def _duration_unit(name):
    if not name:
        return 1
    return SECONDS.get(name, SECONDS.get(name.rstrip("s")) if len(name) > 2 else None)


def size_in_bytes(value):
    """Bytes of 1024, "64MB", "1.5gb" or "512 MiB"."""
    text = _text(value, "a size such as 64MB or 1.5GB")
    part = PART.fullmatch(text)
    unit = part and (part.group(2) or "b")
    if unit and unit not in BYTES:
        unit = re.sub(r"(ytes?|ib|b)$", "", unit) or unit
    if not part or unit not in BYTES:
        raise ValueError(
            f"found {value!r}; expected a size such as 64MB or 1.5GB; units are B, kB, MB, GB and TB, powers of 1024"
        )
    return int(float(part.group(1)) * BYTES[unit])


def _text(value, expected):
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or not str(value).strip():
        raise ValueError(f"found {value!r}; expected {expected}")
    return str(value).strip().lower()


def megabytes_text(megabytes):
    """2048 as "2GB", 1536 as "1536MB": the way PostgreSQL writes sizes."""
    return f"{megabytes // 1024}GB" if megabytes >= 1024 and megabytes % 1024 == 0 else f"{megabytes}MB"
