# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filters of the edge: what services become, in which order routes are tried, and what is refused."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.filter import edge
from ansible_collections.mainstay.platform.plugins.filter.app_services import complete_services

HOSTS = [{"name": "app1", "address": "10.0.0.21"}, {"name": "app2", "address": "10.0.0.22"}]
BACKEND = {"name": "api", "servers": [{"name": "a", "address": "10.0.0.1", "port": 1}]}


def test_a_service_becomes_a_backend_with_each_instance():
    services = [{"name": "api", "port": 8000, "instances": 2, "health": {"path": "/ready"}}]
    (backend,) = edge.edge_backends(services, HOSTS)
    assert backend["health_path"] == "/ready"
    assert [(s["name"], s["address"], s["port"]) for s in backend["servers"]] == [
        ("app1-1", "10.0.0.21", 8000),
        ("app1-2", "10.0.0.21", 8001),
        ("app2-1", "10.0.0.22", 8000),
        ("app2-2", "10.0.0.22", 8001),
    ]


def test_what_services_do_not_say_themselves_holds_at_the_edge_too():
    defaults = {"instances": 2, "health": {"path": "/healthz", "interval": 5}}
    services = complete_services([{"name": "api", "port": 80, "health": {"interval": 9}}], defaults)
    (backend,) = edge.edge_backends(services, HOSTS[:1])
    assert backend["health_path"] == "/healthz" and [s["port"] for s in backend["servers"]] == [80, 81]
    assert services[0]["health"] == {"path": "/healthz", "interval": 9}


def test_a_second_set_of_servers_stands_by_some_ports_above():
    (backend,) = edge.edge_backends([{"name": "api", "port": 8000}], HOSTS, 1000)
    assert [(s["name"], s["port"], s.get("standby", False)) for s in backend["servers"]] == [
        ("app1-1", 8000, False),
        ("app2-1", 8000, False),
        ("app1-1-green", 9000, True),
        ("app2-1-green", 9000, True),
    ]


@pytest.mark.parametrize(
    "service",
    [{"name": "worker"}, {"name": "inner", "port": 8000, "routes": []}, {"name": "none", "port": 80, "instances": 0}],
)
def test_what_has_no_port_or_no_routes_is_not_published(service):
    assert edge.edge_backends([service], HOSTS) == []
    assert edge.edge_routes([service]) == []


def test_a_service_without_routes_gets_every_path():
    assert edge.edge_routes([{"name": "web", "port": 80}]) == [{"path_prefix": "/", "hosts": [], "backend": "web"}]


def test_a_route_may_have_a_backend_of_its_own():
    services = [
        {"name": "api", "port": 80, "routes": [{"path_prefix": "/api/"}, {"backend": "web"}, {"backend": "web"}]}
    ]
    api, web = edge.edge_backends(services, HOSTS)
    assert (api["name"], web["name"]) == ("api", "web")
    assert api["servers"] == web["servers"]
    assert [route["backend"] for route in edge.edge_routes(services)] == ["api", "web", "web"]


def test_the_most_exact_route_is_first():
    routes = [
        {"path_prefix": "/", "backend": "web"},
        {"path_prefix": "/api/", "backend": "api"},
        {"path_prefix": "/", "hosts": ["pay.example.org"], "backend": "pay"},
    ]
    ordered = edge.edge_ordered(routes)
    assert [route["backend"] for route in ordered] == ["pay", "api", "web"]
    assert [route["number"] for route in ordered] == [1, 2, 3]


@pytest.mark.parametrize("name", ["edge_backends", "edge_routes"])
def test_services_must_be_a_list(name):
    arguments = [HOSTS] if name == "edge_backends" else []
    with pytest.raises(AnsibleFilterError, match="expected a list"):
        getattr(edge, name)({"name": "api"}, *arguments)


def test_what_fits_together_has_no_problems():
    routes = [{"path_prefix": "/api/", "backend": "api", "hosts": ["*.example.org", "example.org"]}]
    assert edge.edge_problems(routes, [BACKEND]) == []


@pytest.mark.parametrize(
    ("routes", "backends", "found"),
    [
        ([{"backend": "web"}], [BACKEND], "expected one of the backends api"),
        ([{"backend": "api"}, {"backend": "api"}], [BACKEND], "second route for / of any host"),
        ([{"backend": "api", "path_prefix": "api"}], [BACKEND], "absolute path"),
        ([{"backend": "api", "path_prefix": "/a } or { src"}], [BACKEND], "absolute path"),
        ([{"backend": "api", "hosts": ["a b"]}], [BACKEND], "expected a host name"),
        ([{"backend": "api", "path_prefix": "/a%2f/"}], [BACKEND], "as it reads decoded"),
        ([{"backend": "api", "allow": ["10.0.0.0/8", "office"]}], [BACKEND], "found 'office' in allow"),
        ([{"backend": "api", "rate_limit": {"requests": 0, "window": 1}}], [BACKEND], "requests and window above 0"),
        ([], [BACKEND, BACKEND], "found twice"),
        ([], [{**BACKEND, "name": "postgresql_primary"}], "none of the role's own names"),
        ([], [{**BACKEND, "name": "redis_master"}], "none of the role's own names"),
        ([], [{**BACKEND, "name": "redis"}], "none of the role's own names"),
        ([], [{**BACKEND, "servers": []}], "found no server"),
        ([], [{**BACKEND, "health_path": "health"}], "found health_path"),
    ],
)
def test_what_does_not_fit_is_named(routes, backends, found):
    problems = edge.edge_problems(routes, backends)
    assert any(found in problem for problem in problems), problems


def test_names_come_before_patterns_and_narrow_patterns_before_wide_ones():
    routes = [
        {"backend": "wide", "hosts": ["*.example.org"], "path_prefix": "/long/prefix/"},
        {"backend": "named", "hosts": ["pay.example.org"]},
        {"backend": "narrow", "hosts": ["*.pay.example.org"]},
    ]
    assert [route["backend"] for route in edge.edge_ordered(routes)] == ["named", "narrow", "wide"]
