"""A major upgrade on a lab of its own: refused, asked for, killed, undone, finished, undone with a loss, done.

Two members and a backup host on Debian 13, whose archive has PostgreSQL 17. The 15 before it comes from Debian 12's, on
the same mirror. The tests run in the order in which they stand. LAB and RELEASE play no part; the lab goes at the end
unless KEEP is set.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator

import pytest
import yaml

from tests.lab import Lab, cluster, primary

OLD, NEW = 15, 17
MEMBERS = ("db1", "db2")
# In the form in which Lab.address reads it.
HOSTS = """all:
  hosts:
    db1: {ansible_host: 172.30.20.31}
    db2: {ansible_host: 172.30.20.32}
    ops1: {ansible_host: 172.30.20.51}
  children:
    postgresql: {hosts: {db1: , db2: }}
    etcd: {hosts: {db1: , db2: , ops1: }}
    backup: {hosts: {ops1: }}
    edge: {hosts: {}}
    app: {hosts: {}}
    redis: {hosts: {}}
    monitoring: {hosts: {}}
"""
# Whatever Debian 13 has comes from there.
SOURCE = """cat >/etc/apt/sources.list.d/bookworm.sources <<END
Types: deb
URIs: http://deb.debian.org/debian
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
printf 'Package: *\\nPin: release n=bookworm\\nPin-Priority: 100\\n' >/etc/apt/preferences.d/bookworm
apt-get -q update && apt-cache policy postgresql-15"""
PSQL = "cd / && runuser -u postgres -- psql -X -A -t -v ON_ERROR_STOP=1 -h /var/run/postgresql -d ledger"
NAMED = ("-e", "upgrade_cluster=upgrade")


def variables(lab: Lab) -> dict:
    return {
        "lab_name": lab.name,
        "lab_release": "trixie",
        "lab_subnet": "172.30.20.0/24",
        "lab_dir": str(lab.state),
        "ansible_user": "deploy",
        "ansible_ssh_private_key_file": f"{lab.state}/id_ed25519",
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={lab.state}/known_hosts",
        "platform_name": "upgrade",
        "platform_network": "172.30.20.0/24",
        "platform_operator_networks": ["172.30.20.1/32"],
        "platform_memory_mb": 1024,
        "platform_vcpus": 2,
        "report_dir": str(lab.state),
        "postgresql_databases": [
            {"name": "ledger", "owner": "ledger", "extensions": ["pg_stat_statements", "pgcrypto"]}
        ],
        "postgresql_roles": [{"name": "ledger", "connection_limit": 20}],
        "backup_retention_days": 30,
    }


def version(lab: Lab, number: int) -> None:
    """What a user does before an upgrade, and before a back-out: one line of the inventory."""
    (lab.inventory / "group_vars/all/version.yml").write_text(f"platform_postgresql_version: {number}\n")


def done(lab: Lab, name: str, *arguments: str):
    run = lab.playbook(name, *arguments)
    assert run.status == 0, run.tail(120)
    return run


def build(lab: Lab) -> None:
    for command in (["lab/engine.sh"], ["lab/image.sh", "trixie"]):
        assert lab.run(*command).status == 0, command
    created = lab.playbook("lab/create.yml")
    assert created.status == 0, created.tail()
    done(lab, "secrets")
    for host in lab.hosts:
        lab.shell(host, SOURCE)
    for name in ("preflight", "hosts", "data", "backup"):
        done(lab, name)


@pytest.fixture(scope="module")
def site() -> Iterator[Lab]:
    lab = Lab("upgrade", "trixie")
    lab.inventory = lab.state / "inventory"
    settings = lab.inventory / "group_vars/all"
    settings.mkdir(parents=True, exist_ok=True)
    password = lab.state / "vault-password"
    if not password.exists():
        password.touch(mode=0o600)
        password.write_text(secrets.token_hex(32))
    (lab.inventory / "hosts.yml").write_text(HOSTS)
    (settings / "lab.yml").write_text(yaml.safe_dump(variables(lab)))
    version(lab, OLD)
    build(lab)
    yield lab
    if not os.environ.get("KEEP"):
        lab.playbook("lab/destroy.yml")


def sql(lab: Lab, text: str, host: str | None = None) -> str:
    return lab.shell(host or primary(lab), PSQL, stdin=text)


def serves(lab: Lab, number: int, rows: int) -> None:
    """Every member runs the version and has the rows; the replica streams; the poolers let clients in."""
    for host in MEMBERS:
        # A replica may be a moment behind.
        deadline = time.monotonic() + 30
        while (
            found := sql(lab, "select current_setting('server_version_num')::int / 10000, count(*) from kept", host)
        ) != (f"{number}|{rows}"):
            assert time.monotonic() < deadline, f"{host}: {found}"
            time.sleep(1)
        assert lab.shell(host, "systemctl is-active pgbouncer patroni").split() == ["active", "active"]
    assert sorted(member["State"] for member in cluster(lab)) == ["running", "streaming"]


def closed(lab: Lab) -> None:
    """Nobody gets in, and no reboot and no other run changes that."""
    for host in MEMBERS:
        assert lab.shell(host, "systemctl is-enabled pgbouncer", check=False) == "masked"


def kill_at(lab: Lab, task: str) -> None:
    """Begin an upgrade and kill it in the middle of a task."""
    lab.killed(re.escape(f": {task}]"), "upgrade", *NAMED, "-e", "upgrade_keep_old=true")


def test_a_cluster_of_the_old_version_is_built(site: Lab):
    sql(site, "create table kept as select g as id, md5(g::text) as text from generate_series(1, 1000) g")
    serves(site, OLD, 1000)
    assert site.shell("db1", "pg_lsclusters --no-header") == ""


def test_a_plain_run_refuses_another_version(site: Lab):
    version(site, NEW)
    run = site.playbook("site")
    output = " ".join(run.output.split())
    assert run.status != 0 and run.changed == {}, run.tail()
    for words in (
        f"found {NEW} for a cluster with data of version {OLD}",
        "mainstay.platform.upgrade",
        "Nothing has changed",
    ):
        assert words in output, run.tail()


def test_a_name_that_was_not_typed_is_refused(site: Lab):
    run = site.playbook("upgrade")
    assert run.status != 0 and run.changed == {} and "expected upgrade" in " ".join(run.output.split()), run.tail()


def test_only_asking_leaves_the_cluster_alone(site: Lab):
    done(site, "upgrade", *NAMED, "--check")
    run = done(site, "upgrade", *NAMED, "-e", "upgrade_check_only=true")
    assert "pg_upgrade --check: compatible" in " ".join(run.output.split()), run.tail()
    serves(site, OLD, 1000)
    assert site.shell(primary(site), f"ls -A /var/lib/postgresql/{NEW}") == ""


def test_what_pg_upgrade_would_leave_behind_is_refused(site: Lab):
    sql(site, "create table bad (wide aclitem)")
    run = site.playbook("upgrade", *NAMED)
    assert run.status != 0 and "found" in run.output, run.tail()
    assert "aclitem" in run.output and "Nothing was stopped" in " ".join(run.output.split()), run.tail()
    sql(site, "drop table bad")
    serves(site, OLD, 1000)


def test_a_killed_upgrade_is_undone_without_a_loss(site: Lab):
    kill_at(site, "convert | Bring the data over")
    closed(site)
    version(site, OLD)
    done(site, "upgrade_back_out", *NAMED)
    serves(site, OLD, 1000)
    assert done(site, "data").changed == {}


def test_a_killed_upgrade_is_finished_by_the_next(site: Lab):
    sql(site, "insert into kept select g, 'later' from generate_series(1001, 1100) g")
    version(site, NEW)
    kill_at(site, "follow | Read whether they follow")
    closed(site)
    run = done(site, "upgrade", *NAMED, "-e", "upgrade_keep_old=true")
    assert "clients were refused for" in run.output
    serves(site, NEW, 1100)
    # An extension is as new as the server, and the planner knows the table.
    assert sql(site, "select count(*) from pg_available_extensions where installed_version <> default_version") == "0"
    assert sql(site, "select count(*) > 0 from pg_stats where tablename = 'kept'") == "t"
    assert site.shell("db2", f"cat /var/lib/postgresql/{OLD}/upgrade/PG_VERSION") == str(OLD)
    assert done(site, "data").changed == {}
    assert done(site, "backup").changed == {}


def test_a_point_before_the_upgrade_leads_to_another_version(site: Lab):
    point = site.shell("ops1", "mainstay-backup list | grep -o 'before_upgrade_[0-9_]*' | head -n 1")
    run = site.playbook(
        "restore", "-e", "restore_cluster=upgrade", "-e", "restore_replace=true", "-e", f"restore_to={point}"
    )
    assert run.status != 0 and f"of PostgreSQL {OLD}" in " ".join(run.output.split()), run.tail()
    serves(site, NEW, 1100)


def test_after_clients_are_back_a_loss_has_to_be_typed(site: Lab):
    sql(site, "insert into kept values (2000, 'lost')")
    version(site, OLD)
    run = site.playbook("upgrade_back_out", *NAMED)
    assert run.status != 0 and "upgrade_lose_writes=true" in run.output, run.tail()
    serves(site, NEW, 1101)
    done(site, "upgrade_back_out", *NAMED, "-e", "upgrade_lose_writes=true")
    serves(site, OLD, 1100)
    assert done(site, "backup").changed == {}


def test_an_upgrade_lets_the_former_data_go(site: Lab):
    version(site, NEW)
    done(site, "upgrade", *NAMED)
    serves(site, NEW, 1100)
    for host in MEMBERS:
        assert (
            site.shell(host, f"ls -A /var/lib/postgresql/{OLD}; ls -A /var/lib/mainstay | grep upgrade || true") == ""
        )
    assert done(site, "upgrade", *NAMED).changed == {}
    for name in ("data", "backup"):
        assert done(site, name).changed == {}
