# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role's gates turn red when the live server, or what Patroni's members agreed on, is not what is wanted."""

from __future__ import annotations

import http.server
import json
import threading

import pytest
import yaml
from repository import ROOT, load, render_with, tasks

(VERIFY,) = [
    task["mainstay.platform.gates"]["gates"]
    for task in tasks(load(ROOT / "roles/postgresql/tasks/verify.yml"))
    if "mainstay.platform.gates" in task
]
SERVER = "PostgreSQL uses the settings that are wanted, with checksums"
MEMBERS = "the members agree on the timers and settings that are wanted"
BOTH = [gate for gate in VERIFY if isinstance(gate, dict) and gate["gate"] in (SERVER, MEMBERS)]
# What the role wants, in the units in which a server counts.
RIGHT = {
    "max_slot_wal_keep_size": ["4096", "MB", "integer"],
    "wal_compression": ["lz4", None, "enum"],
    "archive_timeout": ["60", "s", "integer"],
    "archive_mode": ["on", None, "enum"],
    "shared_preload_libraries": ["pg_stat_statements", None, "string"],
    "log_min_duration_statement": ["1000", "ms", "integer"],
    "log_connections": ["on", None, "bool"],
    "log_temp_files": ["0", "kB", "integer"],
    "log_destination": ["csvlog", None, "string"],
    "ssl": ["on", None, "bool"],
    "password_encryption": ["scram-sha-256", None, "enum"],
    "data_checksums": ["on", None, "bool"],
}
WRONG = {
    "max_slot_wal_keep_size": "-1",
    "wal_compression": "off",
    "archive_timeout": "0",
    "archive_mode": "off",
    "shared_preload_libraries": "",
    "log_min_duration_statement": "-1",
    "log_connections": "off",
    "log_temp_files": "-1",
    "log_destination": "stderr",
    "ssl": "off",
    "password_encryption": "md5",
    "data_checksums": "off",
}
TIMERS = {"ttl": 30, "loop_wait": 10, "retry_timeout": 10, "primary_start_timeout": 300, "failsafe_mode": False}
TIMERS |= {"synchronous_mode": False, "maximum_lag_on_failover": 1}


def served(document):
    """Address of a Patroni that says this about its members' agreement."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def run(place, *asked):
    """A playbook that writes what the role wants, and then does this."""
    plays = load(ROOT / "tests/unit/roles/accounts.yml")
    write = {
        "content": "{{ {'settings': __postgresql_in_use, 'document': __postgresql_dynamic} | to_json }}",
        "dest": str(place / "wanted"),
        "mode": "0600",
    }
    plays[0]["tasks"][1:] = [{"name": "Write what is wanted", "ansible.builtin.copy": write}, *asked]
    path = place / "ask.yml"
    path.write_text(json.dumps(plays))
    return " ".join(render_with(str(path), {}).stdout.split())


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What the gates say, asked in one run of servers and members of which each has one thing wrong; by its name."""
    place = tmp_path_factory.mktemp("guards")
    run(place)
    wanted = json.loads((place / "wanted").read_text())
    rows = {**{name: [str(value), None, "string"] for name, value in wanted["settings"].items()}, **RIGHT}
    document, shared = wanted["document"], wanted["document"]["postgresql"]
    servers = {name: ({**rows, name: [value, *RIGHT[name][1:]]}, []) for name, value in WRONG.items()}
    servers |= {"right": (rows, []), "problem": (rows, ["wal_buffers waits for a restart"])}
    members = {name: {**document, name: value} for name, value in TIMERS.items()} | {
        "right": {**document, "pause": None}
    }
    extra = {**shared["parameters"], "wal_compression": "off"}
    members["extra"] = {**document, "postgresql": {**shared, "parameters": extra}}
    gates = []
    for name, (found, problems) in servers.items():
        settings = {key: dict(zip(("setting", "unit", "kind"), row, strict=True)) for key, row in found.items()}
        (place / name).write_text(json.dumps({"settings": settings, "problems": problems}))
        gates.append({**BOTH[0], "gate": f"server {name}", "args": {"argv": ["cat", str(place / name)]}})
    for name, found in members.items():
        gates.append({**BOTH[1], "gate": f"members {name}", "args": {"url": served(found)}})
    return run(place, {"name": "Ask", "mainstay.platform.gates": {"role": "postgresql", "gates": gates}})


def test_only_what_is_wrong_is_red(said):
    assert f"{len(WRONG) + len(TIMERS) + 2} of {len(WRONG) + len(TIMERS) + 4} gates" in said, said


@pytest.mark.parametrize("name", WRONG)
def test_a_server_that_uses_another_value_is_told(said, name):
    assert f"- server {name}: found {name} is {WRONG[name] or 'empty'}" in said, said


@pytest.mark.parametrize("name", TIMERS)
def test_members_that_agreed_on_another_value_are_told(said, name):
    assert f"- members {name}: found {name} is {TIMERS[name]}, not " in said, said


def test_what_waits_for_a_restart_or_does_not_belong_is_told(said):
    assert "- server problem: found wal_buffers waits for a restart" in said
    assert "- members extra: found wal_compression is set, but belongs to the members" in said


def test_all_is_asked_in_one_question_each():
    server, members = BOTH
    assert server["args"]["argv"] == "{{ __postgresql_psql + [__postgresql_sql_settings] }}"
    assert members["args"]["url"] == "{{ __postgresql_rest }}/config"


@pytest.mark.parametrize(("release", "method"), [("Debian 12", "lz4"), ("Ubuntu 22", "on"), ("Ubuntu 24", "lz4")])
def test_a_release_is_told_a_compression_that_it_knows(tmp_path, release, method):
    distribution, major = release.split()
    facts = {
        "distribution": distribution,
        "distribution_major_version": major,
        "memtotal_mb": 8192,
        "processor_vcpus": 4,
    }
    asked = {"role": "postgresql", "templates": ["config.yml"], "out": str(tmp_path), "ansible_facts": facts}
    done = render_with("render_role.yml", asked)
    assert done.returncode == 0, done.stdout + done.stderr
    parameters = yaml.safe_load((tmp_path / "config.yml").read_text())["postgresql"]["parameters"]
    assert parameters["wal_compression"] == method
