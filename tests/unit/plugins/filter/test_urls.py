# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.filter.urls import dsn, sentinel_url


def test_dsn_quotes_what_a_url_would_misread():
    url = dsn({"hosts": "db", "user": "a@b", "password": "p@s/s:%?#", "database": "led ger"})
    parts = urlsplit(url)
    assert (unquote(parts.username), unquote(parts.password), parts.hostname, parts.port) == (
        "a@b",
        "p@s/s:%?#",
        "db",
        5432,
    )
    assert unquote(parts.path) == "/led ger"


@pytest.mark.parametrize(
    "parts, expected",
    [
        (
            {
                "hosts": ["db1", "db2:5433", "2001:db8::1"],
                "database": "l",
                "options": {"sslmode": "verify-full", "sslrootcert": "/a b"},
            },
            "postgresql://db1:5432,db2:5433,[2001:db8::1]:5432/l?sslmode=verify-full&sslrootcert=/a%20b",
        ),
        (
            {"hosts": ["db"], "port": 6432, "user": "u", "database": "l", "scheme": "postgresql+asyncpg"},
            "postgresql+asyncpg://u@db:6432/l",
        ),
    ],
)
def test_dsn_forms(parts, expected):
    assert dsn(parts) == expected


@pytest.mark.parametrize(
    "parts, message",
    [
        ({"hosts": [], "database": "l"}, "found no hosts or no database"),
        ({"host": "db"}, "unknown parts host"),
        ("x", "found str"),
    ],
)
def test_dsn_refuses_incomplete_parts(parts, message):
    with pytest.raises(AnsibleFilterError, match=message):
        dsn(parts)


def test_sentinel_url_lists_every_sentinel():
    assert (
        sentinel_url(["c1", "c2:26380"], "p#1", "app", 2)
        == "sentinel://app:p%231@c1:26379/2;sentinel://app:p%231@c2:26380/2"
    )
    assert sentinel_url(["c1"]) == "sentinel://c1:26379/0"


@pytest.mark.parametrize("sentinels", [[], "c1:26379", ["c1:port"]])
def test_sentinel_url_refuses_what_is_no_list(sentinels):
    with pytest.raises(AnsibleFilterError, match="expected"):
        sentinel_url(sentinels)
