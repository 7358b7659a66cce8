"""What a standby calls for WAL: the repository is asked for what the primary has no more, and for nothing else."""

from __future__ import annotations

import pytest

SEGMENT, OTHER = "000000030000000000000029", "00000003000000000000002A"
GONE = (
    'FATAL,08P01,"could not receive data from WAL stream: ERROR:  requested WAL segment {} has already been removed"\n'
)


@pytest.fixture
def call(tmp_path, called_by_postgresql):
    def run(log: str | None, verdict: int = 0):
        if log is not None:
            (tmp_path / "log").mkdir()
            (tmp_path / "log" / "new.log").write_text("HINT: Future log output will go to log destination csvlog\n")
            (tmp_path / "log" / "new.csv").write_text(log)
            (tmp_path / "current_logfiles").write_text("stderr log/new.log\ncsvlog log/new.csv\n")
        return called_by_postgresql("mainstay-pgbackrest-get", verdict, "ledger", SEGMENT, "pg_wal/RECOVERYXLOG")

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
