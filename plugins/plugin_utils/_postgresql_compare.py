# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server or Patroni uses, compared with what is wanted. Pure; private to this collection."""

from __future__ import annotations

from ansible_collections.mainstay.platform.plugins.plugin_utils._units import seconds, size_in_bytes

YES = {"on", "true", "yes", "1"}
NO = {"off", "false", "no", "0"}
TIMES = {"ms", "s", "min"}
# What a release takes another word for.
MEANS = {("wal_compression", "on"): "pglz"}


def number(text, unit):
    """A value as a number of the unit that the server counts a setting in."""
    try:
        return float(text)
    except ValueError:
        pass
    if not unit:
        return float(int(text, 0))
    if unit in TIMES:
        return seconds(text) / seconds(f"1{unit}")
    return size_in_bytes(text) / size_in_bytes(unit if unit[0].isdigit() else f"1{unit}")


def is_same(name, found, wanted, unit, kind):
    """Whether the server's value of a setting is the one that was written, maybe in another unit."""
    if found == wanted:
        return True
    if kind == "bool":
        return found == "on" if wanted.lower() in YES else found == "off" and wanted.lower() in NO
    if kind == "enum":
        word = {**dict.fromkeys(YES, "on"), **dict.fromkeys(NO, "off")}.get(wanted.lower(), wanted.lower())
        return found.lower() in (word, MEANS.get((name, word)))
    if kind in ("integer", "real"):
        # The server rounds to its unit.
        apart = abs(number(found, unit) - number(wanted, unit))
        return apart <= (0.5 if kind == "integer" else 1e-9)
    return [part.strip() for part in found.split(",")] == [part.strip() for part in wanted.split(",")]


def wrong_settings(found, wanted):
    """One text for each setting that a server, asked in small letters, uses with another value, or lacks."""
    problems = []
    for name, value in wanted.items():
        there = found.get(name.lower())
        if there is None:
            # A setting of a library that only some sessions load is not to be seen by others.
            if "." not in name:
                problems.append(f"{name} is unknown to the server")
            continue
        try:
            same = is_same(name, there["setting"], str(value), there.get("unit"), there["kind"])
        except ValueError:
            same = False
        if not same:
            unit = f" in {there['unit']}" if there.get("unit") else ""
            problems.append(f"{name} is {there['setting'] or 'empty'}{unit}, not {value}")
    return problems


def differences(found, wanted, path=""):
    """One text for each value of a document that is wanted otherwise; what nobody wants otherwise does not count."""
    problems = []
    for name, value in wanted.items():
        there = found.get(name)
        if isinstance(value, dict):
            problems += differences(there if isinstance(there, dict) else {}, value, f"{path}{name}.")
        elif there != value:
            problems.append(f"{path}{name} is {'not set' if there is None else there}, not {value}")
    return problems
