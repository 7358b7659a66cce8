# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters over the declared flows; one sidecar YAML documents each."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.plugin_utils._flows import blocked, nftables, outbound, pg_hba


def flows_to_nftables(flows, host_groups, members, operators=None, known=None):
    """The firewall rules of one host."""
    try:
        return nftables(flows, host_groups, members, operators or [], known)
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"mainstay.platform.flows_to_nftables: {error}") from error


def flows_to_nftables_outbound(flows, external, host, members, operators=None, floating="", known=None):
    """The firewall rules for what one host may reach."""
    try:
        return outbound(flows, external, host, members, operators or [], floating, known)
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"mainstay.platform.flows_to_nftables_outbound: {error}") from error


def blocked_networks(networks, spared=None):
    """A blocklist by family of addresses."""
    try:
        return blocked(networks, spared or {})
    except (TypeError, ValueError) as error:
        raise AnsibleFilterError(f"mainstay.platform.blocked_networks: {error}") from error


def flows_to_pg_hba(flows, access, members, to="postgresql", port=5432, method="scram-sha-256"):
    """The pg_hba lines of the hosts of one group."""
    try:
        return pg_hba(flows, access, members, to, int(port), method)
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"mainstay.platform.flows_to_pg_hba: {error}") from error


class FilterModule:
    """Flows to the rules that let them through."""

    def filters(self):
        return {
            "blocked_networks": blocked_networks,
            "flows_to_nftables": flows_to_nftables,
            "flows_to_nftables_outbound": flows_to_nftables_outbound,
            "flows_to_pg_hba": flows_to_pg_hba,
        }
