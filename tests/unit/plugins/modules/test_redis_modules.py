# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import socket

import pytest


@pytest.fixture
def closed():
    """An endpoint at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"127.0.0.1:{listener.getsockname()[1]}"
    return endpoint


def test_topology_of_bare_hosts_is_fresh(run_module, closed):
    result = run_module("redis_topology", name="m", servers=[closed], sentinels=[closed])
    assert (result["state"], result["fresh"], result["master"]) == ("fresh", True, "")


def test_topology_takes_a_recorded_master(run_module, closed):
    result = run_module("redis_topology", name="m", servers=[closed], recorded=["192.0.2.2:6379"])
    assert (result["source"], result["master_address"]) == ("record", "192.0.2.2")


def test_topology_refuses_with_the_reason_or_reports_it(run_module, closed):
    arguments = {"name": "m", "servers": [closed], "recorded": ["192.0.2.1:1", "192.0.2.2:1"]}
    refused = run_module("redis_topology", **arguments)
    assert refused["failed"] and "Redis group m: no Sentinel answers and their files name" in refused["msg"]
    assert run_module("redis_topology", refuse=False, **arguments)["state"] == "undecided"


def test_replica_check_names_what_does_not_answer(run_module, closed):
    result = run_module("redis_replica_check", name="m", servers=[closed])
    assert result["failed"]
    assert f"server {closed}: found no answer (connection refused" in result["msg"]


@pytest.mark.parametrize("module", ["redis_topology", "redis_replica_check"])
def test_a_wrong_endpoint_is_refused(run_module, module):
    assert "expected host:port" in run_module(module, name="m", servers=["cache1"])["msg"]
