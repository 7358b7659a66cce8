# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.plugin_utils._units import megabytes_text, seconds, size_in_bytes


@pytest.mark.parametrize(
    "value, expected",
    [
        (90, 90),
        ("90", 90),
        ("5min", 300),
        ("30 s", 30),
        ("1h 30min", 5400),
        ("250ms", 0.25),
        ("2 days", 172800),
        ("1.5h", 5400),
        ("3 Seconds", 3),
    ],
)
def test_seconds_reads_durations(value, expected):
    assert seconds(value) == expected


@pytest.mark.parametrize("value", ["", "soon", "5 parsecs", "-3s", None, True, "5 min ago"])
def test_seconds_refuses_what_is_not_a_duration(value):
    with pytest.raises(ValueError, match="expected a duration"):
        seconds(value)


@pytest.mark.parametrize(
    "value, expected",
    [
        (77, 77),
        ("8kB", 8192),
        ("64MB", 67108864),
        ("1.5gb", 1610612736),
        ("512 MiB", 536870912),
        ("1t", 1 << 40),
        ("10 bytes", 10),
    ],
)
def test_size_in_bytes_reads_sizes(value, expected):
    assert size_in_bytes(value) == expected


@pytest.mark.parametrize("value", ["big", "12 XB", "1,5GB", None, "GB"])
def test_size_in_bytes_refuses_what_is_not_a_size(value):
    with pytest.raises(ValueError, match="expected a size"):
        size_in_bytes(value)


@pytest.mark.parametrize("value, expected", [(2048, "2GB"), (1536, "1536MB"), (64, "64MB")])
def test_megabytes_text_writes_as_postgresql_does(value, expected):
    assert megabytes_text(value) == expected
