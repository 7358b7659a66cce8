# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for the names of the operators at the edge; one sidecar YAML documents each."""

from __future__ import annotations

import re

NAME = re.compile(r"[a-z][a-z0-9_-]*")
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
# HAProxy's own page needs no server.
OWN = "statistics"
# A page of graphs is many requests.
LIMIT = {"requests": 500, "window": 10}


def edge_operators(names, services, hosts, ports):
    """Give each name its service: as it is described, or as the platform runs it on its hosts, over TLS."""
    known = {
        name: {"tls": True, "health_path": "/-/healthy", "servers": [{**host, "port": int(port)} for host in hosts]}
        for name, port in ports.items()
    }
    described = {OWN: {"servers": []}, **known, **{service["name"]: service for service in services}}
    return [{**described.get(name, {}), "name": name, "host": host} for name, host in names.items()]


def edge_operator_routes(operators):
    """Give the route of each service for operators."""
    return [
        {
            "path_prefix": "/",
            "hosts": [service["host"]],
            "backend": f"operators_{service['name']}",
            "operators": True,
            "rate_limit": service.get("rate_limit") or LIMIT,
        }
        for service in operators
    ]


def _problems(service, public):
    if not NAME.fullmatch(service["name"]):
        yield "expected a service as a plain name"
    if not HOST.fullmatch(service["host"]):
        yield "expected the name of one host"
    if service["host"].lower() in public:
        yield "found a route of the application for this host, expected a name of its own"
    if service["name"] != OWN and not service.get("servers"):
        yield "found no server, expected one or more; describe the service in haproxy_operator_services"


def edge_operator_problems(operators, routes):
    """Say what is wrong with the names of the operators, one sentence each."""
    public = {str(host).lower() for route in routes for host in route.get("hosts") or []}
    return [
        f"{service['name']} at {service['host']!r}: {problem}"
        for service in operators
        for problem in _problems(service, public)
    ]


class FilterModule:
    def filters(self):
        return {
            "edge_operator_problems": edge_operator_problems,
            "edge_operator_routes": edge_operator_routes,
            "edge_operators": edge_operators,
        }
