# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The edge's entry to Redis as it is rendered: whom it brings clients to, and how it finds out."""

from __future__ import annotations

import pytest
from repository import ROOT, load, render_all, tasks
from test_edge_checks import options, sections

HOSTS = {"cache1": "10.0.21.21", "cache2": "10.0.21.22", "cache3": "10.0.21.23"}
MORE = [{"name": f"cache{number}", "address": f"10.0.21.2{number}"} for number in range(1, 6)]
EDGE = {
    "role": "haproxy",
    "host": "edge1",
    "templates": ["haproxy.cfg"],
    "__haproxy_read": {"rc": 0, "stdout_lines": ["hash", "digest"]},
}


@pytest.fixture(scope="module")
def edges(tmp_path_factory):
    cases = {"three": {}, "one": {"haproxy_redis_servers": MORE[:1]}, "five": {"haproxy_redis_servers": MORE}}
    places = {name: tmp_path_factory.mktemp("entry") for name in cases}
    runs = render_all([("render_role.yml", {"out": str(places[name]), **EDGE, **more}) for name, more in cases.items()])
    for done in runs:
        assert done.returncode == 0, done.stdout + done.stderr
    return {name: sections((place / "haproxy.cfg").read_text()) for name, place in places.items()}


@pytest.mark.parametrize(("name", "majority"), [("one", 1), ("three", 2), ("five", 3)])
def test_a_server_is_master_only_when_a_majority_of_the_sentinels_names_it(edges, name, majority):
    edge = edges[name]
    named = [section.removeprefix("backend redis_named_") for section in edge if "redis_named_" in section]
    assert len(named) == {"one": 1, "three": 3, "five": 5}[name]
    rules = [line for line in edge["frontend health"] if "/redis/" in line]
    assert rules == [
        f"http-request return status 200 if {{ path /redis/{host} }} {{ nbsrv(redis_named_{host}) ge {majority} }}"
        for host in named
    ]
    assert edge["frontend health"].index("http-request deny deny_status 404") > edge["frontend health"].index(rules[-1])
    lines = edge["backend redis_master"]
    assert [line for line in lines if line.startswith("use-server ")] == [
        f"use-server {host} if {{ nbsrv(redis_named_{host}) ge {majority} }}" for host in named
    ]
    asked = [line for line in lines if line.startswith("tcp-check ")]
    assert asked[:3] == [
        "tcp-check connect addr 127.0.0.1 port 8404",
        'tcp-check send-lf "GET /redis/%[srv_name] HTTP/1.0\\r\\n\\r\\n"',
        'tcp-check expect min-recv 16 rstring "^HTTP/1[.][01] 200 "',
    ]
    assert asked[-1] == 'tcp-check expect min-recv 64 string "role:master"'


def test_every_sentinel_is_asked_whether_it_names_the_server_and_no_other(edges):
    for host, address in HOSTS.items():
        lines = edges["three"][f"backend redis_named_{host}"]
        assert f'tcp-check expect min-recv 16 string "\\n{address}\\r\\n"' in lines
        servers = [line.split()[1:3] for line in lines if line.startswith("server ")]
        assert servers == [[name, f"{at}:26379"] for name, at in HOSTS.items()]
        assert not [line for line in lines if "QUIT" in line], "a Sentinel does not know it"


def test_every_check_is_verified_and_whoever_is_not_master_any_more_loses_its_sessions(edges):
    found = {name: lines for name, lines in edges["three"].items() if name.startswith("backend redis_")}
    assert len(found) == 4
    for name, lines in found.items():
        asked = options(lines)
        assert "check-ssl" in asked and asked["verify"] == "required" and asked["ca-file"] == "/etc/mainstay/tls/ca.crt"
        for server in (line.split() for line in lines if line.startswith("server ")):
            assert server[3:] == ["check-sni", server[1], "verifyhost", server[1]], name
        assert "timeout check 1000ms" in lines
    assert options(found["backend redis_master"])["on-marked-down"] == "shutdown-sessions"


def test_the_entry_is_there_without_a_database(tmp_path):
    (done,) = render_all([("render_role.yml", {"out": str(tmp_path), **EDGE, "haproxy_postgresql_servers": []})])
    assert done.returncode == 0, done.stdout + done.stderr
    edge = sections((tmp_path / "haproxy.cfg").read_text())
    assert "defaults tcp" in edge and "bind *:6380" in edge["frontend redis"]
    assert not [name for name in edge if "postgresql" in name]


def test_a_cluster_has_no_entry_and_none_is_made_for_it(tmp_path):
    given = {"out": str(tmp_path), **EDGE, "redis_mode": "cluster"}
    without, forced = render_all(
        [("render_role.yml", given), ("render_role.yml", {**given, "haproxy_redis_servers": MORE})]
    )
    assert without.returncode == 0, without.stdout + without.stderr
    text = (tmp_path / "haproxy.cfg").read_text()
    assert not [name for name in sections(text) if "redis" in name] and ":6380" not in text and "/redis/" not in text
    assert forced.returncode != 0
    assert "found cache1, cache2, cache3, cache4, cache5 with redis_mode cluster, expected none" in " ".join(
        forced.stdout.split()
    )


def test_a_password_that_haproxy_would_read_otherwise_is_refused(tmp_path):
    (done,) = render_all([("render_role.yml", {"out": str(tmp_path), **EDGE, "haproxy_redis_password": 'a"b c'})])
    assert done.returncode != 0 and "a password for Redis of letters" in " ".join(done.stdout.split())


def test_the_password_stays_out_of_what_is_shown_and_of_what_others_read():
    written = [
        task for task in tasks(load(ROOT / "roles/haproxy/tasks/configure.yml")) if "__haproxy_config" in str(task)
    ]
    (template,) = [task for task in written if "ansible.builtin.template" in task]
    options = template["ansible.builtin.template"]
    assert template["diff"] is False
    assert (options["owner"], options["group"], options["mode"]) == ("root", "haproxy", "0640")
