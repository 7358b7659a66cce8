# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils._endpoint import join_endpoint, split_endpoint


@pytest.mark.parametrize(
    "text, default, expected",
    [
        ("192.0.2.1:6379", None, ("192.0.2.1", 6379)),
        ("[2001:db8::1]:6379", None, ("2001:db8::1", 6379)),
        ("2001:db8::1", 5432, ("2001:db8::1", 5432)),
        ("db1", 5432, ("db1", 5432)),
    ],
)
def test_split_endpoint(text, default, expected):
    assert split_endpoint(text, default) == expected


@pytest.mark.parametrize("text", ["db1", "db1:", ":5432", "db1:http", "db1:70000", "2001:db8::1"])
def test_split_endpoint_refuses(text):
    with pytest.raises(ValueError, match="expected host:port"):
        split_endpoint(text)


@pytest.mark.parametrize("host, expected", [("db1", "db1:1"), ("2001:db8::1", "[2001:db8::1]:1")])
def test_join_endpoint(host, expected):
    assert join_endpoint(host, 1) == expected
