# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter that says which names cannot have a certificate by ACME; a sidecar YAML documents it."""

from __future__ import annotations

import re

from ansible_collections.mainstay.platform.plugins.module_utils._certificate import covers

LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
NAME = re.compile(rf"(?:{LABEL}[.])+{LABEL}")


def acme_problems(names, edge_names, operator_names):
    """Say which names cannot have a certificate by ACME, one phrase each; an empty list when all can."""
    problems = []
    for name in map(str, names):
        if not NAME.fullmatch(name):
            problems.append(f"name {name!r}, which is no host name, or a pattern")
        elif name != name.lower():
            problems.append(f"name {name!r}, which is not in small letters")
        elif name in map(str.lower, operator_names):
            problems.append(f"name {name!r}, which is one for operators")
        elif name not in edge_names and not covers([each for each in edge_names if each.startswith("*.")], name):
            problems.append(f"name {name!r}, which is not of the edge ({', '.join(edge_names) or 'none is'})")
    return problems


class FilterModule:
    def filters(self):
        return {"acme_problems": acme_problems}
