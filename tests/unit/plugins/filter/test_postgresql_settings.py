# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.filter.postgresql_settings import postgresql_settings

NAMES = ["shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem", "wal_buffers", "max_wal_size"]


@pytest.mark.parametrize(
    "memory, connections, expected",
    [
        (8192, 200, ["2GB", "6GB", "64MB", "512MB", "64MB", "4GB"]),
        (512, 100, ["128MB", "384MB", "4MB", "32MB", "4MB", "256MB"]),
        (8192, 400, ["2GB", "6GB", "32MB", "512MB", "64MB", "4GB"]),
        (131072, 200, ["16GB", "96GB", "256MB", "2GB", "64MB", "4GB"]),
    ],
)
def test_settings_follow_from_memory(memory, connections, expected):
    settings = postgresql_settings(memory, 4, connections)
    assert [settings[name] for name in NAMES] == expected
    assert settings["max_connections"] == connections


@pytest.mark.parametrize("vcpus, workers, gather", [(1, 8, 1), (2, 8, 1), (4, 8, 2), (16, 16, 4)])
def test_parallel_workers_follow_from_processors(vcpus, workers, gather):
    settings = postgresql_settings(8192, vcpus)
    assert (settings["max_worker_processes"], settings["max_parallel_workers"]) == (workers, vcpus)
    assert settings["max_parallel_workers_per_gather"] == gather


def test_overrides_win_and_may_add():
    settings = postgresql_settings(8192, 4, 200, {"work_mem": "32MB", "jit": "off"})
    assert (settings["work_mem"], settings["jit"]) == ("32MB", "off")


@pytest.mark.parametrize(
    "memory, overrides, message",
    [
        (128, {}, "memory: found 128 MB; expected at least 256 MB"),
        (1024, {"shared_buffers": "2GB"}, "shared_buffers: found 2GB; expected at most 512MB on a host with 1024 MB"),
        (1024, {"work_mem": "64"}, "work_mem: found 64 without a unit"),
        (1024, {"work_mem": "lots"}, "expected a size"),
        ("much", {}, "invalid literal"),
    ],
)
def test_impossible_input_is_refused(memory, overrides, message):
    with pytest.raises(AnsibleFilterError, match=message):
        postgresql_settings(memory, 1, 100, overrides)
