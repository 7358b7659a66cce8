# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that turn lists of hosts into scrape targets; one sidecar YAML documents each."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.module_utils._services import count


def scrape_targets(hosts, port, address=None, **labels):
    """Give one static_config per host. In labels, {name} and {address} stand for the host's."""
    return [
        {
            "targets": [f"{address or host['address']}:{port}"],
            "labels": {
                "instance": host["name"],
                **{key: str(value).format(**host) for key, value in labels.items()},
            },
        }
        for host in hosts
    ]


def app_scrape_targets(hosts, services):
    """Give one static_config per instance of each application service that publishes metrics."""
    if not isinstance(services, list):
        raise AnsibleFilterError(
            f"mainstay.platform.app_scrape_targets: found {type(services).__name__}, expected a list of services"
        )
    return [
        {
            "targets": [f"{host['address']}:{int(service['metrics_port']) + index}"],
            "labels": {"instance": host["name"], "service": service["name"], "replica": str(index)},
        }
        for service in services
        if service.get("metrics_port")
        for host in hosts
        for index in range(count(service))
    ]


class FilterModule:
    def filters(self):
        return {"scrape_targets": scrape_targets, "app_scrape_targets": app_scrape_targets}
