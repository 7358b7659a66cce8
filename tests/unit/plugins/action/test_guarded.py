# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A change that could close the way in: made only when needed, kept only when a new connection comes in."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.mainstay.platform.plugins.action import guarded

OPTIONS = {
    "name": "test",
    "paths": ["/etc/ssh"],
    "revert": "systemctl restart ssh.service",
    "dump": "nft list ruleset",
    "seconds": 30,
    "steps": [{"module": "write", "args": {"a": 1}}, {"module": "restart", "args": {}}],
}


class Host(guarded.ActionModule):
    """The action over a host that plays test: `needed` change something, `answers` say what goes wrong where."""

    def __init__(self, needed=(), answers=None, check_mode=False):
        self.needed, self.answers, self.calls = needed, answers or {}, []
        self._task = SimpleNamespace(check_mode=check_mode)
        self._connection = SimpleNamespace(reset=lambda: self.calls.append("reset"))

    def validate_argument_spec(self, argument_spec):
        return None, OPTIONS

    def _execute_module(self, module_name, module_args, task_vars):
        name = module_args.get("state") or module_name
        self.calls.append(f"{name}?" if self._task.check_mode else name)
        self.given = {**getattr(self, "given", {}), name: module_args}
        answer = {} if self._task.check_mode else self.answers.get(name, {})
        if isinstance(answer, Exception):
            raise answer
        return {"changed": module_name in self.needed, **answer}


@pytest.fixture(autouse=True)
def time(monkeypatch):
    """A clock that moves by sleeping only."""
    now = [0.0]
    monkeypatch.setattr(guarded.ActionBase, "run", lambda self, tmp=None, task_vars=None: {})
    monkeypatch.setattr(guarded.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(guarded.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def test_nothing_is_armed_when_nothing_would_change():
    host = Host()
    assert host.run()["changed"] is False
    assert host.calls == ["write?", "restart?"]


def test_check_mode_says_so_and_does_nothing():
    host = Host(needed=["write"], check_mode=True)
    assert host.run()["changed"] is True
    assert host.calls == ["write?", "restart?"]
    assert host._task.check_mode is True


def test_a_change_is_confirmed_by_a_new_connection():
    host = Host(needed=["write"])
    assert host.run() == {"changed": True, "guarded": True, "diff": []}
    assert host.calls == ["write?", "restart?", "armed", "write", "reset", "restart", "reset", "confirmed"]
    assert host.given["armed"].items() >= {key: OPTIONS[key] for key in ("paths", "revert", "dump", "seconds")}.items()


def test_nothing_changes_when_the_switch_cannot_be_armed():
    host = Host(needed=["write"], answers={"armed": {"failed": True, "msg": "disk full"}})
    assert host.run()["msg"] == "disk full"
    assert host.calls == ["write?", "restart?", "armed"]


def test_a_step_that_fails_brings_the_old_state_back_at_once(time):
    host = Host(needed=["write"], answers={"restart": {"failed": True, "msg": "no unit"}})
    result = host.run()
    assert result["failed"] and result["restored"] and "restart failed (no unit)" in result["msg"]
    assert host.calls[-2:] == ["reset", "restored"] and time[0] == 0


def test_a_change_after_which_nobody_comes_in_is_undone_at_the_next_step(time):
    host = Host(needed=["write"], answers={"restart": AnsibleConnectionFailure("EOF on stream")})
    result = host.run()
    assert result["failed"] and result["restored"]
    assert "no new connection came in for restart (EOF on stream)" in result["msg"]


def test_a_host_that_nobody_reaches_fails_after_the_way_back(time):
    gone = AnsibleConnectionFailure("refused")
    result = Host(needed=["write"], answers={"confirmed": gone, "restored": gone}).run()
    assert result["failed"] and not result["restored"] and "refused" in result["msg"]
    assert 30 + guarded.GRACE <= time[0] <= 30 + guarded.GRACE + 2


def test_a_change_that_closed_the_door_fails_when_the_old_state_is_back(time):
    host = Host(needed=["write"], answers={"confirmed": AnsibleConnectionFailure("Permission denied")})
    result = host.run()
    assert result["failed"] and result["restored"] and "Permission denied" in result["msg"]
    assert "no new connection confirmed the change within 30 s" in result["msg"]
    assert time[0] == 30


def test_one_late_connection_is_enough(time):
    host = Host(needed=["write"], answers={"confirmed": AnsibleConnectionFailure("busy")})
    execute = host._execute_module

    def later(**words):
        if time[0] >= 3:
            host.answers = {}
        return execute(**words)

    host._execute_module = later
    assert host.run()["changed"] is True and time[0] == 3


def test_no_step_runs_when_the_time_is_over(time):
    host = Host(needed=["write"])
    execute = host._execute_module

    def slow(**words):
        time[0] += 60 if words["module_name"] == "write" and not host._task.check_mode else 0
        return execute(**words)

    host._execute_module = slow
    result = host.run()
    assert result["failed"] and result["restored"] and "30 s were over before restart" in result["msg"]
    assert "restart" not in host.calls and host.calls[-1] == "restored"


def test_a_return_that_did_nothing_is_not_called_one():
    answers = {"restart": {"failed": True, "msg": "no unit"}, "restored": {"failed": True, "msg": "tar: disk full"}}
    result = Host(needed=["write"], answers=answers).run()
    assert not result["restored"] and "NOT back (tar: disk full)" in result["msg"] and "is back." not in result["msg"]
