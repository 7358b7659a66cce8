# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which run this is, and whether another one has ended: for certain, or not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ansible_collections.mainstay.platform.plugins.lookup import controller_run


def process(proc, pid, parent, *words, started="77"):
    folder = proc / str(pid)
    folder.mkdir()
    fields = ["S", str(parent), *["0"] * 17, started]
    (folder / "stat").write_text(f"{pid} (a name) with) {' '.join(fields)}")
    (folder / "cmdline").write_bytes(b"\0".join(word.encode() for word in words))


@pytest.mark.parametrize(
    ("worker", "main"),
    [
        (("python3", "/usr/bin/ansible-playbook", "site.yml"), 20),
        (("python3", "a worker with a title of its own"), 20),
    ],
)
def test_a_worker_belongs_to_its_playbook_and_not_to_the_shell_before(tmp_path, worker, main):
    process(tmp_path, 1, 0, "init")
    process(tmp_path, 10, 1, "sh", "-c", "ansible-playbook site.yml; ansible-playbook x.yml")
    process(tmp_path, 20, 10, "python3", "/usr/bin/ansible-playbook", "site.yml")
    process(tmp_path, 30, 20, *worker)
    assert controller_run.main_process(30, tmp_path) == main


def test_a_run_has_ended_when_its_process_is_gone_or_another_one():
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    name = controller_run.run_name(sleeper.pid)
    assert not controller_run.has_ended(name)
    assert controller_run.has_ended(f"{name}0")  # the number was given again
    sleeper.kill()
    sleeper.wait()
    sleeper.stdin.close()
    assert controller_run.has_ended(name)


def test_a_run_of_another_place_may_still_run():
    assert not controller_run.has_ended("elsewhere/boot/pid:[1]/4194305/1")
    assert not controller_run.has_ended("")


def test_the_lookup_tells_of_this_run_and_of_others():
    (this,) = controller_run.LookupModule().run([])
    assert this["run"].startswith(controller_run.place()) and "@" in this["owner"]
    (other,) = controller_run.LookupModule().run([controller_run.run_name(os.getpid())])
    assert other["ended"] is False


def test_without_the_files_of_processes_a_run_has_a_name_that_never_ends(tmp_path):
    first, second = (controller_run.run_name(controller_run.main_process(7, tmp_path), tmp_path) for _run in range(2))
    assert first != second
    assert not controller_run.has_ended(first, tmp_path)
    assert not controller_run.has_ended(first)


def test_a_process_that_may_not_be_looked_at_has_not_ended(monkeypatch):
    name = f"{controller_run.place()}/4242/77"
    monkeypatch.setattr(controller_run, "stat_fields", lambda *_arguments: [])

    def answer(error):
        def kill(_pid, _signal):
            if error:
                raise error

        monkeypatch.setattr(controller_run.os, "kill", kill)
        return controller_run.has_ended(name)

    assert not answer(None) and not answer(PermissionError())
    assert answer(ProcessLookupError())


def test_an_owner_without_a_name_is_a_number(monkeypatch):
    def unmapped():
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(controller_run.getpass, "getuser", unmapped)
    assert controller_run.user() == str(os.getuid())
