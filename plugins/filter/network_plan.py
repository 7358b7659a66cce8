# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.plugin_utils._network_plan import check_disjoint, plan


def network_plan(base, zones, tiers, prefix=24, step=10, reserved=None):
    """Subnets by tier and zone out of one base network."""
    try:
        subnets = plan(base, list(zones), list(tiers), int(prefix), int(step))
        flat = {f"{tier} in {zone}": text for tier, row in subnets.items() for zone, text in row.items()}
        problems = check_disjoint({**flat, **(reserved or {})})
    except (TypeError, ValueError) as error:
        raise AnsibleFilterError(f"mainstay.platform.network_plan: {error}") from error
    if problems:
        raise AnsibleFilterError(f"mainstay.platform.network_plan: {'; '.join(problems)}")
    return subnets


class FilterModule:
    """One base network to subnets."""

    def filters(self):
        return {"network_plan": network_plan}
