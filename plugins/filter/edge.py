# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that turn application services into what the edge publishes; one sidecar YAML documents each."""

from __future__ import annotations

import ipaddress
import re

from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.module_utils._services import count

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
HOST = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
PATH = re.compile(r"/[A-Za-z0-9._~!$&()*+,;=:@%/-]*")
# Names that the role's own proxies carry.
RESERVED = re.compile(
    r"(rate|postgresql|redis|operators)_.*|redis|http|https|statistics|health|connections|static|acme_challenges"
)


def _published(services, what):
    if not isinstance(services, list):
        raise AnsibleFilterError(
            f"mainstay.platform.{what}: found {type(services).__name__}, expected a list of services"
        )
    return [service for service in services if service.get("port") and service.get("routes") != [] and count(service)]


def _servers(service, hosts, offset, mark=""):
    return [
        {
            "name": f"{host['name']}-{index + 1}{mark}",
            "address": host["address"],
            "port": int(service["port"]) + index + offset,
        }
        for host in hosts
        for index in range(count(service))
    ]


def edge_backends(services, hosts, green_offset=0):
    """Give the backends of each published service, with one server for each of its instances on each host.

    With an offset there is a second set of servers that stand by, so many ports above.
    """
    offset = int(green_offset)
    return [
        {
            "name": name,
            "health_path": (service.get("health") or {}).get("path") or "/health",
            "servers": _servers(service, hosts, 0)
            + [
                {**server, "standby": True} for server in (_servers(service, hosts, offset, "-green") if offset else [])
            ],
        }
        for service in _published(services, "edge_backends")
        for name in dict.fromkeys(route.get("backend") or service["name"] for route in service.get("routes") or [{}])
    ]


def edge_routes(services):
    """Give the routes of all published services; one that names none gets every path."""
    routes = []
    for service in _published(services, "edge_routes"):
        for route in service.get("routes") or [{}]:
            routes.append(
                {"path_prefix": "/", "hosts": [], **route, "backend": route.get("backend") or service["name"]}
            )
    return routes


def _exactness(route):
    """Less is more exact: names, then the narrowest pattern of names, then any host; long prefixes first."""
    patterns = [host for host in route.get("hosts") or [] if str(host).startswith("*.")]
    named = 1 if patterns else 0 if route.get("hosts") else 2
    return named, -min(map(len, patterns), default=0), -len(route.get("path_prefix") or "/")


def edge_ordered(routes):
    """Number routes so that the first one that matches is the most exact."""
    ordered = enumerate(sorted(routes, key=_exactness), start=1)
    return [{"path_prefix": "/", "hosts": [], **route, "number": number} for number, route in ordered]


def _backend_problems(backends):
    seen = set()
    for backend in backends:
        name = str(backend["name"])
        if not NAME.fullmatch(name) or RESERVED.fullmatch(name):
            yield f"backend {name!r}: expected letters, digits, '.', '_' and '-', and none of the role's own names"
        if name in seen:
            yield f"backend {name!r}: found twice, expected each name once"
        seen.add(name)
        if not PATH.fullmatch(str(backend.get("health_path") or "/health")):
            yield f"backend {name!r}: found health_path {backend['health_path']!r}, expected an absolute path"
        servers = [str(server["name"]) for server in backend["servers"]]
        if not servers:
            yield f"backend {name!r}: found no server, expected one or more"
        if len(set(servers)) < len(servers) or not all(NAME.fullmatch(server) for server in servers):
            yield f"backend {name!r}: found servers {', '.join(servers)}, expected plain names, each once"


def _is_network(text):
    try:
        return bool(ipaddress.ip_network(str(text)))
    except ValueError:
        return False


def _route_problems(routes, names):
    seen = set()
    for route in routes:
        prefix, hosts = str(route.get("path_prefix") or "/"), [str(host) for host in route.get("hosts") or []]
        label = f"route {prefix} to {route['backend']!r}"
        if not PATH.fullmatch(prefix):
            yield f"{label}: expected path_prefix as an absolute path"
        if "%" in prefix or "//" in prefix:
            yield f"{label}: expected path_prefix as it reads decoded, with single slashes"
        if route["backend"] not in names:
            yield f"{label}: expected one of the backends {', '.join(names) or '(none)'}"
        for host in hosts:
            if not HOST.fullmatch(host):
                yield f"{label}: found host {host!r}, expected a host name, or *. before one"
        for network in route.get("allow") or []:
            if not _is_network(network):
                yield f"{label}: found {network!r} in allow, expected an address or a network in CIDR"
        limit = route.get("rate_limit")
        if limit and min(int(limit["requests"]), int(limit["window"])) < 1:
            yield f"{label}: found rate_limit {limit}, expected requests and window above 0"
        for key in [(host, prefix) for host in hosts or ["any host"]]:
            if key in seen:
                yield f"{label}: found a second route for {key[1]} of {key[0]}, expected one"
            seen.add(key)


def edge_problems(routes, backends):
    """Say what is wrong with routes and backends, one sentence each; an empty list when nothing is."""
    names = [str(backend["name"]) for backend in backends]
    return list(_backend_problems(backends)) + list(_route_problems(routes, names))


class FilterModule:
    def filters(self):
        return {
            "edge_backends": edge_backends,
            "edge_ordered": edge_ordered,
            "edge_problems": edge_problems,
            "edge_routes": edge_routes,
        }
