# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The daily check: where it looks for files of nobody, and that a scanner that dies is no good news."""

from __future__ import annotations

import os
import subprocess

import jinja2
import pytest
from repository import ROOT

TEMPLATE = ROOT / "roles" / "hardening" / "templates" / "mainstay-integrity.j2"
# A disk of a service, what lies in memory and another host's; the blank of a name is written as the kernel does.
MOUNTS = """\
overlay {0}/root overlay rw 0 0
/dev/sdb1 {0}/data\\0401 ext4 rw 0 0
/dev/sdb1 {0}/data\\0401/twice ext4 rw 0 0
tank {0}/pool zfs rw 0 0
tmpfs {0}/memory tmpfs rw 0 0
nas:/share {0}/share nfs4 rw 0 0
"""


@pytest.fixture
def check(tmp_path):
    """Run the check on a host of its own, with scanners that do and end as given."""
    environment = jinja2.Environment()
    environment.filters["comment"] = "# {}".format
    given = {"ansible_managed": "", "platform_state_dir": "/state", "platform_textfile_dir": "/textfile"}
    text = environment.from_string(TEMPLATE.read_text()).render(given)
    for place in ("/state", "/textfile", "/proc/mounts", "/var/lib/aide"):
        text = text.replace(place, f"{tmp_path}{place}")
    text = text.replace("echo /\n", f"echo {tmp_path}/root\n")
    for place in ("root", "data 1/twice", "pool", "memory", "share"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "open").touch()
        (tmp_path / place / "open").chmod(0o666)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "mounts").write_text(MOUNTS.format(tmp_path))

    def run(**scanners):
        programs = tmp_path / "bin"
        programs.mkdir()
        for name, does in {"aide": ":", "chkrootkit": ":", **scanners}.items():
            (programs / name).write_text(f"#!/bin/sh\n{does}\n")
            (programs / name).chmod(0o755)
        found = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
        return subprocess.run(["sh", "-c", text, "check", "check"], text=True, capture_output=True, env=found)

    return run


def test_files_of_nobody_are_found_on_every_disk(check, tmp_path):
    done = check()
    assert done.returncode == 0, done
    found = (tmp_path / "state/integrity/strange").read_text().splitlines()
    assert found == [f"{tmp_path}/{place}/open" for place in ("data 1/twice", "pool", "root")]
    assert "\nmainstay_integrity_strange_files 3\n" in (tmp_path / "textfile/integrity.prom").read_text()


@pytest.mark.parametrize(
    ("name", "ends", "said"),
    [
        ("chkrootkit", "echo no strings >&2; exit 1", "no strings\nchkrootkit did not come to its end\n"),
        ("aide", "echo no database; exit 17", "no database\n"),
        ("find", "exit 137", ""),
    ],
)
def test_a_scanner_that_dies_fails_the_check(check, tmp_path, name, ends, said):
    done = check(**{name: ends})
    assert (done.returncode, done.stderr) == (1, said), done
    assert not (tmp_path / "textfile/integrity.prom").exists()


def test_what_could_not_be_read_does_not_fail_it(check):
    """A file that went away meanwhile makes find end with 1."""
    assert check(find="exit 1").returncode == 0


def test_signs_of_rootkits_are_counted(check, tmp_path):
    assert check(chkrootkit="echo \"Checking 'ls'... INFECTED\"").returncode == 0
    assert "\nmainstay_integrity_rootkits 1\n" in (tmp_path / "textfile/integrity.prom").read_text()
