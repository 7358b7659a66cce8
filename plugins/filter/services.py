# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters over what systemd says of its units; one sidecar YAML documents each."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

AT_BOOT = {"enabled", "static", "alias", "indirect"}


def _states(lines):
    """Split readings into the fields of each unit and the moments at which its files changed."""
    states, files = {}, {}
    for line in lines:
        unit, *fields = line.split("|")
        if fields[:1] == ["file"]:
            files.setdefault(unit, []).append(int(fields[1]))
        else:
            states[unit] = fields
    return states, files


def stale_units(lines, wanted):
    """List the wanted units that do not run, do not come at boot, or run since before one of their files changed."""
    states, files = _states(lines)
    stale = []
    for unit in wanted:
        if unit not in states:
            raise AnsibleFilterError(
                f"mainstay.platform.stale_units: found no reading of {unit}, expected one line for each wanted unit"
            )
        fields = states[unit]
        since = max([int(field[1:]) for field in fields if field.startswith("@") and field[1:].isdigit()], default=0)
        old = max(files.get(unit, []), default=0) > since
        if old or "active" not in fields or not AT_BOOT.intersection(fields):
            stale.append(unit)
    return stale


class FilterModule:
    def filters(self):
        return {"stale_units": stale_units}
