# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks whether controls hold, and brings about those that do not. Private to this collection."""

from __future__ import annotations

HELD = "held"
BROKEN = "broken"
NOT_APPLICABLE = "not applicable"


def problems(controls, needs):
    """What is wrong with the controls themselves, which no argument spec can say."""
    found = []
    names = [control["id"] for control in controls]
    found += [f"control {name} is there twice" for name in sorted({name for name in names if names.count(name) > 1})]
    for control in controls:
        found += [
            f"control {control['id']} needs {need!r}, which nobody explains"
            for need in control["needs"]
            if need not in needs
        ]
    return found


class Asker:
    """Puts the questions. `run` takes a script and gives (status, output)."""

    def __init__(self, run, needs):
        self.run = run
        self.needs = needs
        self.known = {}

    def missing(self, control):
        """Why the control cannot be had on this host; empty when it can."""
        for need in control["needs"]:
            if need not in self.known:
                self.known[need] = self.run(self.needs[need]["ask"])[0] == 0
            if not self.known[need]:
                return self.needs[need]["reason"]
        return ""

    def ask(self, control):
        """Verdict and what was found."""
        reason = self.missing(control)
        if reason:
            return {"verdict": NOT_APPLICABLE, "found": reason}
        status, said = self.run(control["ask"])
        found = "; ".join(line.strip() for line in said.splitlines() if line.strip())
        return {"verdict": BROKEN if status else HELD, "found": found or ("no" if status else "yes")}


def ask_all(asker, controls, deadline, clock, sleep):
    """{id: answer}; those that do not hold are asked again once a second until the deadline is over."""
    started = clock()
    answers = {control["id"]: asker.ask(control) for control in controls}
    while any(answer["verdict"] == BROKEN for answer in answers.values()) and clock() - started + 1 <= deadline:
        sleep(1)
        for control in controls:
            if answers[control["id"]]["verdict"] == BROKEN:
                answers[control["id"]] = asker.ask(control)
    return answers


def bring_about(asker, controls, may_change):
    """Fix what does not hold. Gives the ids that were (or would be) fixed, and {id: why} for those that stay broken."""
    fixed, failed = [], {}
    for control in controls:
        if not control["fix"] or asker.ask(control)["verdict"] != BROKEN:
            continue
        fixed.append(control["id"])
        if not may_change:
            continue
        _status, said = asker.run(control["fix"])
        after = asker.ask(control)
        if after["verdict"] == BROKEN:
            failed[control["id"]] = "; ".join(part for part in (after["found"], said.strip()) if part)
    return fixed, failed
