# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides what a unit of systemd needs, from what systemctl shows. Pure; private to this collection."""

from __future__ import annotations

from datetime import datetime, timezone

PROPERTIES = (
    "LoadState",
    "ActiveState",
    "UnitFileState",
    "NeedDaemonReload",
    "DropInPaths",
    "InactiveExitTimestamp",
    "StateChangeTimestamp",
    "ReloadResult",
    "Triggers",
)
AT_BOOT = ("enabled", "static", "generated", "alias", "indirect")


def timer(unit, seconds, command, accuracy="1s"):
    """The command after which the host itself does something some seconds later, once, and keeps no unit of it."""
    options = [f"--unit={unit}", f"--on-active={seconds}", f"--timer-property=AccuracySec={accuracy}", "--collect"]
    return ["systemd-run", *options, *command]


def parse_show(text):
    """The answer of systemctl show as a dict."""
    return dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line)


def moment(text):
    """Seconds since the epoch of "Sat 2026-11-21 10:00:00.123456 UTC"; 0 when there was no such moment."""
    if not text or text == "n/a":
        return 0.0
    return datetime.strptime(text, "%a %Y-%m-%d %H:%M:%S.%f UTC").replace(tzinfo=timezone.utc).timestamp()


def read_at(shown, refresh):
    """When the service read its files at the latest. While it runs its state changes by reloads only."""
    reloaded = "restart" not in refresh and shown.get("ReloadResult") == "success"
    return moment(shown.get("StateChangeTimestamp" if reloaded else "InactiveExitTimestamp"))


def drop_in_directories(name):
    """Names of the directories that add to a unit: its own, and those of each part of its name that ends in a dash."""
    stem, dot, kind = name.rpartition(".")
    stem, kind = (stem, kind) if dot else (kind, "service")
    parts = stem.split("-")
    prefixes = ["-".join(parts[:length]) + "-" for length in range(len(parts) - 1, 0, -1)]
    return [f"{each}.{kind}.d" for each in [stem, *prefixes]]


def unread(shown, drop_ins):
    """Whether systemd has not read the unit as it is. Up to release 252 it says no to the first drop-in of a unit."""
    return shown.get("NeedDaemonReload") == "yes" or not set(drop_ins) <= set(shown.get("DropInPaths", "").split())


def needed(shown, service, written, outdated):
    """What a service needs, in order. `written`: when its newest file was; `outdated`: if units are to be read."""
    active, at_boot = shown.get("ActiveState"), shown.get("UnitFileState")
    actions = ["daemon-reload"] if outdated else []
    if service["state"] == "stopped":
        actions += ["disable"] if at_boot == "enabled" else []
        return actions + (["stop"] if active in ("active", "reloading", "activating") else [])
    actions += [] if at_boot in AT_BOOT else ["enable"]
    stale = written > read_at(shown, service["refresh"])
    if active in ("active", "reloading"):
        return actions + (service["refresh"] if stale else [])
    # One that is still starting has read what was there when it began.
    again = active == "activating" and stale and "restart" in service["refresh"]
    return actions + (["restart"] if again else ["start"])
