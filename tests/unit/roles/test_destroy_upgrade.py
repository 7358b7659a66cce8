# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a cluster leaves that is destroyed in the middle of an upgrade: nothing that the next one would meet."""

from __future__ import annotations

import json

from repository import ROOT, load, render_with, tasks

BASE = "/var/lib/postgresql"
STATE = {"from": 15, "to": 17, "stage": "stopping", "data_dir": f"{BASE}/15/test", "new_data_dir": f"{BASE}/17/test"}
NEW = [f"{BASE}/17/test{end}" for end in ("", ".upgrading", ".check", ".upgrade")]
NAMES = ["__destroy_directories", "__destroy_servers"]


def said(upgraded):
    """What db1 makes of the words of an upgrade: directories that go, and servers that are stopped."""
    given = {"platform_name": "test", "platform_postgresql_version": 17, "__destroy_upgraded": {"stdout": upgraded}}
    done = render_with("membership.yml", {"found": {}, "say": NAMES, **given})
    assert done.returncode == 0, done.stdout + done.stderr
    texts = " ".join(done.stdout.split()).split("said db1: ")[1:]  # long lines are folded
    directories, servers = [json.JSONDecoder().raw_decode(text)[0] for text in texts]
    return directories, [tuple(pair) for pair in servers]


def test_both_versions_go_whichever_the_inventory_names():
    directories, servers = said(json.dumps(STATE))
    assert directories == [NEW[0], STATE["data_dir"], *NEW[1:]]
    first, *others = [("/usr/lib/postgresql/17/bin", path) for path in NEW]
    assert servers == [first, ("/usr/lib/postgresql/15/bin", STATE["data_dir"]), *others]


def test_without_an_upgrade_only_its_own_data_go():
    assert said("") == ([NEW[0]], [("/usr/lib/postgresql/17/bin", NEW[0])])


def test_the_upgrade_is_looked_for_where_it_is_remembered():
    remembered = load(ROOT / "roles/upgrade/vars/main.yml")["__upgrade_state"]
    assert load(ROOT / "roles/destroy/vars/main.yml")["__destroy_upgrade_state"] == remembered


def test_units_are_unmasked_before_they_are_disabled():
    """A masked unit counts as one that is not there."""
    names = [task["name"] for task in tasks(load(ROOT / "roles/destroy/tasks/stop.yml"))]
    assert names.index("stop | Ensure their units are not masked") < names.index(
        "stop | Ensure PostgreSQL and its pooler are stopped and stay so"
    )
