# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the audit of a lab, which has one release, has the content from that another release's package brings."""

from __future__ import annotations

import importlib.util
import subprocess

import pytest
from repository import ROOT

SPEC = importlib.util.spec_from_file_location("audit", ROOT / "tests" / "audit.py")
AUDIT = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(AUDIT)
HOST = AUDIT.Host("db1", {"lab_name": "lab", "ansible_host": "172.30.0.11"})
PROXY = 'Acquire::http::Proxy "http://172.30.255.1:3142";\n'


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What is run, with a stand-in for the engine; and what the container that fetches says."""
    commands, answer = [], {"returncode": 0, "stdout": "<content/>", "stderr": ""}

    def run(command, **options):
        commands.append(([str(word) for word in command], options.get("input")))
        if "exec" in command:
            return subprocess.CompletedProcess(command, 0, PROXY, "")
        return subprocess.CompletedProcess(command, **answer)

    monkeypatch.setattr(AUDIT.subprocess, "run", run)
    monkeypatch.setattr(AUDIT, "HERE", tmp_path)
    return commands, answer


def test_a_container_of_the_other_release_fetches_the_content_once(asked):
    commands, _answer = asked
    place = AUDIT.content(HOST)
    assert place.read_text() == "<content/>"
    image, proxy, (fetch, given) = commands[0][0], commands[1][0], commands[2]
    assert image == [str(ROOT / "lab/image.sh"), "trixie"] and "lab-db1" in proxy
    assert fetch[:5] == ["docker", "run", "--rm", "--interactive", "mainstay-host:trixie"] and given == PROXY
    assert AUDIT.content(HOST) == place and len(commands) == 3


def test_what_cannot_be_fetched_is_not_kept(asked, tmp_path):
    _commands, answer = asked
    answer.update(returncode=100, stderr="no way out\n")
    with pytest.raises(SystemExit, match=r"mainstay-host:trixie cannot fetch ssg-debian: no way out; put ssg-debian12"):
        AUDIT.content(HOST)
    assert not list(tmp_path.iterdir())


def test_the_other_release_is_one_that_the_lab_has():
    assert AUDIT.CONTENT_RELEASE in (ROOT / "lab/image.sh").read_text()
