# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters over the databases of an inventory; one sidecar YAML documents each."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.plugin_utils import _databases


def database_statements(databases, roles, lookup_role, texts=None):
    """Statements for postgres_ensure."""
    try:
        return _databases.statements(databases, roles, lookup_role, texts or {})
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(
            f"mainstay.platform.database_statements: found no {error}; expected databases with name and owner, and "
            "the text of every script by its path"
        ) from error


def database_gates(databases, statements, connection):
    """Gates for the action gates: each asks one question in a database."""
    return [
        {
            "gate": item["gate"],
            "module": "mainstay.platform.health_gate",
            "args": {
                **connection,
                "kind": "sql",
                "database": item["database"],
                "query": item["query"],
                "expect_value": item["expected"],
            },
            "remedy": item["remedy"],
        }
        for item in _databases.gates(databases, statements)
    ]


class FilterModule:
    """Databases to what makes them and what proves them."""

    def filters(self):
        return {"database_statements": database_statements, "database_gates": database_gates}
