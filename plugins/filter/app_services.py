# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that turn application services into containers; one sidecar YAML documents each."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.module_utils import _services


def _guarded(name, function):
    """The function as a filter: what it finds wrong names the filter."""

    def run(services, context):
        if not isinstance(services, list):
            raise AnsibleFilterError(
                f"mainstay.platform.{name}: found {type(services).__name__}, expected a list of services"
            )
        try:
            return function(services, context)
        except (KeyError, ValueError) as error:
            # Only the name of what is missing: the context holds secrets.
            raise AnsibleFilterError(f"mainstay.platform.{name}: {type(error).__name__} {error}") from None

    return run


def complete_services(services, defaults):
    """Services with what they do not say themselves."""
    return [_services.merged(service, defaults) for service in services]


def service_gates(instances, rollout=None):
    """The gate of each instance."""
    return _services.gates(instances, rollout)


def container_problems(containers, instances, images=None):
    """What is wrong with the containers that an engine shows."""
    return _services.container_problems(containers, instances, images or {})


def published_ports(containers):
    """The ports by which one comes to containers."""
    return _services.published_ports(containers)


class FilterModule:
    def filters(self):
        return {
            "complete_services": _guarded("complete_services", complete_services),
            "container_problems": container_problems,
            "published_ports": published_ports,
            "service_gates": service_gates,
            "service_instances": _guarded("service_instances", _services.instances),
            "service_problems": _guarded("service_problems", _services.problems),
            "service_secret_files": _guarded("service_secret_files", _services.secret_files),
        }
