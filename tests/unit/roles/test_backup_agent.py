# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host hands over: its configuration, the application's logs, audit logs by themselves, and a fingerprint."""

from __future__ import annotations

import os
import subprocess
import time

import pytest
from repository import render_with


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A host's files below a directory, and the programs of two hosts."""
    tree = tmp_path_factory.mktemp("host")
    for name in ("etc/a.conf", "etc/b.key", "log/mainstay.log", "cash/api.log", "cash/audit.log"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text(name)
    for name, hours in (("cash/old.log", 30), ("cash/audit.log.1", 30), ("cash/audit.log.2", 200)):
        (tree / name).write_text(name)
        os.utime(tree / name, (time.time() - hours * 3600,) * 2)
    variables = {"out": str(tree), "backup_agent_paths": [f"{tree}/etc"], "platform_log_dir": f"{tree}/log"}
    variables |= {"app_log_dir": f"{tree}/cash"}
    done = render_with("collect.yml", variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return tree


def collect(tree, host, word):
    return subprocess.run(["sh", str(tree / host)], input=f"{word}\n".encode(), capture_output=True, timeout=30)


def names(tree, host, word):
    done = collect(tree, host, word)
    assert done.returncode == 0, done.stderr
    listed = subprocess.run(["tar", "--list", "--gzip"], input=done.stdout, capture_output=True, check=True)
    prefix = f"{tree}/".lstrip("/")
    found = listed.stdout.decode().splitlines()
    assert len(found) == len(set(found))
    return {name.removeprefix(prefix) for name in found if name.startswith(prefix) and not name.endswith("/")}


def test_the_daily_archive_has_configuration_and_new_logs_and_no_keys(tree):
    assert names(tree, "db1", "files") == {"etc/a.conf", "log/mainstay.log"}


def test_the_archive_of_an_application_host_has_the_applications_logs(tree):
    assert names(tree, "app1", "files") == {
        "etc/a.conf",
        "log/mainstay.log",
        "cash/api.log",
        "cash/audit.log",
    }


def test_audit_logs_of_a_week_go_by_themselves(tree):
    assert names(tree, "app1", "audit") == {"cash/audit.log", "cash/audit.log.1"}
    assert names(tree, "db1", "audit") == set()


def test_configuration_goes_without_logs(tree):
    assert names(tree, "app1", "configuration") == {"etc/a.conf"}


def test_a_fingerprint_changes_with_what_a_file_is_and_not_with_its_time(tree):
    before = collect(tree, "db1", "fingerprint").stdout
    path = tree / "etc" / "a.conf"
    os.utime(path, (1, 1))
    (tree / "etc" / "b.key").write_text("a key is not part of it")
    assert collect(tree, "db1", "fingerprint").stdout == before
    path.chmod(0o600)
    changed = collect(tree, "db1", "fingerprint").stdout
    path.write_text("changed")
    assert len({before, changed, collect(tree, "db1", "fingerprint").stdout}) == 3


@pytest.mark.parametrize("word", ["", "/root", "files /root"])
def test_nobody_chooses_anything_else(tree, word):
    done = collect(tree, "db1", word)
    assert done.returncode == 64
    assert done.stdout == b""
