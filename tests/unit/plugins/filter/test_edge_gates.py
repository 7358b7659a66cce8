# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gates of the edge that follow from its routes and names."""

from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.filter import edge_gates

FILTERS = edge_gates.FilterModule().filters()
GENERAL = {"requests": 20, "window": 10}
OWN = {"path_prefix": "/api/", "backend": "api", "rate_limit": {"requests": 3, "window": 60}, "number": 2}
OPEN = {"path_prefix": "/", "backend": "web", "number": 3}
ANY = ("rate-limit.invalid", "/./", 20, "rate_global")


@pytest.mark.parametrize(
    ("routes", "asked"),
    [
        ([], [ANY]),
        ([OPEN, OWN], [ANY, ("rate-limit.invalid", "/api/./", 3, "rate_2")]),
        ([{**OWN, "hosts": ["*.example.org"]}], [ANY, ("rate-limit.example.org", "/api/./", 3, "rate_2")]),
        ([{**OPEN, "rate_limit": {"requests": 5, "window": 1}}], [("rate-limit.invalid", "/./", 5, "rate_3")]),
        # Not below it, where another route may lie: /login/ is more exact.
        ([{**OWN, "path_prefix": "/login"}], [ANY, ("rate-limit.invalid", "/login~/./", 3, "rate_2")]),
    ],
)
def test_every_limit_that_a_request_can_meet_has_a_gate(routes, asked):
    gates = FILTERS["edge_limit_gates"](routes, GENERAL, {"port": 443})
    found = [tuple(gate["args"][name] for name in ("host_header", "path", "requests", "table")) for gate in gates]
    assert found == asked
    assert all(gate["args"]["port"] == 443 and gate["remedy"] for gate in gates)


def test_gates_ask_as_a_stranger_without_the_password_and_with_it():
    make = FILTERS["edge_operator_gates"]
    services = [{"name": "statistics", "host": "s.example.org"}]
    login, asked = {"user": "operator", "password": "secret"}, {"port": 443, "ca_path": "/ca"}
    stranger, anybody, operator = make(services, "10.0.0.4", login, asked)
    assert (stranger["args"]["connect_to"], stranger["args"]["expect_status"]) == ("127.0.0.1", [403])
    assert (anybody["args"]["connect_to"], anybody["args"]["expect_status"]) == ("10.0.0.4", [401])
    assert operator["args"]["password"] == "secret" and operator["no_log"] and "password" not in anybody["args"]
    assert [gate["gate"] for gate in make(services, "10.0.0.4", login, asked, False)] == [
        stranger["gate"],
        anybody["gate"],
    ]
