"""A gate that cannot fail proves nothing: each role's live service is broken, and its gate turns red with a reason."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from tests.lab import Lab, replica


@dataclass
class Break:
    """On which host what is broken and mended, and which gate of the role must say so, in which words."""

    role: str
    host: str
    spoil: str
    mend: str
    gate: str
    words: str = ""


SQL = "runuser -u postgres -- psql -Xq"
CONSOLE = "runuser -u pgbouncer -- psql -Xq -h /run/pgbouncer -p 6432 -U pgbouncer pgbouncer"
EDIT = "patronictl -c /etc/patroni/config.yml edit-config --force --quiet --set"
# Everything is done behind the platform's back, in the host itself.
BREAKS = [
    Break(
        "certificates",
        "app3",
        # Laid over the file: a file that was written to is newer than the services that have read it.
        "cd /etc/mainstay/tls && openssl req -x509 -key host.key -days 5 -subj /CN=app3 -out /root/short.crt"
        " && mount --bind /root/short.crt host.crt",
        "umount /etc/mainstay/tls/host.crt",
        "about to end",
        "day",
    ),
    Break("hardening", "app3", "systemctl stop fail2ban", "systemctl start fail2ban", "fail2ban"),
    Break(
        "sysctl",
        "app3",
        "sysctl -qw net.core.somaxconn=128",
        "sysctl -qp /etc/sysctl.d/90-mainstay.conf || true",
        "the kernel's values",
        "somaxconn",
    ),
    Break(
        "firewall",
        "app3",
        "nft add rule inet mainstay input tcp dport 4444 accept",
        "systemctl restart mainstay-firewall",
        "the rules in force",
        "4444",
    ),
    Break(
        "docker",
        "app3",
        "touch /etc/docker/daemon.json",
        "systemctl restart docker",
        "the engine runs with the settings",
    ),
    Break("etcd", "db3", "systemctl stop etcd", "systemctl start etcd", "every etcd member is healthy"),
    Break("postgresql", "REPLICA", "systemctl stop patroni", "systemctl start patroni", "the cluster has one primary"),
    Break(
        "postgresql",
        "REPLICA",
        f"{SQL} -c \"alter system set archive_timeout = '5min'\" -c 'select pg_reload_conf()'",
        f"{SQL} -c 'alter system reset archive_timeout' -c 'select pg_reload_conf()'",
        "PostgreSQL uses the settings",
        "archive_timeout is 300 in s, not 60s",
    ),
    Break(
        "postgresql",
        "REPLICA",
        f"{EDIT} loop_wait=10",
        f"{EDIT} loop_wait=2",
        "the members agree on the timers",
        "loop_wait is 10, not 2",
    ),
    Break(
        "redis", "cache3", "systemctl stop redis-sentinel", "systemctl start redis-sentinel", "every service runs", ""
    ),
    Break("haproxy", "edge2", "systemctl stop haproxy", "systemctl start haproxy", "the process runs"),
    Break("keepalived", "edge2", "systemctl stop keepalived", "systemctl start keepalived", "the process has read"),
    Break("app", "app3", "docker stop worker-1", "docker start worker-1", "worker-1 is well"),
    Break(
        "exporters",
        "ops1",
        "systemctl stop prometheus-node-exporter",
        "systemctl start prometheus-node-exporter",
        "the node exporter answers",
    ),
    Break(
        "prometheus",
        "ops1",
        "systemctl stop prometheus-blackbox-exporter",
        "systemctl start prometheus-blackbox-exporter",
        "every expected target is up",
    ),
    Break(
        "alertmanager",
        "ops1",
        "systemctl stop prometheus-alertmanager",
        "systemctl start prometheus-alertmanager",
        "Alertmanager is ready",
    ),
    Break(
        "pgbouncer",
        "REPLICA",
        "systemctl stop pgbouncer",
        "systemctl start pgbouncer",
        "a statement reaches the PostgreSQL",
    ),
    Break(
        "pgbouncer",
        "REPLICA",
        f"{CONSOLE} -c pause",
        f"{CONSOLE} -c resume",
        "a statement reaches the PostgreSQL",
    ),
    Break(
        "backup",
        "ops1",
        "mv /var/backups/mainstay/files/db1 /root/db1",
        "mv /root/db1 /var/backups/mainstay/files/db1",
        "archives of every host are fresh",
        "db1",
    ),
]


@pytest.mark.parametrize("case", BREAKS, ids=[case.role for case in BREAKS])
def test_a_broken_service_turns_its_gate_red(lab: Lab, case: Break):
    host = replica(lab) if case.host == "REPLICA" else case.host
    arguments = ["--limit", host, "-e", json.dumps({"report_roles": [case.role], "verify_deadline": 1})]
    lab.shell(host, case.spoil)
    try:
        run = lab.playbook("verify", *arguments)
    finally:
        lab.shell(host, case.mend)
    assert run.status != 0, f"{case.role}: nothing turned red: {run.tail()}"
    found = json.loads((lab.state / "findings.json").read_text())["findings"]
    red = {finding["gate"]: finding for finding in found if finding["verdict"] == "fail"}
    (gate,) = [finding for name, finding in red.items() if case.gate in name] or [None]
    assert gate, f"{case.role}: {case.gate!r} is not among the red ones: {sorted(red)}"
    assert case.words in json.dumps(gate), gate
    assert gate["remedy"]
    healed = lab.playbook(
        "verify", "--limit", host, "-e", json.dumps({"report_roles": [case.role], "verify_deadline": 60})
    )
    assert healed.status == 0, healed.tail()
