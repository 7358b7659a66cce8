# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters over durations and sizes; one sidecar YAML documents each."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.plugin_utils._units import seconds, size_in_bytes


def to_seconds(value):
    """The duration as a number of seconds."""
    try:
        return seconds(value)
    except ValueError as error:
        raise AnsibleFilterError(f"mainstay.platform.to_seconds: {error}") from error


def to_bytes(value):
    """The size as a number of bytes."""
    try:
        return size_in_bytes(value)
    except ValueError as error:
        raise AnsibleFilterError(f"mainstay.platform.to_bytes: {error}") from error


class FilterModule:
    """Durations and sizes."""

    def filters(self):
        return {"to_seconds": to_seconds, "to_bytes": to_bytes}
