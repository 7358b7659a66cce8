# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PostgreSQL settings from a host's memory and processors. Pure; private to this collection."""

from __future__ import annotations

from ansible_collections.mainstay.platform.plugins.plugin_utils._units import megabytes_text, size_in_bytes

SMALLEST_MB = 256
# Connections that the share for work_mem is planned for; with more of them each gets less.
PLANNED_CONNECTIONS = 200
# The share of the host's memory that an override may claim at most.
LARGEST_SHARE = {
    "shared_buffers": 0.5,
    "effective_cache_size": 1.0,
    "work_mem": 0.25,
    "maintenance_work_mem": 0.5,
    "autovacuum_work_mem": 0.5,
    "wal_buffers": 0.25,
}


def between(low, value, high):
    return max(low, min(int(value), high))


def settings(memory_mb, vcpus, max_connections):
    """The computed settings."""
    if memory_mb < SMALLEST_MB:
        raise ValueError(f"memory: found {memory_mb} MB; expected at least {SMALLEST_MB} MB; give the host more memory")
    if vcpus < 1 or max_connections < 1:
        raise ValueError(f"vcpus and max_connections: found {vcpus} and {max_connections}; expected at least 1 of each")
    shared = between(64, memory_mb // 4, 16384)
    share = min(1, PLANNED_CONNECTIONS / max_connections)
    parallel = between(1, (vcpus + 1) // 2, 4)
    sizes = {
        "shared_buffers": shared,
        "effective_cache_size": memory_mb * 3 // 4,
        "work_mem": between(4, memory_mb / 128 * share, 256),
        "maintenance_work_mem": between(16, memory_mb // 16, 2048),
        "wal_buffers": between(2, shared // 32, 64),
        "min_wal_size": between(80, memory_mb // 16, 512),
        "max_wal_size": between(256, memory_mb // 2, 4096),
    }
    return {
        "max_connections": max_connections,
        **{name: megabytes_text(value) for name, value in sizes.items()},
        "max_worker_processes": max(8, vcpus),
        "max_parallel_workers": vcpus,
        "max_parallel_workers_per_gather": parallel,
        "max_parallel_maintenance_workers": parallel,
    }


def check_overrides(overrides, memory_mb):
    """Problems of settings that claim more memory than the host should give."""
    problems = []
    for name, share in LARGEST_SHARE.items():
        value = overrides.get(name)
        if value in (None, -1, "-1"):
            continue
        # A bare number has a unit that depends on the setting, so it is refused where sizes are compared.
        if str(value).strip().isdigit():
            problems.append(f"{name}: found {value} without a unit; expected a size such as 64MB; write the unit")
        elif size_in_bytes(value) > share * memory_mb * 1024 * 1024:
            limit = megabytes_text(int(share * memory_mb))
            problems.append(
                f"{name}: found {value}; expected at most {limit} on a host with {memory_mb} MB; lower it or "
                "give the host more memory"
            )
    return problems
