"""What a standby calls for WAL: the repository is asked for what the primary has no more, and for nothing else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / "roles/postgresql/files/mainstay-pgbackrest-get"
# Instead of the repository: it says what it was asked and ends as it is told.
PGBACKREST = '#!/bin/sh\necho "$@"\nexit "$VERDICT"\n'
SEGMENT, OTHER = "000000030000000000000029", "00000003000000000000002A"
GONE = (
    'FATAL,08P01,"could not receive data from WAL stream: ERROR:  requested WAL segment {} has already been removed"\n'
)


@pytest.fixture
def call(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pgbackrest").write_text(PGBACKREST)
    (tmp_path / "bin" / "pgbackrest").chmod(0o755)

    def run(log: str | None, verdict: int = 0):
        if log is not None:
            (tmp_path / "log").mkdir()
            (tmp_path / "log" / "new.log").write_text("HINT: Future log output will go to log destination csvlog\n")
            (tmp_path / "log" / "new.csv").write_text(log)
            (tmp_path / "current_logfiles").write_text("stderr log/new.log\ncsvlog log/new.csv\n")
        env = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "VERDICT": str(verdict)}
        command = ["sh", str(PROGRAM), "ledger", SEGMENT, "pg_wal/RECOVERYXLOG"]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=10)

    return run


@pytest.mark.parametrize("verdict", [0, 1, 103])
def test_what_the_primary_has_no_more_comes_from_the_repository(call, verdict):
    done = call(f"{GONE.format(SEGMENT)}LOG,waiting for WAL\n", verdict)
    assert done.returncode == verdict
    assert (
        done.stdout
        == f"--stanza=ledger --io-timeout=5 --log-level-file=warn archive-get {SEGMENT} pg_wal/RECOVERYXLOG\n"
    )


@pytest.mark.parametrize(
    "log",
    [None, "", GONE.format(OTHER), GONE.format(SEGMENT) + "LOG,something else since\n" * 5000],
    ids=["no log", "nothing said", "of another segment", "long ago"],
)
def test_otherwise_nobody_is_asked(call, log):
    done = call(log)
    assert (done.returncode, done.stdout) == (1, "")
