# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.modules import services

# Older than every file that a test writes.
LONG_AGO = {
    "LoadState": "loaded",
    "UnitFileState": "enabled",
    "ActiveState": "active",
    "InactiveExitTimestamp": "Wed 2020-01-01 00:00:00.000000 UTC",
}


def test_a_file_counts_from_when_it_came_whatever_its_date(tmp_path):
    old = tmp_path / "old"
    old.write_text("")
    os.utime(old, (1, 1))
    assert services.newest([tmp_path / "none", old]) == old.stat().st_ctime
    assert services.newest([tmp_path / "none"]) == 0


@pytest.fixture
def systemctl(monkeypatch):
    """What the module calls, with systemctl answering `shown` and every other command `codes` one after the other."""
    seen = SimpleNamespace(calls=[], shown=LONG_AGO, others={}, codes=[])

    def run(_module, command):
        if command[1] == "show":
            shown = seen.others.get(command[-1], seen.shown)
            return 0, "\n".join(f"{key}={value}" for key, value in shown.items()), ""
        seen.calls.append(" ".join(command))
        return seen.codes.pop(0) if seen.codes else 0, "", "it says why"

    monkeypatch.setattr(AnsibleModule, "run_command", run)
    monkeypatch.setattr(services.time, "sleep", lambda _seconds: None)
    return seen


@pytest.fixture
def written(tmp_path):
    """A file that is younger than every start above."""
    path = tmp_path / "settings"
    path.write_text("")
    return str(path)


def test_reading_and_acting_are_one_call(run_module, systemctl, written):
    found = run_module("services", services=[{"name": "a.service", "files": [written], "no_block": True}])
    assert systemctl.calls == ["systemctl --no-block restart a.service"]
    assert found["changed"] and found["actions"] == {"a.service": ["restart"]}
    assert found["evidence"] == "a.service: restart"


@pytest.mark.parametrize(("only", "changed"), [({"mode": "check"}, False), ({"_ansible_check_mode": True}, True)])
@pytest.mark.parametrize("loaded", ["loaded", "not-found"])
def test_a_question_changes_nothing(run_module, systemctl, written, only, changed, loaded):
    systemctl.shown = {**LONG_AGO, "LoadState": loaded}
    found = run_module("services", services=[{"name": "a.service", "files": [written]}], **only)
    assert systemctl.calls == []
    assert found["changed"] is changed and found["actions"] == {"a.service": ["restart"]}


@pytest.mark.parametrize(("outdated", "calls"), [("yes", ["systemctl daemon-reload"]), ("no", [])])
def test_what_a_timer_starts_is_read_again(run_module, systemctl, outdated, calls):
    systemctl.shown = {**LONG_AGO, "NeedDaemonReload": "no", "Triggers": "a.service"}
    systemctl.others = {"a.service": {"LoadState": "loaded", "ActiveState": "inactive", "NeedDaemonReload": outdated}}
    found = run_module("services", services=[{"name": "a.timer"}])
    assert systemctl.calls == calls and found["changed"] is bool(calls)


def test_a_unit_that_is_not_there(run_module, systemctl):
    systemctl.shown = {"LoadState": "not-found"}
    assert "install its package" in run_module("services", services=[{"name": "a.service"}])["msg"]
    found = run_module("services", services=[{"name": "a.service", "state": "stopped"}])
    assert not found["changed"] and found["evidence"] == "a.service: as written, now and at boot"


@pytest.mark.parametrize("state", ["started", "stopped"])
@pytest.mark.parametrize("there", [True, False])
def test_a_service_of_somebody_else_is_left_alone(run_module, systemctl, written, state, there):
    systemctl.shown = {**LONG_AGO, "ActiveState": "active" if state == "stopped" else "inactive"}
    only_with = ["/nowhere/one", written if there else "/nowhere/two"]
    found = run_module("services", services=[{"name": "a.service", "state": state, "only_with": only_with}])
    assert found["changed"] is bool(systemctl.calls) is there


def test_a_restart_waits_until_the_reload_is_taken_in(run_module, systemctl, written):
    systemctl.codes = [0, 1, 1, 0]
    run_module(
        "services",
        services=[
            {"name": "a.service", "files": [written], "refresh": ["reload", "restart"], "reloaded": ["ask", "it"]}
        ],
    )
    assert systemctl.calls == ["systemctl reload a.service", *["ask it"] * 3, "systemctl restart a.service"]


def test_no_restart_follows_a_reload_that_is_not_taken_in(run_module, systemctl, written):
    systemctl.codes = [0, 1]
    service = {"name": "a.service", "files": [written], "refresh": ["reload", "restart"], "reloaded": ["ask", "it"]}
    found = run_module("services", services=[service], deadline=0)
    assert "'ask it' still fails" in found["msg"]
    assert systemctl.calls[-1] == "ask it"


def test_a_failure_says_where_to_look(run_module, systemctl, written):
    systemctl.codes = [1]
    found = run_module("services", services=[{"name": "a.service", "files": [written]}])
    assert "'systemctl restart' failed (it says why)" in found["msg"] and "journalctl -u a.service" in found["msg"]


def test_of_drop_ins_of_one_name_the_closest_counts(tmp_path):
    for directory in ("redis-.service.d", "redis-server.service.d"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "mainstay.conf").touch()
    (tmp_path / "redis-.service.d" / "limits.conf").touch()
    found = [f"{tmp_path}/redis-.service.d/limits.conf", f"{tmp_path}/redis-server.service.d/mainstay.conf"]
    assert services.drop_ins("redis-server", str(tmp_path)) == found
