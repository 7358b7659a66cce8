# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils import _prometheus

JOBS = [
    {"job_name": "node", "static_configs": [{"targets": ["10.0.0.1:9100"], "labels": {"instance": "db1"}}]},
    {
        "job_name": "redis",
        "static_configs": [{"targets": ["10.0.0.2:9121"], "labels": {"instance": "cache1", "__param_target": "x"}}],
    },
]


def targets(*rows):
    return {
        "data": {
            "activeTargets": [
                {
                    "labels": {"job": job, "instance": instance, "cluster": "test"},
                    "health": health,
                    "lastError": error,
                }
                for job, instance, health, error in rows
            ]
        }
    }


def test_targets_hold_when_each_is_up():
    answer = targets(("node", "db1", "up", ""), ("redis", "cache1", "up", ""), ("extra", "x", "down", "no"))
    assert _prometheus.judge_targets(JOBS, answer) == (True, "2 of 2 targets are up")


def test_targets_name_those_that_are_down_with_the_reason():
    answer = targets(("node", "db1", "down", "connection refused"), ("redis", "cache1", "up", ""))
    holds, evidence = _prometheus.judge_targets(JOBS, answer)
    assert not holds
    assert evidence == "1 of 2 targets are not up: node/db1: connection refused"


def test_targets_name_those_that_are_not_configured():
    holds, evidence = _prometheus.judge_targets(JOBS, targets(("node", "db1", "up", "")))
    assert not holds
    assert "redis/cache1: not configured" in evidence


def test_targets_that_were_never_asked_are_not_up():
    holds, evidence = _prometheus.judge_targets(JOBS[:1], targets(("node", "db1", "unknown", "")))
    assert (holds, evidence) == (False, "1 of 1 targets are not up: node/db1: unknown")


@pytest.mark.parametrize(
    ("rules", "holds", "evidence"),
    [
        ([], False, "no rules are loaded"),
        ([{"name": "A", "health": "ok"}], True, "1 rules are evaluated without an error"),
        (
            [{"name": "A", "health": "err", "lastError": "many-to-many"}],
            False,
            "1 of 1 rules are not evaluated: A: many-to-many",
        ),
        ([{"name": "A", "health": "unknown"}], False, "1 of 1 rules are not evaluated: A: unknown"),
    ],
)
def test_rules(rules, holds, evidence):
    assert _prometheus.judge_rules({"data": {"groups": [{"rules": rules}]}}) == (holds, evidence)


def alert(name, severity, state="firing"):
    return {"state": state, "labels": {"alertname": name, "severity": severity, "instance": "db1"}}


def test_quiet_holds_when_only_other_severities_fire():
    answer = {"data": {"alerts": [alert("A", "warning"), alert("B", "critical", "pending")]}}
    assert _prometheus.judge_quiet(["critical"], answer) == (True, "1 alerts fire, none of them critical")


def test_quiet_names_the_alerts_that_fire():
    answer = {"data": {"alerts": [alert("A", "critical")]}}
    assert _prometheus.judge_quiet(["critical"], answer) == (False, "1 alerts fire: A db1")


def test_quiet_holds_while_an_ignored_alert_fires():
    answer = {"data": {"alerts": [alert("A", "critical"), alert("B", "critical")]}}
    assert _prometheus.judge_quiet(["critical"], answer, ["A"]) == (False, "1 alerts fire: B db1")
    assert _prometheus.judge_quiet(["critical"], answer, ["A", "B"])[0]


def test_alertmanagers_are_known_by_the_start_of_their_url():
    answer = {"data": {"activeAlertmanagers": [{"url": "https://10.0.0.1:9093/api/v2/alerts"}]}}
    assert _prometheus.judge_alertmanagers(["https://10.0.0.1:9093"], answer)[0]
    holds, evidence = _prometheus.judge_alertmanagers(["https://10.0.0.2:9093"], answer)
    assert not holds
    assert evidence.startswith("not in use: https://10.0.0.2:9093; in use: https://10.0.0.1:9093")


@pytest.mark.parametrize(
    ("expect", "result", "holds"), [("some", 1, True), ("some", 0, False), ("none", 1, False), ("none", 0, True)]
)
def test_expression_gives_some_series_or_none(expect, result, holds):
    sample = {"metric": {"__name__": "up", "job": "node"}, "value": [0, "1"]}
    answer = {"data": {"resultType": "vector", "result": [sample] * result}}
    found, evidence = _prometheus.judge_expression(expect, answer)
    assert found is holds
    assert evidence == ("1 series: up{job=node} = 1" if result else "0 series")


def test_expression_must_give_a_vector():
    answer = {"data": {"resultType": "scalar", "result": [0, "1"]}}
    assert _prometheus.judge_expression("some", answer) == (False, "the expression gives a scalar; expected a vector")


def test_listed_says_how_many_more_there_are():
    assert _prometheus.listed(str(number) for number in range(7)) == "0, 1, 2, 3, 4 and 2 more"
