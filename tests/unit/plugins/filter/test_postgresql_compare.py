# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A server's settings and Patroni's document against what is wanted, in whatever unit or word they come."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.filter.postgresql_settings import differences, wrong_settings

# As pg_settings of PostgreSQL 15 tells them: value, unit, type.
LIVE = {
    "max_slot_wal_keep_size": ("4096", "MB", "integer"),
    "wal_buffers": ("1024", "8kB", "integer"),
    "min_wal_size": ("1024", "MB", "integer"),
    "wal_segment_size": ("16777216", "B", "integer"),
    "log_temp_files": ("-1", "kB", "integer"),
    "archive_timeout": ("60", "s", "integer"),
    "log_rotation_age": ("1440", "min", "integer"),
    "log_min_duration_statement": ("1000", "ms", "integer"),
    "vacuum_cost_delay": ("2.5", "ms", "real"),
    "checkpoint_completion_target": ("0.9", None, "real"),
    "max_connections": ("200", None, "integer"),
    "log_file_mode": ("0640", None, "integer"),
    "wal_compression": ("pglz", None, "enum"),
    "ssl_min_protocol_version": ("TLSv1.2", None, "enum"),
    "synchronous_commit": ("on", None, "enum"),
    "data_checksums": ("on", None, "bool"),
    "jit": ("off", None, "bool"),
    "shared_preload_libraries": ("pg_stat_statements", None, "string"),
    "timezone": ("UTC", None, "string"),
    "log_destination": ("csvlog, stderr", None, "string"),
}
FOUND = {name: dict(zip(("setting", "unit", "kind"), values, strict=True)) for name, values in LIVE.items()}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("max_slot_wal_keep_size", "4GB"),
        ("max_slot_wal_keep_size", "4096MB"),
        ("max_slot_wal_keep_size", 4096),
        ("wal_buffers", "8MB"),
        ("wal_segment_size", "16MB"),
        ("log_temp_files", -1),
        ("archive_timeout", "1min"),
        ("archive_timeout", "60100ms"),
        ("log_rotation_age", "1d"),
        ("log_min_duration_statement", "1s"),
        ("vacuum_cost_delay", "2.5ms"),
        ("checkpoint_completion_target", 0.9),
        ("max_connections", "200"),
        ("log_file_mode", "0640"),
        ("wal_compression", True),
        ("wal_compression", "PGLZ"),
        ("ssl_min_protocol_version", "tlsv1.2"),
        ("data_checksums", "yes"),
        ("jit", False),
        ("TimeZone", "UTC"),
        ("timezone", "UTC"),
        ("log_destination", "csvlog,stderr"),
        ("auto_explain.log_analyze", "on"),
    ],
)
def test_the_same_in_another_unit_or_word_is_right(name, wanted):
    assert wrong_settings(FOUND, {name: wanted}) == []


@pytest.mark.parametrize(
    ("name", "wanted", "text"),
    [
        ("max_slot_wal_keep_size", "8GB", "max_slot_wal_keep_size is 4096 in MB, not 8GB"),
        ("wal_buffers", "1024kB", "wal_buffers is 1024 in 8kB, not 1024kB"),
        ("archive_timeout", "5min", "archive_timeout is 60 in s, not 5min"),
        ("log_temp_files", 0, "log_temp_files is -1 in kB, not 0"),
        ("checkpoint_completion_target", 0.5, "checkpoint_completion_target is 0.9, not 0.5"),
        ("wal_compression", "lz4", "wal_compression is pglz, not lz4"),
        ("synchronous_commit", "local", "synchronous_commit is on, not local"),
        ("data_checksums", "off", "data_checksums is on, not off"),
        ("jit", "on", "jit is off, not on"),
        ("shared_preload_libraries", "", "shared_preload_libraries is pg_stat_statements, not "),
        ("max_connections", "many", "max_connections is 200, not many"),
        ("archive_tineout", "60s", "archive_tineout is unknown to the server"),
    ],
)
def test_another_value_is_told_with_both(name, wanted, text):
    assert wrong_settings(FOUND, {name: wanted}) == [text]


def test_nothing_found_is_all_wrong():
    assert wrong_settings(None, {"ssl": "on"}) == ["ssl is unknown to the server"]


def test_a_document_differs_where_something_is_wanted():
    found = {
        "ttl": 30,
        "loop_wait": 2,
        "pause": True,
        "postgresql": {"use_slots": True, "parameters": {"wal_level": "logical"}},
    }
    wanted = {"ttl": 20, "loop_wait": 2, "failsafe_mode": True, "postgresql": {"parameters": {"wal_level": "replica"}}}
    assert differences(found, wanted) == [
        "ttl is 30, not 20",
        "failsafe_mode is not set, not True",
        "postgresql.parameters.wal_level is logical, not replica",
    ]
    assert differences({}, {"postgresql": {"use_slots": True}}) == ["postgresql.use_slots is not set, not True"]


@pytest.mark.parametrize("call", [lambda: wrong_settings(["x"], {"ssl": "on"}), lambda: differences("x", {})])
def test_what_is_no_answer_is_refused(call):
    with pytest.raises(AnsibleFilterError, match="expected"):
        call()
