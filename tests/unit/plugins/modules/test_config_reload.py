# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import json
import os
from urllib.error import HTTPError

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.mainstay.platform.plugins.modules import config_reload

METRIC = "alertmanager_config_last_reload_success_timestamp_seconds"
PAGE = f"# HELP {METRIC} Timestamp.\n# TYPE {METRIC} gauge\n{METRIC} 1.7e+09\n{METRIC}_other 5\n"


@pytest.fixture
def reload(monkeypatch, capsys, tmp_path):
    """Run the module for a file of an age against a server; gives the result and what was asked of the server."""

    def run(written, answers=None, check_mode=False):
        file = tmp_path / "alertmanager.yml"
        file.write_text("route:\n")
        os.utime(file, (written, written))
        asked = []

        def open_url(url, method, **_options):
            asked.append(f"{method} {url}")
            answer = (answers or {}).get(method, PAGE if method == "GET" else "")
            if isinstance(answer, Exception):
                raise answer
            return io.BytesIO(answer.encode())

        monkeypatch.setattr(config_reload, "open_url", open_url)
        arguments = {"url": "https://ops1:9093", "metric": METRIC, "files": [str(file), "/nowhere"], "deadline": 0}
        with patch_module_args({**arguments, "_ansible_check_mode": check_mode}), pytest.raises(SystemExit):
            config_reload.main()
        return json.loads(capsys.readouterr().out), asked

    return run


def test_a_configuration_that_was_read_is_left_alone(reload):
    result, asked = reload(1.6e9)
    assert (result["changed"], result["read_at"]) == (False, 1.7e9)
    assert asked == ["GET https://ops1:9093/metrics"]


def test_a_younger_file_is_read_again(reload):
    result, asked = reload(1.8e9)
    assert result["changed"]
    assert asked == ["GET https://ops1:9093/metrics", "POST https://ops1:9093/-/reload"]


def test_check_mode_only_says_so(reload):
    result, asked = reload(1.8e9, check_mode=True)
    assert result["changed"]
    assert asked == ["GET https://ops1:9093/metrics"]


def test_check_mode_expects_no_server(reload):
    result, _asked = reload(1.8e9, {"GET": OSError("refused")}, check_mode=True)
    assert result["changed"]
    assert not result.get("failed")


def test_a_server_that_never_read_anything_is_asked(reload):
    result, _asked = reload(1.0, {"GET": ""})
    assert result["changed"]


def test_a_server_that_does_not_answer_is_named(reload):
    result, _asked = reload(1.8e9, {"GET": OSError("Connection refused")})
    assert result["failed"]
    assert result["msg"].startswith("https://ops1:9093/metrics: found Connection refused; expected")


def test_the_server_says_why_it_refuses(reload):
    refusal = HTTPError(
        "https://ops1:9093/-/reload", 500, "Internal Server Error", {}, io.BytesIO(b"unknown field rout\n")
    )
    result, _asked = reload(1.8e9, {"POST": refusal})
    assert result["failed"]
    assert "(unknown field rout)" in result["msg"]


def test_a_server_that_starts_is_waited_for(monkeypatch):
    answers = iter([OSError("refused"), OSError("refused"), PAGE])
    now = [0.0]

    def fetch(_params, _path):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(config_reload, "fetch", fetch)
    found = config_reload.read_at(
        {"metric": METRIC, "deadline": 5}, lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds)
    )
    assert (found, now[0]) == (1.7e9, 2.0)
