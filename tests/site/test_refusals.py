"""Bad input is refused before the first change on any host, with object, found, expected and remedy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from openssl import self_signed

from tests.lab import Lab


@pytest.fixture
def inventory(lab: Lab, tmp_path: Path) -> Path:
    """A copy of the lab's inventory that a test may spoil."""
    copy = tmp_path / "inventory"
    shutil.copytree(lab.inventory, copy, symlinks=False)
    with (copy / "group_vars/all/zz_copy.yml").open("w") as out:
        yaml.safe_dump({"lab_dir": str(lab.state)}, out)
    return copy


def refused(lab: Lab, inventory: Path, *words: str, **values) -> None:
    """Run the site with spoiled values and see it refuse, in these words, before anything changed."""
    spoiled = inventory / "spoiled.json"
    spoiled.write_text(json.dumps(values))
    run = lab.run("ansible-playbook", "-i", str(inventory / "hosts.yml"), "-e", f"@{spoiled}", "playbooks/site.yml")
    output = " ".join(run.output.split())
    assert run.status != 0, run.tail()
    assert run.changed == {}, run.changed
    for word in words:
        assert word in output, f"{word!r} is not in: {run.tail()}"


def without_hosts(inventory: Path, group: str, *hosts: str) -> None:
    """Take hosts out of a group; a group without hosts stays."""
    path = inventory / "hosts.yml"
    content = yaml.safe_load(path.read_text())
    found = content["all"]["children"][group]
    members = found.get("hosts") or content["all"]["children"]["postgresql"]["hosts"]
    found.pop("children", None)
    found["hosts"] = {host: None for host in members if host not in hosts}
    path.write_text(yaml.safe_dump(content))


def test_a_missing_secret(lab: Lab, inventory: Path):
    secrets = lab.secrets()
    secrets.pop("redis_app")
    refused(
        lab,
        inventory,
        "platform_secrets",
        "redis_app missing",
        "expected",
        "Run the playbook",
        platform_secrets=secrets,
    )


def test_a_short_secret(lab: Lab, inventory: Path):
    secrets = lab.secrets() | {"redis_app": "short"}
    refused(lab, inventory, "redis_app of 5 characters", "at least 32 characters", platform_secrets=secrets)


def test_one_secret_under_two_names(lab: Lab, inventory: Path):
    secrets = lab.secrets()
    secrets["redis_app"] = secrets["redis_replication"]
    refused(lab, inventory, "one value for", "redis_app", platform_secrets=secrets)


def test_an_even_number_of_etcd_members(lab: Lab, inventory: Path):
    without_hosts(inventory, "etcd", "db3")
    refused(lab, inventory, "etcd", "found 2", "odd")


def test_a_group_without_hosts_that_another_needs(lab: Lab, inventory: Path):
    without_hosts(inventory, "backup", *lab.hosts)
    refused(lab, inventory, "Group postgresql", "none in backup", "Put a host into backup")


def test_a_port_used_twice_on_one_host(lab: Lab, inventory: Path):
    refused(lab, inventory, "port(s) 8008", "claimed more than once", "Change one", platform_port_postgresql=8008)


def test_a_memory_setting_above_the_hosts_memory(lab: Lab, inventory: Path):
    refused(lab, inventory, "shared_buffers", "900GB", "expected", postgresql_settings={"shared_buffers": "900GB"})


def test_an_unknown_key_in_a_structured_input(lab: Lab, inventory: Path):
    refused(lab, inventory, "ownr", "postgresql_databases", postgresql_databases=[{"name": "apg_cash", "ownr": "x"}])


def test_an_address_outside_its_network(lab: Lab, inventory: Path):
    refused(lab, inventory, "platform_network", "outside 10.99.0.0/16", "Correct", platform_network="10.99.0.0/16")


def test_a_certificate_that_does_not_match_its_key(lab: Lab, inventory: Path, tmp_path: Path):
    for name in ("one", "two"):
        self_signed(tmp_path, name, "-subj", "/CN=cash.apg.example", "-addext", "subjectAltName=DNS:cash.apg.example")
    supplied = {"cert": f"{tmp_path}/one.crt", "key": f"{tmp_path}/two.key", "ca": f"{tmp_path}/one.crt"}
    refused(lab, inventory, f"{tmp_path}/one.crt", "found", "expected", "key", certificates_supplied=supplied)


def test_a_host_below_the_minimum_release(lab: Lab, inventory: Path):
    refused(lab, inventory, "found Debian", "expected at least Debian 99", preflight_minimum_releases={"Debian": "99"})


def test_a_watchdog_in_a_container(lab: Lab, inventory: Path):
    refused(
        lab,
        inventory,
        "found software in a container",
        "expected off",
        "Nothing has changed",
        postgresql_watchdog="software",
    )


def test_a_flow_to_a_group_that_does_not_exist(lab: Lab, inventory: Path):
    flow = {"name": "ledgers", "from": ["app"], "to": "ledger", "ports": [7000], "why": "a test"}
    refused(lab, inventory, "flow ledgers: found group ledger; expected one of", firewall_extra_flows=[flow])


def test_a_matrix_that_would_close_ssh_from_the_controller(lab: Lab, inventory: Path):
    networks = ["192.0.2.0/24"]
    words = ("found that Ansible comes from", "let in 192.0.2.0/24 to port 22", "platform_operator_networks")
    refused(lab, inventory, *words, "Nothing has changed", platform_operator_networks=networks)


def test_a_blocklist_with_the_controller_in_it(lab: Lab, inventory: Path):
    refused(lab, inventory, "blocklist: found", "of Ansible; expected none", firewall_blocked_networks=["172.30.0.1"])
