# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that make gates of what the edge is to do; one sidecar YAML documents each."""

from __future__ import annotations


def edge_limit_gates(routes, general, asked):
    """Give a gate for the general limit, and one for each limit that a route has of its own.

    The path has a segment that the edge itself refuses: no server is asked. It lies below the prefix where that ends
    with a slash, and beside it where not: what lies below may be another route's.
    """
    probed = [{"path_prefix": "/", "rate_limit": general}] if all("rate_limit" not in r for r in _open(routes)) else []
    for route in probed + [route for route in routes if "rate_limit" in route]:
        host = str((route.get("hosts") or ["rate-limit.invalid"])[0]).replace("*.", "rate-limit.")
        prefix = route.get("path_prefix") or "/"
        yield {
            "gate": f"a source is limited at its threshold: {prefix} of {host if route.get('hosts') else 'any host'}",
            "module": "mainstay.platform.rate_limit_check",
            "args": {
                "path": f"{prefix}./" if prefix.endswith("/") else f"{prefix}~/./",
                "host_header": host,
                "requests": int(route["rate_limit"]["requests"]),
                "table": f"rate_{route.get('number', 'global')}",
                **asked,
            },
            "remedy": "look at the track-sc0 lines of the frontend https",
        }


def _open(routes):
    return [route for route in routes if not route.get("hosts") and (route.get("path_prefix") or "/") == "/"]


def edge_staple_gates(names, asked):
    """Give a gate for each name: its certificate comes with an OCSP response, where it names who gives one."""
    for name in names:
        yield {
            "gate": f"clients of {name} need not ask an OCSP responder",
            "module": "mainstay.platform.certificate_check",
            "args": {"server_name": name, "stapled": True, "min_days": 0, **asked},
            "remedy": "let the edges reach the responder, or set haproxy_ocsp_update to false",
        }


def edge_operator_gates(operators, address, login, asked, serving=True):
    """Give the gates of each name: nobody else comes in, operators show a password, and something answers them."""
    for service in operators:
        base = {"kind": "http", "url": f"https://{service['host']}:{asked['port']}/", "ca_path": asked["ca_path"]}
        yield {
            "gate": f"{service['host']} is closed to everybody but operators",
            "module": "mainstay.platform.health_gate",
            "args": {**base, "connect_to": "127.0.0.1", "expect_status": [403]},
            "remedy": "look at haproxy_stats_networks, in which the loopback address has no place",
        }
        yield {
            "gate": f"{service['host']} asks operators for the password",
            "module": "mainstay.platform.health_gate",
            "args": {**base, "connect_to": address, "expect_status": [401]},
            "remedy": "look at the routes of the frontend https",
        }
        if serving:
            yield {
                "gate": f"{service['host']} lets in who has the password",
                "module": "mainstay.platform.health_gate",
                "args": {**base, "connect_to": address, "expect_status": [200, 301, 302, 303, 307, 308], **login},
                "no_log": True,
                "remedy": f"look at the statistics of the backend operators_{service['name']}",
            }


class FilterModule:
    def filters(self):
        return {
            "edge_limit_gates": lambda *arguments: list(edge_limit_gates(*arguments)),
            "edge_staple_gates": lambda *arguments: list(edge_staple_gates(*arguments)),
            "edge_operator_gates": lambda *arguments: list(edge_operator_gates(*arguments)),
        }
