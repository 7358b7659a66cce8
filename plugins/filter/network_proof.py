# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters of the network's proof; one sidecar YAML documents each."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.plugin_utils import _network_proof as proof


def probe_targets(members, floating="", more=None):
    """Every address of the platform, with the groups of its host."""
    try:
        return proof.targets(members, str(floating or "").partition("/")[0], more or {})
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"mainstay.platform.probe_targets: {error}") from error


def probe_problems(probes, targets, flows, members, operators=None, idle=None, strangers=None):
    """What is wrong with what the hosts found, and how many ports were judged."""
    matrix = {"flows": flows, "members": members, "operators": operators or []}
    try:
        sources = [{**host, "probes": probes[host["name"]]} for host in members["all"] if host["name"] in probes]
        idle = {int(port) for port in idle or []}
        problems, ports = proof.judge([*sources, *(strangers or [])], targets, matrix, idle)
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"mainstay.platform.probe_problems: {error}") from error
    return {"problems": problems, "ports": ports}


class FilterModule:
    """The plan of the proof and its judge."""

    def filters(self):
        return {"probe_targets": probe_targets, "probe_problems": probe_problems}
