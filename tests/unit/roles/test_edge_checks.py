# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The edge's entries to the database as they are rendered: how Patroni is asked, how often, and what follows."""

from __future__ import annotations

import re

import pytest
from repository import ROOT, load, render_all

DEFAULTS = load(ROOT / "roles/haproxy/defaults/main.yml")
LAG = load(ROOT / "roles/platform/defaults/main/objectives.yml")["platform_objective_replication_lag_bytes"]
EDGE = {"role": "haproxy", "host": "edge1", "templates": ["haproxy/postgresql.cfg"]}
ONE = {"haproxy_postgresql_servers": [{"name": "db1", "address": "10.0.21.11"}]}
HOSTS = {"db1": "10.0.21.11", "db2": "10.0.21.12", "db3": "10.0.21.13"}


def sections(text):
    """The lines of each section, by its first two words."""
    found = {}
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words and not line.startswith(" "):
            lines = found.setdefault(" ".join(words[:2]), [])
        elif words:
            lines.append(" ".join(words))
    return found


@pytest.fixture(scope="module")
def edges(tmp_path_factory):
    cases = {
        "three": {},
        "one": ONE,
        "slow": {"haproxy_postgresql_check_interval": 2000, "haproxy_postgresql_max_lag": 7},
    }
    places = {name: tmp_path_factory.mktemp("edge") for name in cases}
    runs = render_all([("render_role.yml", {"out": str(places[name]), **EDGE, **more}) for name, more in cases.items()])
    for done in runs:
        assert done.returncode == 0, done.stdout + done.stderr
    return {name: sections((places[name] / "postgresql.cfg").read_text()) for name in cases}


def backends(edge):
    return {name.split()[1]: lines for name, lines in edge.items() if name.startswith("backend ")}


def options(lines):
    """The words of default-server with their values."""
    (line,) = [line for line in lines if line.startswith("default-server ")]
    words = line.split()[1:]
    return {word: following for word, following in zip(words, [*words[1:], ""], strict=True)}


@pytest.mark.parametrize(("name", "interval", "lag"), [("three", 1000, LAG), ("slow", 2000, 7)])
def test_patroni_is_asked_as_often_as_documented(edges, name, interval, lag):
    entries = backends(edges[name])
    questions = {}
    for backend, lines in entries.items():
        asked = options(lines)
        assert [asked[word] for word in ("inter", "downinter", "fastinter")] == [
            f"{interval}ms",
            f"{interval // 2}ms",
            f"{interval // 4}ms",
        ]
        assert (asked["rise"], asked["fall"], asked["on-marked-down"]) == ("1", "3", "shutdown-sessions")
        assert "slowstart" not in " ".join(lines)
        assert "http-check expect status 200" in lines
        questions[backend] = re.search(r"meth OPTIONS uri (\S+) ver", " ".join(lines))[1]
    assert sorted(questions.values()) == ["/primary", f"/replica?lag={lag}"]


def test_the_documented_seconds_are_those_of_the_defaults():
    interval = DEFAULTS["haproxy_postgresql_check_interval"] / 1000
    text = (ROOT / "docs/postgresql.md").read_text()
    assert f"while it changes | {interval:g} s, {interval / 2:g} s, {interval / 4:g} s |" in text
    # One answer on the interval and two on the fast one; one on that of a server that is down.
    assert f"out after at most {interval + 2 * interval / 4:g} s (3 answers)" in text
    assert f"in after {interval / 2:g} s (1 answer)" in text


def test_every_check_is_verified_by_the_name_of_its_host(edges):
    for lines in backends(edges["three"]).values():
        asked = options(lines)
        assert "check-ssl" in asked and asked["verify"] == "required"
        assert asked["ca-file"] == "/etc/mainstay/tls/ca.crt" and asked["port"] == "8008"
        assert asked["crl-file"] == "/etc/mainstay/tls/ca.crl"
        servers = [line.split() for line in lines if line.startswith("server ") and not line.endswith(" backup")]
        assert {server[1]: server[2] for server in servers} == {name: f"{at}:6432" for name, at in HOSTS.items()}
        assert all(server[3:] == ["check-sni", server[1], "verifyhost", server[1]] for server in servers)


def test_readers_get_the_primary_when_no_replica_keeps_up_and_leave_it_when_one_is_back(edges):
    (writers,), three = backends(edges["one"]), backends(edges["three"])
    (readers,) = set(three) - {writers}
    assert f"default_backend {readers}" in edges["three"]["frontend postgresql_ro"]
    spare = [line.split()[1:] for line in three[readers] if line.endswith(" backup")]
    assert spare == [
        [f"{name}_primary", f"{at}:6432", "no-check", "track", f"{writers}/{name}", "backup"]
        for name, at in HOSTS.items()
    ]
    assert options(three[readers])["on-marked-up"] == "shutdown-backup-sessions"
    assert "on-marked-up" not in options(three[writers])
    assert f"default_backend {writers}" in edges["one"]["frontend postgresql_ro"]
