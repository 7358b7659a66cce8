# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is admitted is written before it is said, said once, and waited for."""

from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils import _haproxy_client
from ansible_collections.mainstay.platform.plugins.modules import haproxy_admission


@pytest.fixture
def edge(monkeypatch, tmp_path, run_module):
    path = tmp_path / "admitted.map"
    path.write_text("clients 100\n")

    def say(_socket, command):
        words = command.split()
        if words[:2] == ["set", "map"]:
            assert path.read_text() == f"clients {words[4]}\n", "the file comes first"
            edge_.told.append(command)
            edge_.percent = words[4]
        if words[:2] == ["show", "map"]:
            return f"0x5613 clients {edge_.percent}\n"
        if words == ["show", "stat"]:
            edge_.sessions = edge_.sessions[1:] or ["0"]
            return f"# pxname,svname,scur\napi,FRONTEND,9\napi,BACKEND,{edge_.sessions[0]}\n"
        return edge_.answer

    def edge_(**options):
        return run_module("haproxy_admission", map=str(path), **options)

    for place in (_haproxy_client, haproxy_admission):
        monkeypatch.setattr(place, "say", say)
    edge_.told, edge_.percent, edge_.answer, edge_.sessions, edge_.path = [], "100", "", ["0"], path
    return edge_


def test_it_is_written_and_said(edge):
    found = edge(percent=0)
    assert (found["changed"], found["before"], found["percent"]) == (True, 100, 0)
    assert edge.told == [f"set map {edge.path} clients 0"] and edge.path.read_text() == "clients 0\n"


def test_what_holds_already_is_not_said_again(edge):
    assert not edge(percent=100)["changed"] and edge.told == []


def test_a_file_that_says_something_else_is_mended(edge):
    edge.path.write_text("clients 25\n")
    found = edge()
    assert not found["changed"] and "admits 100 % of the clients, and the file says 25" in found["evidence"]
    assert edge(percent=100)["changed"] and edge.path.read_text() == "clients 100\n"


def test_a_dry_run_only_says_it(edge):
    found = edge(percent=0, _ansible_check_mode=True)
    assert found["changed"] and edge.told == [] and edge.path.read_text() == "clients 100\n"


def test_requests_under_way_are_waited_for(edge):
    edge.sessions = ["", "2", "1", "0"]
    assert edge(percent=0, backends=["api"], deadline=5)["percent"] == 0
    edge.sessions = ["", "2"] + ["2"] * 100
    assert "found 2 of api after 0.1 s" in edge(percent=0, backends=["api"], deadline=0.1)["msg"]


@pytest.mark.parametrize("percent", [-1, 101])
def test_no_part_is_more_than_all_or_less_than_none(edge, percent):
    assert f"found {percent}, expected 0 to 100" in edge(percent=percent)["msg"] and edge.told == []


def test_an_edge_without_the_map_is_named(edge):
    edge.percent = "all"
    assert "run playbooks/edge.yml first" in edge(percent=0)["msg"]
