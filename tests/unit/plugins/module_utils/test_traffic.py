# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What clients saw, by HAProxy's counters."""

from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.filter.traffic import traffic_verdict
from ansible_collections.mainstay.platform.plugins.module_utils import _traffic

STATS = (
    "# pxname,svname,scur,status,req_tot,hrsp_5xx,econ,eresp,wretr,rtime,ttime\n"
    "api,app1-1,0,UP,100,1,2,3,4,5,6\n"
    "api,app2-1,0,DOWN,,,,,,,\n"
    "api,BACKEND,0,UP,100,1,2,3,4,5,6\n"
    "web,app1-1,0,UP,9,0,0,0,0,0,0\n"
)
LIMITS = {"budget": 0.01, "response_ms": 0, "requests": 100}


def numbers(requests=0, errors=0, rtime=0, **more):
    return dict.fromkeys((*_traffic.COUNTERS, "ttime"), 0) | {
        "req_tot": requests,
        "hrsp_5xx": errors,
        "rtime": rtime,
        **more,
    }


def test_counters_of_servers_are_read():
    found = _traffic.counters(STATS, ["api"])
    assert sorted(found) == ["api", "api/app1-1", "api/app2-1"]
    assert found["api/app1-1"] == {
        "req_tot": 100,
        "hrsp_5xx": 1,
        "econ": 2,
        "eresp": 3,
        "wretr": 4,
        "rtime": 5,
        "ttime": 6,
        "up": True,
    }
    assert found["api/app2-1"]["up"] is False


def test_requests_that_found_no_server_are_errors_unless_an_interruption_was_accepted():
    """What a backend answered beyond what its servers failed at was HAProxy's own 503."""
    before = {"e": {"api": numbers(1000, 5), "api/a": numbers(600, 1, econ=2), "api/b": numbers(400, 2)}}
    after = {
        "e": {"api": numbers(1300, 5 + 40 + 3), "api/a": numbers(700, 1 + 1, econ=2 + 1), "api/b": numbers(560, 2 + 1)}
    }
    found = traffic_verdict(after, before, ["api/a"], LIMITS)
    assert (found["good"], found["unserved"], found["errors"], found["requests"]) == (False, 40, 42, 141)
    assert "42 of 141 requests failed (40 found no server)" in found["said"]
    accepted = traffic_verdict(after, before, ["api/a"], LIMITS | {"interruption": True, "budget": 0.02})
    assert accepted["good"] and "40 found no server" in accepted["said"]


def test_a_failure_that_another_server_made_good_hides_nothing_and_is_no_credit():
    before = {"e": {"api": numbers(), "api/a": numbers(), "api/b": numbers()}}
    after = {"e": {"api": numbers(100), "api/a": numbers(50, econ=3), "api/b": numbers(50)}}
    assert traffic_verdict(after, before, ["api/b"], LIMITS)["unserved"] == 0


def test_a_backend_as_a_whole_is_no_server():
    after = {"e": {"api": numbers(100, 1), "api/a": numbers(100, 1)}}
    found = traffic_verdict(after, {}, ["api", "api/a"], LIMITS)
    assert (found["requests"], found["errors"]) == (100, 1)


def verdict(before, after, **limits):
    return traffic_verdict({"e": {"api/a": after}}, {"e": {"api/a": before}}, ["api/a"], LIMITS | limits)


@pytest.mark.parametrize(
    ("before", "after", "good", "requests", "errors"),
    [
        (numbers(1000, 50), numbers(2000, 60), True, 1000, 10),
        (numbers(1000, 50), numbers(2000, 61), False, 1000, 11),
        # A handful is judged as if it were a hundred: one error of five is no verdict, two are.
        (numbers(), numbers(5, 1), True, 5, 1),
        (numbers(), numbers(5, 2), False, 5, 2),
        (numbers(), numbers(0, econ=1, eresp=1), False, 2, 2),
        (numbers(), numbers(1000, wretr=900), True, 1000, 0),
        # A reload in between: the process has begun again.
        (numbers(5000, 100), numbers(200, 1), True, 200, 1),
        (numbers(), numbers(), True, 0, 0),
    ],
)
def test_errors_are_held_against_the_budget(before, after, good, requests, errors):
    found = verdict(before, after)
    assert (found["good"], found["requests"], found["errors"]) == (good, requests, errors)


def test_edges_are_added_and_others_servers_are_not():
    after = {"e1": {"api/a": numbers(60, 1), "api/b": numbers(900, 900)}, "e2": {"api/a": numbers(60, 1)}}
    found = traffic_verdict(after, {}, ["api/a", "api/unknown"], LIMITS)
    assert (found["requests"], found["errors"], found["good"]) == (120, 2, False)


@pytest.mark.parametrize("done", [100, 600, 5000])
def test_a_slow_release_is_seen_through_the_mean_of_earlier_answers(done):
    """As HAProxy makes it: a plain mean of few answers, and one that forgets slowly of many."""
    mean, total, before = 20.0, 1000, numbers(1000, rtime=20)
    for _answer in range(done):
        mean += (1500 - mean) / _traffic.SAMPLES
        total += 1
    found = verdict(before, numbers(total, rtime=round(mean)), response_ms=1000)
    assert not found["good"] and found["response_ms"] == pytest.approx(1500, rel=0.02)
    few = verdict(numbers(100, rtime=10), numbers(200, rtime=30), response_ms=40)
    assert few["response_ms"] == 50 and not few["good"]


def test_times_of_a_handful_are_not_judged():
    assert verdict(numbers(), numbers(50, rtime=9000), response_ms=1000)["good"]
