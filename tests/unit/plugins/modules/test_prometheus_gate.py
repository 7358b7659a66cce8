# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import json

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.mainstay.platform.plugins.modules import prometheus_gate

URL = "https://10.0.31.11:9090"


@pytest.fixture
def answered(monkeypatch, capsys):
    """Run the module with arguments against a server that gives one answer; gives its result and the URL it asked."""

    def run(arguments, answer):
        asked = []

        def open_url(url, **_options):
            asked.append(url)
            if isinstance(answer, Exception):
                raise answer
            return io.BytesIO(json.dumps(answer).encode() if isinstance(answer, dict) else answer)

        monkeypatch.setattr(prometheus_gate, "open_url", open_url)
        with patch_module_args({"url": URL, **arguments}), pytest.raises(SystemExit):
            prometheus_gate.main()
        return json.loads(capsys.readouterr().out), asked

    return run


def test_expression_is_sent_encoded(answered):
    sample = {"metric": {"__name__": "up"}, "value": [0, "1"]}
    result, asked = answered(
        {"expression": 'up{job="node"} == 1'}, {"data": {"resultType": "vector", "result": [sample]}}
    )
    assert not result.get("failed")
    assert result["evidence"] == "1 series: up{} = 1"
    assert asked == [f"{URL}/api/v1/query?query=up%7Bjob%3D%22node%22%7D%20%3D%3D%201"]


@pytest.mark.parametrize(
    ("arguments", "path", "data"),
    [
        (
            {"scrape_configs": [{"job_name": "a", "static_configs": [{"targets": ["b"]}]}]},
            "targets?state=active",
            {"activeTargets": []},
        ),
        ({"rules": True}, "rules", {"groups": []}),
        ({"alertmanagers": ["https://a:9093"]}, "alertmanagers", {"activeAlertmanagers": []}),
        ({"quiet": ["critical"]}, "alerts", {"alerts": [{"state": "firing", "labels": {"severity": "critical"}}]}),
    ],
)
def test_each_question_has_its_page_and_can_be_red(answered, arguments, path, data):
    result, asked = answered(arguments, {"data": data})
    assert result["failed"]
    assert result["msg"] == result["evidence"]
    assert asked == [f"{URL}/api/v1/{path}"]


@pytest.mark.parametrize("answer", [OSError("connection refused"), b"no json", {"data": {}}])
def test_an_answer_that_cannot_be_used_is_red(answered, answer):
    result, _asked = answered({"rules": True}, answer)
    assert result["failed"]
    assert result["msg"].startswith(f"{URL} gave no usable answer: ")


@pytest.mark.parametrize("arguments", [{}, {"rules": True, "quiet": ["critical"]}, {"rules": False}])
def test_exactly_one_question_is_put(answered, arguments):
    result, asked = answered(arguments, {})
    assert result["failed"]
    assert not asked
