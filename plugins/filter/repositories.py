# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters over backup repositories; one sidecar YAML documents each."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.plugin_utils._repositories import offsite


def offsite_repository(given, key):
    """The lines of pgBackRest's configuration for a repository in an object store."""
    try:
        return offsite(given, key)
    except (AttributeError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"mainstay.platform.offsite_repository: {error}") from error


class FilterModule:
    """Repositories to pgBackRest's configuration."""

    def filters(self):
        return {"offsite_repository": offsite_repository}
