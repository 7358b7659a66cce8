# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what apt-get, needrestart and /proc say of a host that is to be patched. Pure; private to this collection."""

from __future__ import annotations

import os.path
import re

from ansible_collections.mainstay.platform.plugins.module_utils._systemd import moment, parse_show

INSTALL = re.compile(r"^Inst (?P<name>\S+) (?:\[(?P<from>[^\]]+)\] )?\((?P<to>\S+)")
REMOVE = re.compile(r"^Remv (?P<name>\S+)")
KEPT = "The following packages have been kept back:"
STALE = "NEEDRESTART-SVC: "
DELETED = " (deleted)"
UNIT = re.compile(r"/(?P<unit>[^/]+\.service)$")
SHOWN = ("Id", "RefuseManualStop", "ExecMainStartTimestamp")
WORDS = 4  # of a command line that may name a script: interpreter, options, script


def simulated(text):
    """{upgrades: [{name, from, to}], removed: [name], kept: [name]} of a simulated run of apt-get."""
    found = {"upgrades": [], "removed": [], "kept": []}
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if match := INSTALL.match(line):
            found["upgrades"].append({key: value or "" for key, value in match.groupdict().items()})
        elif match := REMOVE.match(line):
            found["removed"].append(match["name"])
        elif line.strip() == KEPT:
            for names in lines[number + 1 :]:
                if not names.startswith(" "):
                    break
                found["kept"] += names.split()
    return found


def stale(text):
    """The units that needrestart names."""
    return sorted(line.removeprefix(STALE).strip() for line in text.splitlines() if line.startswith(STALE))


def apart(units, patterns):
    """(those to restart, those that match a pattern at their beginning)."""
    spared = [unit for unit in units if any(re.match(pattern, unit) for pattern in patterns)]
    return [unit for unit in units if unit not in spared], spared


def asked(text, written):
    """(units that may be restarted and need it, units that refuse it), from what systemctl shows of stale ones.

    `written` is when dpkg last did something. A main process that is younger runs what is installed; what is old of
    its unit are sessions that were left to end, as those of ssh are.
    """
    shown = [parse_show(part) for part in text.split("\n\n") if part.strip()]
    old = [unit for unit in shown if moment(unit.get("ExecMainStartTimestamp")) <= written]
    refusing = [unit["Id"] for unit in old if unit.get("RefuseManualStop") == "yes"]
    return [unit["Id"] for unit in old if unit["Id"] not in refusing], refusing


def unit_of(cgroup):
    """The unit that a process belongs to, from its /proc/PID/cgroup; empty for a session or a container."""
    for line in cgroup.splitlines():
        number, controllers, path = (line.split(":", 2) + ["", ""])[:3]
        if (number == "0" and not controllers) or controllers == "name=systemd":
            match = UNIT.search(path)
            if match and not re.search(r"/user@\d+\.service/", path):
                return match["unit"]
    return ""


def mapped(maps):
    """The files that a process runs code of, from its /proc/PID/maps."""
    rows = (line.split(maxsplit=5) for line in maps.splitlines())
    return {row[5].removesuffix(DELETED) for row in rows if len(row) == 6 and "x" in row[1] and row[5].startswith("/")}


def named(cmdline):
    """The files that a process was started with, a script among them, from its /proc/PID/cmdline."""
    return {word for word in cmdline.split("\0")[:WORDS] if word.startswith("/")}


def real(paths, resolve=os.path.realpath):
    """Paths with their directories resolved, as /proc gives them; each directory is looked at once."""
    seen = {}
    found = set()
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in seen:
            seen[folder] = resolve(folder)
        found.add(os.path.join(seen[folder], name))
    return found


def using(processes, files):
    """The units with a process that uses one of the files. `processes` are (unit, paths)."""
    return sorted({unit for unit, paths in processes if unit and not files.isdisjoint(paths)})


def evidence(found):
    """All of it in one line."""
    said = [f"{item['name']} {item['from'] or 'none'} -> {item['to']}" for item in found["upgrades"]]
    parts = [f"to upgrade: {', '.join(said)}"] if said else []
    for key, words in (
        ("removed", "to remove"),
        ("kept", "kept back"),
        ("expected", "to restart then"),
        ("services", "runs on with replaced files"),
        ("left", "so does, until the next boot"),
    ):
        if found[key]:
            parts.append(f"{words}: {', '.join(found[key])}")
    if found["reboot"]:
        parts.append(f"a reboot is wanted by {', '.join(found['reboot_packages']) or 'the host'}")
    return "; ".join(parts) or "nothing to upgrade, to restart or to boot"
