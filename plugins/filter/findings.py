# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that gather and print what the gates of all hosts found; one sidecar YAML documents each."""

from __future__ import annotations

from textwrap import shorten

COLUMNS = ("host", "role", "gate", "verdict", "evidence")
EVIDENCE_WIDTH = 100


def findings(hosts, hostvars):
    """Gather the findings of the hosts; a host that has none was not reached, which is a red finding."""
    gathered = []
    for host in hosts:
        own = hostvars[host].get("platform_findings") or [
            {
                "host": host,
                "role": "platform",
                "gate": "the host answers",
                "verdict": "fail",
                "evidence": "no gate could be asked",
                "remedy": "Look at the run above for why the host was not reached or dropped out.",
            }
        ]
        gathered.extend(own)
    return gathered


def findings_table(found):
    """Print findings as aligned lines, red ones last with their remedy, and a count."""
    ordered = sorted(found, key=lambda finding: finding["verdict"] == "fail")
    rows = [
        [shorten(str(finding.get(column) or ""), EVIDENCE_WIDTH, placeholder="...") for column in COLUMNS]
        for finding in ordered
    ]
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [COLUMNS, *rows]
    ]
    red = [finding for finding in ordered if finding["verdict"] == "fail"]
    lines += [
        f"{finding['host']}: {finding['role']}: {finding['gate']}: {finding.get('remedy', '')}" for finding in red
    ]
    apart = sum(finding["verdict"] == "not applicable" for finding in found)
    lines.append(f"{len(found) - len(red) - apart} passed, {len(red)} failed, {apart} not applicable")
    return lines


class FilterModule:
    def filters(self):
        return {"findings": findings, "findings_table": findings_table}
