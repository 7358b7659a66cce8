# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What HAProxy counted, and whether it knows what it should."""

from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.modules import haproxy_traffic

STATS = (
    "# pxname,svname,status,req_tot,hrsp_5xx,econ,eresp,wretr,rtime,ttime\n"
    "api,a,UP,7,1,0,0,0,5,6\napi,b,DOWN,0,0,0,0,0,0,0\n"
)


@pytest.fixture
def traffic(monkeypatch, run_module):
    monkeypatch.setattr(haproxy_traffic, "say", lambda _path, _command: STATS)
    return lambda **options: run_module("haproxy_traffic", backends=["api"], **options)


def test_counters_and_health_are_given(traffic):
    found = traffic()
    assert found["servers"]["api/a"]["req_tot"] == 7 and found["evidence"] == "api: 1 of 2 up"
    assert found["changed"] is False


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"expect_servers": ["api/a", "api/c"]}, "found no server api/c, expected it in its configuration"),
        (
            {"one_up_of": [["api/a", "api/b"], ["api/b", "api/c"]]},
            "found none of api/b, api/c up, expected one to serve",
        ),
    ],
)
def test_what_is_missing_is_named(traffic, options, says):
    found = traffic(**options)
    assert found["failed"] and says in found["msg"]


def test_an_edge_that_is_still_to_come_counts_nothing_where_that_is_allowed(run_module):
    options = {"backends": ["api"], "socket": "/nonexistent/admin.sock"}
    assert run_module("haproxy_traffic", required=False, **options)["servers"] == {}
    assert "expected it to answer" in run_module("haproxy_traffic", **options)["msg"]
