# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that turn the inventory into the contract's lists; one sidecar YAML documents each."""

from __future__ import annotations

import ipaddress

from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.module_utils._services import count
from ansible_collections.mainstay.platform.plugins.plugin_utils._rotation import random_secret

# Characters of a secret that differ from each other: random ones of 32 have nearly always more.
LEAST_DIFFERENT = 10


def members(groups, hostvars):
    """Give, for every group, its hosts in inventory order as {name, address}."""
    addresses = {
        host: hostvars[host].get("platform_address") or hostvars[host].get("ansible_host") or host
        for host in groups["all"]
    }
    return {group: [{"name": host, "address": addresses[host]} for host in hosts] for group, hosts in groups.items()}


def service_ports(services, key, green_offset=0):
    """List the ports that application services publish: one per instance on a host, counted up from the first.

    A second set beside them listens so much above.
    """
    if not isinstance(services, list):
        raise AnsibleFilterError(
            f"mainstay.platform.service_ports: found {type(services).__name__}, expected a list of services"
        )
    return sorted(
        {
            int(service[key]) + index + offset
            for service in services
            if service.get(key)
            for index in range(count(service))
            for offset in (0, int(green_offset))
        }
    )


def repeated(values):
    """List the values that occur more than once, in the order of their second occurrence."""
    seen, twice = set(), []
    for value in values:
        if value in seen and value not in twice:
            twice.append(value)
        seen.add(value)
    return twice


def outside_network(addresses, network):
    """List the addresses that do not lie in the network; all of them when there is no network."""
    try:
        net = ipaddress.ip_network(network)
    except ValueError as error:
        raise AnsibleFilterError(
            f"platform_network: found {network!r}, expected a network in CIDR such as 10.20.0.0/16 ({error})"
        ) from error
    outside = []
    for address in addresses:
        try:
            inside = ipaddress.ip_address(address) in net
        except ValueError:
            inside = False
        if not inside:
            outside.append(address)
    return outside


def overlapping_networks(network, others):
    """List those of the other networks that share an address with this one."""
    one = ipaddress.ip_network(network, strict=False)
    return [other for other in others if ipaddress.ip_network(other, strict=False).overlaps(one)]


def secret_problems(secrets, names, min_length):
    """Say, by name and never by value, which secrets are missing, short, of few characters or shared with any other."""
    problems = []
    owners = {}
    for name in names:
        value = secrets.get(name)
        if not value:
            problems.append(f"{name} missing")
        elif len(str(value)) < int(min_length):
            problems.append(f"{name} of {len(str(value))} characters")
        elif len(set(str(value))) < LEAST_DIFFERENT:
            problems.append(f"{name} of {len(set(str(value)))} different characters")
    for name in dict.fromkeys([*names, *secrets]):
        if secrets.get(name):
            owners.setdefault(str(secrets[name]), []).append(name)
    problems.extend(f"one value for {' and '.join(shared)}" for shared in owners.values() if len(shared) > 1)
    return problems


def with_new_secrets(secrets, names):
    """Add a random value of 48 letters and digits for each name; what is there stays."""
    return {**secrets, **{name: random_secret() for name in names if not secrets.get(name)}}


class FilterModule:
    def filters(self):
        return {
            "members": members,
            "outside_network": outside_network,
            "overlapping_networks": overlapping_networks,
            "repeated": repeated,
            "secret_problems": secret_problems,
            "service_ports": service_ports,
            "with_new_secrets": with_new_secrets,
        }
