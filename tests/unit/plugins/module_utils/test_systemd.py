# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils import _systemd

SHOWN = {
    "LoadState": "loaded",
    "UnitFileState": "enabled",
    "ActiveState": "active",
    "InactiveExitTimestamp": "Sat 2026-11-21 10:00:00.500000 UTC",
    "StateChangeTimestamp": "Sat 2026-11-21 11:00:00.500000 UTC",
    "ReloadResult": "success",
}
START, RELOAD = 1795255200.5, 1795258800.5
DROP_IN = "/etc/systemd/system/a.service.d/mainstay.conf"
SERVICE = {
    "name": "a.service",
    "state": "started",
    "files": [],
    "refresh": ["restart"],
    "reloaded": [],
    "no_block": False,
}


@pytest.mark.parametrize(
    ("shown", "service", "written", "actions"),
    [
        ({}, {}, START - 1, []),
        ({}, {}, START + 1, ["restart"]),
        ({"ActiveState": "reloading"}, {}, START + 1, ["restart"]),
        ({"ActiveState": "inactive"}, {}, START + 1, ["start"]),
        ({"ActiveState": "failed", "UnitFileState": "disabled"}, {}, 0, ["enable", "start"]),
        ({"UnitFileState": "static"}, {}, 0, []),
        ({"UnitFileState": "indirect"}, {}, 0, []),
        # A member that waits for the others, with the files that it began with and with others.
        ({"ActiveState": "activating"}, {}, START - 1, ["start"]),
        ({"ActiveState": "activating"}, {}, START + 1, ["restart"]),
        # Never restarted: what counts is the last reload that succeeded.
        ({}, {"refresh": ["reload"]}, RELOAD - 1, []),
        ({}, {"refresh": ["reload"]}, RELOAD + 1, ["reload"]),
        ({"ReloadResult": "exit-code"}, {"refresh": ["reload"]}, RELOAD - 1, ["reload"]),
        ({"ActiveState": "activating"}, {"refresh": ["reload"]}, RELOAD + 1, ["start"]),
        ({"ActiveState": "inactive"}, {"refresh": ["reload"]}, RELOAD + 1, ["start"]),
        # A reload does not stand for the restart that follows it.
        ({}, {"refresh": ["reload", "restart"]}, RELOAD - 1, ["reload", "restart"]),
        ({}, {"state": "stopped"}, START + 1, ["disable", "stop"]),
        ({"ActiveState": "activating", "UnitFileState": "disabled"}, {"state": "stopped"}, 0, ["stop"]),
        ({"ActiveState": "inactive"}, {"state": "stopped"}, 0, ["disable"]),
        ({"ActiveState": "inactive", "UnitFileState": "static"}, {"state": "stopped"}, 0, []),
        # Nothing is known of a unit whose package is not installed yet.
        (dict.fromkeys(SHOWN, ""), {}, 0, ["enable", "start"]),
    ],
)
def test_a_service_gets_what_it_needs(shown, service, written, actions):
    assert _systemd.needed({**SHOWN, **shown}, {**SERVICE, **service}, written, False) == actions


@pytest.mark.parametrize(("written", "actions"), [(0, ["daemon-reload"]), (START + 1, ["daemon-reload", "restart"])])
def test_a_unit_is_read_before_its_service_is_restarted(written, actions):
    assert _systemd.needed(SHOWN, SERVICE, written, True) == actions


@pytest.mark.parametrize(
    ("shown", "unread"),
    [
        ({"NeedDaemonReload": "no"}, True),
        ({"NeedDaemonReload": "no", "DropInPaths": f"/run/x.conf {DROP_IN}"}, False),
        ({"NeedDaemonReload": "yes", "DropInPaths": DROP_IN}, True),
    ],
)
def test_a_drop_in_that_systemd_has_not_seen_is_to_be_read(shown, unread):
    assert _systemd.unread(shown, [DROP_IN]) is unread


def test_a_unit_is_added_to_by_its_name_and_its_prefixes():
    assert _systemd.drop_in_directories("pgbouncer") == ["pgbouncer.service.d"]
    assert _systemd.drop_in_directories("a-b-c.timer") == ["a-b-c.timer.d", "a-b-.timer.d", "a-.timer.d"]


def test_the_answer_of_systemctl_is_read():
    assert _systemd.parse_show("ActiveState=active\nId=a=b\n") == {"ActiveState": "active", "Id": "a=b"}
    assert _systemd.moment(SHOWN["InactiveExitTimestamp"]) == START
    assert _systemd.moment("") == _systemd.moment("n/a") == _systemd.moment(None) == 0
