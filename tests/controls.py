#!/usr/bin/env python3
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""tests/controls.py: writes the table of docs/hardening.md from the data file of the controls."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
VARS = ROOT / "roles" / "hardening" / "vars" / "main"
PAGE = ROOT / "docs" / "hardening.md"
BEGIN, END = "<!-- controls: written by tests/controls.py -->\n", "<!-- end of controls -->\n"


def data():
    """Controls, needs and subsystems, as they are written."""
    files = [yaml.safe_load(path.read_text()) for path in sorted(VARS.glob("*.yml"))]
    return {key: value for file in files for key, value in file.items()}


def table():
    """A heading and a table for each subsystem."""
    found = data()
    lines = []
    for subsystem, promise in found["__hardening_subsystems"].items():
        lines += [
            f"### {subsystem}: {promise}",
            "",
            "| control | level | why | answers | needs |",
            "|---|---|---|---|---|",
        ]
        for control in found["__hardening_controls"]:
            if control["subsystem"] == subsystem:
                needs = ", ".join(control.get("needs", [])) or "-"
                answers = ", ".join(control["standards"])
                lines.append(f"| `{control['id']}` | {control['level']} | {control['reason']} | {answers} | {needs} |")
        lines.append("")
    lines += ["### What a host may lack", "", "| need | then the control is not applicable, because |", "|---|---|"]
    lines += [f"| {name} | {need['reason']} |" for name, need in found["__hardening_needs"].items()]
    return "\n".join(lines) + "\n"


def page():
    """The page with its table as it should be."""
    before, rest = PAGE.read_text().split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page())
