# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.plugin_utils import _postgresql_compare
from ansible_collections.mainstay.platform.plugins.plugin_utils._postgresql_sizing import check_overrides, settings


def postgresql_settings(memory_mb, vcpus=1, max_connections=200, overrides=None):
    """Settings for a host of this size, the overrides on top."""
    try:
        computed = settings(int(memory_mb), int(vcpus), int(max_connections))
        problems = check_overrides(overrides or {}, int(memory_mb))
    except (TypeError, ValueError) as error:
        raise AnsibleFilterError(f"mainstay.platform.postgresql_settings: {error}") from error
    if problems:
        raise AnsibleFilterError(f"mainstay.platform.postgresql_settings: {'; '.join(problems)}")
    return {**computed, **(overrides or {})}


def wrong_settings(found, wanted):
    """What a server uses otherwise than it is wanted."""
    try:
        return _postgresql_compare.wrong_settings(found or {}, wanted)
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(
            f"mainstay.platform.wrong_settings: found {error}; expected setting, unit and kind by the name of each"
        ) from error


def differences(found, wanted):
    """What a document says otherwise than it is wanted."""
    if not isinstance(found, dict) or not isinstance(wanted, dict):
        raise AnsibleFilterError(
            f"mainstay.platform.differences: found {type(found).__name__} and {type(wanted).__name__}; expected two "
            "dictionaries"
        )
    return _postgresql_compare.differences(found, wanted)


class FilterModule:
    """Settings of PostgreSQL: from memory and processors, and whether they are in use."""

    def filters(self):
        return {
            "postgresql_settings": postgresql_settings,
            "wrong_settings": wrong_settings,
            "differences": differences,
        }
