# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names of the operators: what stands behind each, who comes to it, and what is refused."""

from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.filter import operators

HOSTS = [{"name": "ops1", "address": "10.0.0.9"}]
PORTS = {"prometheus": 9090}
GRAFANA = {"name": "grafana", "servers": [{"name": "ops2", "address": "10.0.0.8", "port": 3000}]}


def made(names, services=()):
    return operators.edge_operators(names, list(services), HOSTS, PORTS)


def test_what_the_platform_runs_is_asked_over_tls_on_its_hosts():
    (prometheus,) = made({"prometheus": "graphs.example.org"})
    assert prometheus["servers"] == [{"name": "ops1", "address": "10.0.0.9", "port": 9090}]
    assert (prometheus["host"], prometheus["tls"]) == ("graphs.example.org", True)


def test_a_description_comes_before_what_is_known():
    named = {"name": "prometheus", "servers": GRAFANA["servers"]}
    grafana, prometheus = made({"grafana": "g.example.org", "prometheus": "p.example.org"}, [GRAFANA, named])
    assert grafana["servers"] == prometheus["servers"] == GRAFANA["servers"]
    assert "tls" not in prometheus


def test_every_route_is_for_operators_and_has_a_limit():
    (route,) = operators.edge_operator_routes(made({"statistics": "edge.example.org"}))
    assert route["operators"] is True and route["hosts"] == ["edge.example.org"]
    assert route["rate_limit"]["requests"] > 0 and route["backend"] == "operators_statistics"


def test_what_leads_somewhere_has_no_problems():
    names = {"statistics": "s.example.org", "prometheus": "p.example.org", "grafana": "g.example.org"}
    assert operators.edge_operator_problems(made(names, [GRAFANA]), [{"hosts": ["example.org"]}]) == []


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ({"kibana": "k.example.org"}, "describe the service in haproxy_operator_services"),
        ({"statistics": "*.example.org"}, "expected the name of one host"),
        ({"statistics": "a } or { src"}, "expected the name of one host"),
        ({"statistics": "Pay.example.org"}, "found a route of the application"),
        ({"Statistics page": "s.example.org"}, "expected a service as a plain name"),
    ],
)
def test_what_does_not_lead_anywhere_is_named(names, found):
    problems = operators.edge_operator_problems(made(names), [{"hosts": ["pay.example.org"]}])
    assert any(found in problem for problem in problems), problems
