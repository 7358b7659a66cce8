# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Weights and states of several servers are told in one message, and only where they differ."""

from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils import _haproxy_client
from ansible_collections.mainstay.platform.plugins.modules import haproxy_shares

STATE = (
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time\n"
    "4 api 1 a 192.0.2.1 2 0 1 1 9\n"
    "4 api 2 b 192.0.2.2 0 5 1 1 9\n"
)


@pytest.fixture
def edge(monkeypatch, run_module):
    told = []

    def say(_path, command):
        if command == "show servers state":
            return STATE
        told.append(command)
        return edge_.answer

    def edge_(*servers, **options):
        wanted = [dict(zip(("backend", "server", "weight", "state"), server, strict=False)) for server in servers]
        return run_module("haproxy_shares", servers=wanted, **options)

    for place in (_haproxy_client, haproxy_shares):
        monkeypatch.setattr(place, "say", say)
    edge_.told, edge_.answer = told, "\n\n"
    return edge_


def test_all_is_told_at_once_and_weights_come_first(edge):
    assert edge(("api", "a", 5), ("api", "b", 95, "ready"))["changed"]
    assert edge.told == ["set server api/a weight 5; set server api/b weight 95; set server api/b state ready"]


def test_what_holds_already_is_not_said_again(edge):
    assert not edge(("api", "a", 1, "ready"), ("api", "b", 1, "maint"))["changed"]
    assert edge.told == []


def test_a_dry_run_only_says_it(edge):
    found = edge(("api", "a", 0), _ansible_check_mode=True)
    assert found["commands"] == ["set server api/a weight 0"] and edge.told == []


def test_a_refusal_and_an_unknown_server_are_named(edge):
    edge.answer = "No such server."
    assert "found 'No such server.' to 'set server api/a weight 2'" in edge(("api", "a", 2))["msg"]
    assert "found no server api/c" in edge(("api", "c", 2))["msg"]
    assert not edge(("api", "c", 2), required=False)["changed"]


def test_an_edge_that_is_still_to_come_is_passed_over_where_that_is_allowed(run_module):
    options = {"servers": [{"backend": "api", "server": "a", "weight": 1}], "socket": "/nonexistent/admin.sock"}
    assert run_module("haproxy_shares", required=False, **options)["commands"] == []
    assert run_module("haproxy_shares", **options)["failed"]
