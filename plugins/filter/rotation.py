# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters over logins and their secrets; one sidecar YAML documents each."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.plugin_utils import _rotation


def _guarded(name):
    """The function as a filter. Only the name of what is missing is said: the input holds secrets."""

    def run(*arguments):
        try:
            return getattr(_rotation, name)(*arguments)
        except (AttributeError, KeyError, TypeError) as error:
            missing = error if isinstance(error, KeyError) else type(error).__name__
            raise AnsibleFilterError(
                f"mainstay.platform.{name}: found no {missing}; expected it; see ansible-doc --type filter"
            ) from None

    return run


class FilterModule:
    def filters(self):
        names = ("begun_rotation", "both_logins", "login_attempts", "present_login", "role_logins")
        return {name: _guarded(name) for name in names}
