"""What a drill does to the master of Redis, and how servers and Sentinels are asked whether they are whole again.

As in acts.py, each act takes the lab; what it returns, if anything, undoes it.
"""

from __future__ import annotations

from collections.abc import Callable

from acts import Broken, drop, vanish, wait

from tests.lab import Lab, redis_cli, redis_master


def whole(lab: Lab) -> bool:
    """One master, whom every Sentinel names; every other server follows it; all Sentinels know and hear each other."""
    address = lab.address(redis_master(lab))
    for host in lab.caches:
        named = redis_cli(lab, host, "sentinel", "get-master-addr-by-name", lab.redis_name, port=26379).split()
        usable = redis_cli(lab, host, "sentinel", "ckquorum", lab.redis_name, port=26379)
        role = redis_cli(lab, host, "role").split()
        if lab.address(host) == address:
            good = role[0] == "master" and all(lab.address(other) in role for other in lab.caches if other != host)
        else:
            good = role[0] == "slave" and role[1] == address and role[3] == "connected"
        if not good or named[0] != address or not usable.startswith(f"OK {len(lab.caches)} usable"):
            return False
    return True


def kill(lab: Lab) -> None:
    """systemd starts it again, but only when another one is master."""
    lab.shell(redis_master(lab), f"systemctl kill --signal KILL {lab.engine}-server")


def freeze(lab: Lab) -> Callable[[], None]:
    """It keeps its connections and takes new ones, but says nothing."""
    host = redis_master(lab)
    lab.shell(host, f"systemctl kill --signal STOP {lab.engine}-server")
    return lambda: lab.shell(host, f"systemctl kill --signal CONT {lab.engine}-server")


def power_off(lab: Lab) -> Callable[[], None]:
    host = redis_master(lab)
    return vanish(lab, host)


def cut_off(lab: Lab) -> Callable[[], None]:
    """No packet comes to the master's host or leaves it; what runs there must know better than to take writes."""
    host = redis_master(lab)
    join = drop(lab, host, "iif != lo", "oif != lo")

    def undo() -> None:
        try:
            wait("the master that was cut off refuses writes", lambda: "NOREPLICAS" in write(lab, host), 30)
        finally:
            join()
        if redis_master(lab) == host:
            raise Broken(f"expected another master than {host}, which was cut off; found no other")

    return undo


def write(lab: Lab, host: str) -> str:
    """What the server of a host says to a write; it lets a key go that is there for nothing else."""
    return redis_cli(lab, host, "set", "drill:cut-off", "x", "px", "1")
