"""What a drill does to the lab, and how the cluster is asked whether it is whole again.

Each act takes the lab; what it returns, if anything, undoes it.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable

from tests.lab import Lab, cluster, primary, replica, running, sql, synchronous

DATABASE_HOSTS = ("db1", "db2", "db3")


class Broken(Exception):
    """What a drill relies on is not so."""


def wait(what: str, holds: Callable[[], bool], seconds: float) -> None:
    """Until it holds; it must, before the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
        except (AssertionError, subprocess.CalledProcessError, StopIteration, ValueError):
            pass  # nobody could answer yet
        if time.monotonic() > deadline:
            raise Broken(f"expected within {seconds:g} s that {what}; it is not so")
        time.sleep(0.5)


def whole(lab: Lab) -> bool:
    """One primary, every other member streams from it, and every member of etcd answers."""
    members = cluster(lab)
    leaders = [member for member in members if member["Role"] == "Leader" and member["State"] == "running"]
    streaming = [member for member in members if member["State"] == "streaming"]
    host = leaders[0]["Member"]
    lab.shell(host, f"{etcdctl(lab)} endpoint health --cluster")
    return len(leaders) == 1 and len(streaming) == len(DATABASE_HOSTS) - 1


def archive(lab: Lab) -> None:
    """All WAL comes into the repository; a checkpoint finds what former timelines have left on the primary, too."""
    sql(lab, "checkpoint; select pg_switch_wal(); checkpoint")
    left = "select count(*) from pg_ls_archive_statusdir() where name like '%.ready'"
    wait("all WAL is archived", lambda: sql(lab, left) == "0", 90)


def promoted(lab: Lab) -> float:
    """When the present primary became one: it wrote the history of its timeline then, just before its first write.

    So nobody is asked while clients come back, and the moment is known to a tick of the kernel, 4 ms with 250 of them a
    second.
    """
    host, timeline = primary(lab), "left(pg_walfile_name(pg_current_wal_lsn()), 8)"
    history = sql(lab, f"select current_setting('data_directory') || '/pg_wal/' || {timeline} || '.history'", host)
    return float(lab.shell(host, f"stat --format %.Y {history}"))


def etcdctl(lab: Lab, *hosts: str) -> str:
    """Asks the named hosts, or all that run."""
    asked = hosts or [host for host in DATABASE_HOSTS if running(lab, host)]
    endpoints = ",".join(f"https://{lab.address(host)}:2379" for host in asked)
    tls = "--cacert /etc/mainstay/tls/ca.crt --cert /etc/mainstay/tls/host.crt --key /etc/mainstay/tls/host.key"
    return f"ETCDCTL_API=3 etcdctl {tls} --endpoints {endpoints}"


def playbook(lab: Lab, name: str, *arguments: str) -> None:
    run = lab.playbook(name, *arguments)
    if run.status != 0:
        raise Broken(f"playbooks/{name}.yml failed:\n{run.tail()}")


def switchover(lab: Lab) -> None:
    playbook(lab, "switchover")


# dpkg is told that what it has is a little older. So apt fetches, unpacks and configures the packages for real, and the
# services run on with files that are gone. What the drill lacks are releases that differ in what they do, and a reboot.
AGE = r"""set -e
servers=$(dpkg-query -W -f '${Package}\n' 'postgresql-[0-9]*' | grep -xE 'postgresql-[0-9]+')
for package in etcd-server patroni pgbouncer $servers; do
    version=$(dpkg-query -W -f '${Version}' "$package")
    sed -i "/^Package: $package\$/,/^\$/ s/^Version: .*/Version: $version~drill/" /var/lib/dpkg/status
done
apt-get check"""
AGED = r"dpkg-query -W -f '${Package} ${Version}\n' | grep '~drill$' || true"
STARTED = "systemctl show --value -p ExecMainStartTimestampMonotonic etcd patroni pgbouncer"


def patch(lab: Lab) -> None:
    """Every database host has upgrades; they come in, everything runs them, and a second run finds nothing to do."""
    for host in DATABASE_HOSTS:
        lab.shell(host, AGE)
    first, before = primary(lab), {host: lab.shell(host, STARTED).split() for host in DATABASE_HOSTS}
    playbook(lab, "patch")
    second, again = primary(lab), lab.playbook("patch")
    for host in DATABASE_HOSTS:
        aged, old = lab.shell(host, AGED), set(before[host]) & set(lab.shell(host, STARTED).split())
        if aged or old:
            raise Broken(f"expected upgrades that run on {host}; found {aged or 'services of before'}")
    if first == second or again.status != 0 or again.changed or primary(lab) != second:
        raise Broken(
            f"expected one switchover from {first}, and nothing in a second run; found the primary {second}, "
            f"then {primary(lab)}, status {again.status}, changed {again.changed}:\n{again.tail()}"
        )


def kill(lab: Lab) -> None:
    """SIGKILL of the primary's postgres: Patroni starts it again, or a replica takes over."""
    lab.shell(primary(lab), "pkill -KILL -o -x postgres")


def vanish(lab: Lab, *hosts: str) -> Callable[[], None]:
    """As by a cut of power: first no packet leaves any more, so nobody is told that connections end. Gives the undo."""
    for host in hosts:
        lab.shell(host, "ip link set eth0 down")
    lab.docker("kill", *(f"{lab.name}-{host}" for host in hosts))
    return lambda: back(lab, *hosts)


def back(lab: Lab, *hosts: str) -> None:
    lab.docker("start", *(f"{lab.name}-{host}" for host in hosts))


def leads_etcd(lab: Lab, host: str) -> bool:
    status = json.loads(lab.shell(host, f"{etcdctl(lab, host)} endpoint status --write-out=json"))[0]["Status"]
    return status["leader"] == status["header"]["member_id"]


def power_off(lab: Lab) -> Callable[[], None]:
    """The primary's host, which does not lead etcd: the platform sees to that."""
    host = primary(lab)
    wait(f"{host}, the primary's host, does not lead etcd", lambda: not leads_etcd(lab, host), 60)
    return vanish(lab, host)


def power_off_with_etcd(lab: Lab) -> Callable[[], None]:
    """The primary's host leads etcd too: the state that the platform avoids is made by hand first."""
    host = primary(lab)
    member = f"$({etcdctl(lab)} member list | awk -F', ' '$3 == \"{host}\" {{print $1}}')"
    lab.shell(host, f"systemctl stop mainstay-etcd-leader.timer; {etcdctl(lab)} move-leader {member} || true")
    wait(f"{host} leads etcd", lambda: leads_etcd(lab, host), 10)
    return vanish(lab, host)


def drop(lab: Lab, host: str, incoming: str, outgoing: str) -> Callable[[], None]:
    """Packets that match do not come to the host, or leave it, until what is returned is called."""
    lab.shell(
        host,
        "nft -f - <<< 'table inet drill {"
        f" chain incoming {{ type filter hook input priority -300; {incoming} drop; }};"
        f" chain outgoing {{ type filter hook output priority -300; {outgoing} drop; }}; }}'",
    )
    return lambda: lab.shell(host, "nft delete table inet drill")


def cut_off(lab: Lab) -> Callable[[], None]:
    """The primary's host loses the other database hosts; the edge, and with it every client, still reaches it."""
    host = primary(lab)
    peers = ", ".join(lab.address(peer) for peer in DATABASE_HOSTS if peer != host)
    return drop(lab, host, f"ip saddr {{ {peers} }}", f"ip daddr {{ {peers} }}")


def lose_replica(lab: Lab) -> Callable[[], None]:
    """One that no commit waits for."""
    host = next(each["Member"] for each in cluster(lab) if each["Role"] == "Replica")
    return vanish(lab, host)


def waited_for(lab: Lab) -> str:
    wait("a replica is synchronous", lambda: bool(synchronous(lab)), 60)
    return synchronous(lab)


def lose_synchronous(lab: Lab) -> Callable[[], None]:
    """The replica that commits wait for: the other one has to become it."""
    return vanish(lab, waited_for(lab))


def freeze_synchronous(lab: Lab) -> Callable[[], None]:
    """PostgreSQL on it keeps its connections and says nothing; its Patroni lives."""
    host = waited_for(lab)
    lab.shell(host, "pkill --signal STOP --exact postgres")
    return lambda: lab.shell(host, "pkill --signal CONT --exact postgres")


def lose_etcd(lab: Lab) -> Callable[[], None]:
    """The member that leads: the others have to agree on another one."""
    host = next(host for host in DATABASE_HOSTS if leads_etcd(lab, host))
    lab.shell(host, "systemctl kill --signal KILL etcd; systemctl stop etcd")
    return lambda: lab.shell(host, "systemctl start etcd")


def lose_pooler(lab: Lab) -> Callable[[], None]:
    """One that serves readers: they go elsewhere."""
    host = replica(lab)
    lab.shell(host, "systemctl kill --signal KILL pgbouncer; systemctl stop pgbouncer")
    return lambda: lab.shell(host, "systemctl start pgbouncer")


def crash_pooler(lab: Lab) -> None:
    """SIGKILL of the one that serves writers: what runs in it fails, and it is started again."""
    lab.shell(primary(lab), "systemctl kill --signal KILL pgbouncer")


def all_power(lab: Lab) -> None:
    """Every host but the one that the client runs on, at once, and back after a few seconds."""
    hosts = [host for host in lab.hosts if host != "app1"]
    vanish(lab, *hosts)
    back(lab, *hosts)
