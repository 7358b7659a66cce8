"""What a drill does to a cluster of Redis, and how its nodes are asked whether they are whole again.

As in acts.py, each act takes the lab; what it returns, if anything, undoes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from acts import Broken, playbook, vanish

from tests.lab import ClusterScenario, redis_cli


def nodes(lab: ClusterScenario, host: str) -> list[list[str]]:
    """The lines of CLUSTER NODES, in words: id, address, flags, master, ping, pong, epoch, link, slots."""
    return [line.split() for line in redis_cli(lab, host, "cluster", "nodes").splitlines()]


def whole(lab: ClusterScenario) -> bool:
    """Every node knows all hosts and nobody else, hears them, and finds all slots served; replicas have their link."""
    addresses = sorted(lab.address(host) for host in lab.hosts)
    for host in lab.hosts:
        known, role = nodes(lab, host), redis_cli(lab, host, "role").split()
        heard = all("fail" not in node[2] and node[7] == "connected" for node in known)
        state = redis_cli(lab, host, "cluster", "info")
        served = "cluster_state:ok" in state and "cluster_slots_ok:16384" in state
        follows = role[0] == "master" or role[3] == "connected"
        if sorted(node[1].split(":")[0] for node in known) != addresses or not (heard and served and follows):
            return False
    return True


def master(lab: ClusterScenario) -> str:
    """The host of a master with slots, other than the client's."""
    holders = {node[1].split(":")[0] for node in nodes(lab, lab.client_host) if len(node) > 8}
    return next(host for host in lab.hosts if lab.address(host) in holders and host != lab.client_host)


def grow(lab: ClusterScenario) -> None:
    """Two hosts are made and come into the group: a plain run makes one a master, and the other its replica."""
    lab.overlay = lab.more
    lab.create(*lab.added)
    playbook(lab, "hosts")
    playbook(lab, "site")


def shrink(lab: ClusterScenario) -> None:
    """They leave the group and are named. They know nobody and have nothing then, and no firewall lets them in."""
    lab.overlay = None
    playbook(lab, "site", "-e", json.dumps({"redis_leaving": list(lab.added.values())}))
    for host in lab.added:
        keys, known = redis_cli(lab, host, "dbsize"), nodes(lab, host)
        if keys != "0" or len(known) != 1:
            raise Broken(f"expected {host}, which left, empty and alone; found {keys} keys and {len(known)} nodes")
    playbook(lab, "hosts")
    for host in lab.added:
        lab.remove(host)


def kill(lab: ClusterScenario) -> None:
    """systemd starts it again, but only when its replica is master."""
    lab.shell(master(lab), f"systemctl kill --signal KILL {lab.engine}-server")


def power_off(lab: ClusterScenario) -> Callable[[], None]:
    host = master(lab)
    return vanish(lab, host)
