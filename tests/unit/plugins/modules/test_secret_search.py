# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Real processes and files; a value is found where it is, by its name."""

from __future__ import annotations

import os
import subprocess
from types import SimpleNamespace

import pytest
from ansible_collections.mainstay.platform.plugins.modules.secret_search import Search

SECRETS = {"redis_app": "kK3vTq81LmZx0aBcD", "patroni_rest": "Zz9-nothing-holds-this", "short": "log"}


def run_command(command, data=None, encoding="utf-8"):
    given = None if data is None else (data + "\n").encode()
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def search(tmp_path):
    (tmp_path / "log").mkdir()
    (tmp_path / "etc").mkdir()

    def run(**given):
        params = {"secrets": SECRETS, "logs": [f"{tmp_path}/log"], "readable": [f"{tmp_path}/etc", "/nonexistent"]}
        return Search(SimpleNamespace(params={**params, "largest_mb": 1, **given}, run_command=run_command)).run()

    run.path = tmp_path
    return run


def put(path, text, mode):
    path.write_text(text)
    path.chmod(mode)


def test_nothing_is_found_where_nothing_is(search):
    put(search.path / "log" / "a.log", "a log of nothing\n", 0o600)
    assert search() == {"found": [], "skipped": 0}


def test_logs_count_whoever_may_read_them_and_files_when_all_may(search):
    put(search.path / "log" / "a.log", f"x {SECRETS['redis_app']} y\n", 0o600)
    put(search.path / "etc" / "open", f"{SECRETS['redis_app']}{SECRETS['patroni_rest']}", 0o644)
    put(search.path / "etc" / "closed", SECRETS["redis_app"], 0o640)
    assert search()["found"] == [
        f"redis_app in {search.path}/log/a.log",
        f"redis_app in {search.path}/etc/open, which everybody may read",
        f"patroni_rest in {search.path}/etc/open, which everybody may read",
    ]


def test_a_command_line_is_seen(search):
    line = ["python3", "-c", "import time; time.sleep(60)", SECRETS["redis_app"]]
    with subprocess.Popen(line) as process:
        try:
            assert search()["found"] == [f"redis_app in the command line of python3 ({process.pid})"]
        finally:
            process.kill()


def test_large_files_are_counted_and_not_read(search):
    with (search.path / "log" / "large").open("wb") as stream:
        stream.truncate(2**20)
        os.pwrite(stream.fileno(), SECRETS["redis_app"].encode(), 2**20)
    assert search() == {"found": [], "skipped": 1}
