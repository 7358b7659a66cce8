# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils import _pooler
from ansible_collections.mainstay.platform.plugins.modules import patroni_switchover as module

PARAMS = {
    "leader": "db1",
    "candidate": "db2",
    "patroni_url": "https://db1:8008",
    "candidate_url": "https://db2:8008",
    "marker": None,
    "pooler": ["console"],
    "pooler_socket": None,
    "pooler_from": "192.0.2.1",
    "pooler_to": "192.0.2.12",
    "pause_deadline": 5,
    "deadline": 20,
}
INI = """[databases]
postgres = host=192.0.2.1 port=5432
other = host=192.0.2.10 port=5432
[pgbouncer]
listen_addr = 192.0.2.1
"""


class Order:
    refusal = ""

    def start(self):
        pass


# As psql: says what \echo asks for, and answers the rest, but one statement by an error, and one not at all.
CONSOLE = r"""
log=$1 refused=$2 silent=$3
[ "$4" != -c ] || exec echo "$5 by itself;" >> "$log"
while read -r line; do
  case $line in
    '\echo '*) echo "${line#* }" ;;
    "$silent;") echo "$line" >> "$log"; sleep 60 ;;
    "$refused;") echo "$line" >> "$log"; echo 'ERROR:  no' ;;
    *) echo "$line" >> "$log"; echo "$line" ;;
  esac
done
"""


def pooler(tmp_path, refused="", silent="", **params):
    path, log = tmp_path / "pgbouncer.ini", tmp_path / "said"
    path.write_text(INI)
    command = ["sh", "-c", CONSOLE, "console", str(log), refused, silent]
    console = _pooler.Pooler({**PARAMS, "pooler": command, "pooler_config": str(path), **params})
    return console, path, lambda: log.read_text().replace(";", "").replace("SHOW VERSION", "open").split()


def with_path():
    """The environment of another Python that finds what this one does."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def primary(_url, _params):
    return {"role": "primary", "state": "running"}, ""


def test_only_servers_at_the_old_address_move():
    text = _pooler.redirected(INI, "192.0.2.1", "192.0.2.12")
    assert "postgres = host=192.0.2.12 port" in text
    assert "other = host=192.0.2.10 port" in text
    assert "listen_addr = 192.0.2.1\n" in text


def test_statements_are_held_until_the_new_primary_is_there(tmp_path, monkeypatch):
    console, path, said = pooler(tmp_path)

    def wait(*_all):
        assert said() == ["open", "PAUSE", "RELOAD"]
        assert "host=192.0.2.12 port" in path.read_text()

    monkeypatch.setattr(module, "wait_for_candidate", wait)
    module.switch(PARAMS, console, Order())
    assert said() == ["open", "PAUSE", "RELOAD", "RESUME"]
    assert path.read_text() == _pooler.redirected(INI, "192.0.2.1", "192.0.2.12")


def test_statements_go_on_here_when_the_switch_fails(tmp_path, monkeypatch):
    def refuse(*_all):
        raise _pooler.Failed("no")

    monkeypatch.setattr(module, "wait_for_candidate", refuse)
    console, path, said = pooler(tmp_path)
    with pytest.raises(_pooler.Failed):
        module.switch(PARAMS, console, Order())
    assert said() == ["open", "PAUSE", "RELOAD", "RELOAD", "RESUME"]
    assert path.read_text() == INI


@pytest.mark.parametrize("refused, silent, then", [("PAUSE", "", []), ("", "PAUSE", ["open"])])
def test_a_transaction_that_does_not_end_stops_it_before_anything_changed(tmp_path, refused, silent, then):
    console, path, said = pooler(tmp_path, refused, silent, pause_deadline=0.2)
    with pytest.raises(_pooler.Failed, match="nothing has changed"):
        module.switch(PARAMS, console, Order())
    assert said() == ["open", "PAUSE", *then, "RESUME"]
    assert path.read_text() == INI


HOLD = """
import os, signal, sys
from ansible_collections.mainstay.platform.plugins.module_utils._pooler import Pooler
console = Pooler({"pooler": sys.argv[1:], "pooler_socket": None, "pause_deadline": 5})
console.open()
console.hold()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_statements_go_on_when_who_holds_them_is_killed(tmp_path):
    console, _path, said = pooler(tmp_path)
    killed = subprocess.run(
        [sys.executable, "-c", HOLD, *console.params["pooler"]], env=with_path(), timeout=30, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while said()[-1] == "PAUSE" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert said() == ["open", "PAUSE", "RESUME", "by", "itself"]


def test_a_console_that_does_not_open_stops_it(tmp_path):
    console = pooler(tmp_path, pooler=["sh", "-c", "echo no such host"])[0]
    with pytest.raises(_pooler.Failed, match="no such host"):
        console.open()


def test_the_candidate_is_waited_for_and_a_refusal_is_said():
    answers = iter([({"role": "replica", "state": "running"}, ""), primary("", {})])
    module.wait_for_candidate(PARAMS, Order(), lambda *_all: next(answers), lambda: 0, lambda _seconds: None)
    order = Order()
    order.refusal = "candidate is not healthy"
    with pytest.raises(_pooler.Failed, match="candidate is not healthy"):
        module.wait_for_candidate(PARAMS, order, lambda *_all: (None, "x"), lambda: 0, lambda _seconds: None)


def test_a_paused_cluster_is_refused():
    def paused(_url, _params):
        return {"pause": True, "members": []}, ""

    with pytest.raises(_pooler.Failed, match="paused"):
        module.leader_of(PARAMS, paused)


def test_without_a_pooler_nothing_is_held_and_the_role_moves_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "wait_for_candidate", lambda *_all: None)
    absent, _path, _said = pooler(tmp_path, pooler_socket=str(tmp_path / "socket"))
    assert not absent.runs
    absent.open()
    module.switch(PARAMS, absent, Order())
    assert not (tmp_path / "said").exists()
    (tmp_path / "socket").touch()
    assert pooler(tmp_path, pooler_socket=str(tmp_path / "socket"))[0].runs


@pytest.mark.parametrize(
    ("script", "found"), [("exit 0", ""), ("echo no room >&2; exit 1", "found no room;"), ("sleep 9", "not done after")]
)
def test_a_preparation_that_fails_or_takes_too_long_ends_it_before_anything_changed(monkeypatch, script, found):
    monkeypatch.setattr(module, "PREPARATION", 0.5)
    with pytest.raises(_pooler.Failed, match=found) if found else contextlib.nullcontext():
        module.prepare({**PARAMS, "prepare": ["sh", "-c", script]})
    module.prepare({**PARAMS, "prepare": []})


@pytest.mark.parametrize("fails", [False, True])
def test_the_marker_is_there_while_patroni_hands_over_and_at_no_other_time(tmp_path, monkeypatch, fails):
    marker, seen = tmp_path / "marker", []

    def wait(*_all):
        seen.append(marker.exists())
        if fails:
            raise _pooler.Failed("no")

    monkeypatch.setattr(module, "wait_for_candidate", wait)
    console, _path, _said = pooler(tmp_path)
    with pytest.raises(_pooler.Failed) if fails else contextlib.nullcontext():
        module.switch({**PARAMS, "marker": str(marker)}, console, Order())
    assert seen == [True]
    assert not marker.exists()
