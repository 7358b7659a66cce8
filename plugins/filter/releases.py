# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that decide over releases and the steps to them; one sidecar YAML documents each."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.module_utils import _releases, _rollout, _services
from ansible_collections.mainstay.platform.plugins.plugin_utils import _masked


def release_name(services, context, images=None):
    """The name of the release that services make."""
    try:
        return _releases.release_name(services, context["defaults"], images or {})
    except KeyError as error:
        raise AnsibleFilterError(
            f"mainstay.platform.release_name: found no {error} in a service, expected name and image"
        ) from None


def release_plan(records, wanted, act="site", to=""):
    """What a host is to run, and what it goes back to."""
    return _releases.plan(records, wanted, act, to)


def release_conflicts(plans, hosts, strategy):
    """Why the hosts of a play cannot go to their releases together."""
    return list(_releases.conflicts(plans, list(hosts), strategy))


def release_begun(containers, wanted, live):
    """Whether a host has begun with a release."""
    return _releases.begun(containers, wanted, live)


def rollout_steps(hosts, given):
    """The batches in which hosts come to another release."""
    return _rollout.steps(hosts, given["strategy"], given["batch"], given["canary_steps"], given.get("begun", ()))


def rollout_problems(given, hosts):
    """What is wrong with the inputs of a rollout."""
    return _rollout.problems(given, hosts)


def edge_colours(backends, green, addresses):
    """The states of servers that turn clients over."""
    return _rollout.colours(backends, green, list(addresses))


def green_instances(instances, offset, backends):
    """The second set of instances."""
    ports = {server["port"] for backend in backends for server in backend["servers"]}
    return _services.sealed(_services.green(instances, offset, ports), {})


def edge_shares(backends, addresses, percent):
    """The weights of servers that give some addresses a percentage of the requests."""
    return _rollout.edge_shares(backends, list(addresses), int(percent))


def edge_others(backends, hosts, batches):
    """The servers that are left to serve while each batch is changed."""
    return _rollout.others(backends, hosts, batches)


def edge_rest(backends, leaving, busy=()):
    """The servers that are left to serve while some leave."""
    return _rollout.rest(backends, list(leaving), list(busy))


def edge_interrupted(backends, hosts, batches):
    """The backends that a batch leaves without any server."""
    return _rollout.interrupted(backends, hosts, batches)


def sealed_instances(instances, secrets):
    """Remembered instances with the mark of their settings and of the secrets of today."""
    return _services.sealed(instances, secrets)


def masked(text, secrets):
    """A text without any secret."""
    return _masked.masked(str(text), secrets)


def last_words(result, secrets):
    """The end of what a program has said, without any secret."""
    return _masked.last_words(result, secrets)


class FilterModule:
    def filters(self):
        return {
            "edge_colours": edge_colours,
            "edge_interrupted": edge_interrupted,
            "edge_others": edge_others,
            "edge_rest": edge_rest,
            "edge_shares": edge_shares,
            "green_instances": green_instances,
            "last_words": last_words,
            "masked": masked,
            "release_begun": release_begun,
            "release_conflicts": release_conflicts,
            "release_name": release_name,
            "release_plan": release_plan,
            "rollout_problems": rollout_problems,
            "rollout_steps": rollout_steps,
            "sealed_instances": sealed_instances,
        }
