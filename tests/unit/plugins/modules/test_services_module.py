# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.modules import services

SHOWN = {
    "UnitFileState": "enabled",
    "ActiveState": "active",
    "ActiveEnterTimestamp": "Sat 2026-11-21 10:00:00.500000 UTC",
}
START = 1795255200.5


@pytest.mark.parametrize(
    ("shown", "written", "actions"),
    [
        ({}, START - 1, []),
        ({}, START + 1, ["restart"]),
        ({"ActiveState": "inactive"}, START + 1, ["start"]),
        ({"ActiveState": "failed", "UnitFileState": "disabled"}, 0, ["enable", "start"]),
        ({"NeedDaemonReload": "yes"}, 0, ["daemon-reload"]),
        ({"UnitFileState": "static"}, 0, []),
    ],
)
def test_a_service_gets_what_it_needs(shown, written, actions):
    assert services.needed({**SHOWN, **shown}, written) == actions


def test_the_answer_of_systemctl_is_read():
    assert services.parse_show("ActiveState=active\nId=a=b\n") == {"ActiveState": "active", "Id": "a=b"}
    assert services.started_at(SHOWN["ActiveEnterTimestamp"]) == START
    assert services.started_at("") == 0


def test_missing_files_count_for_nothing(tmp_path):
    assert services.newest([tmp_path / "none"]) == 0
