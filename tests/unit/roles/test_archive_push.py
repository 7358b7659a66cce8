"""What PostgreSQL calls to archive WAL: pgBackRest's verdict, but for what a former timeline has left."""

from __future__ import annotations

import pytest

DUPLICATE = 45


@pytest.fixture
def call(tmp_path, called_by_postgresql):
    (tmp_path / "pg_wal").mkdir()

    def run(segment: str, verdict: int, *histories: str):
        for name in histories:
            (tmp_path / "pg_wal" / f"{name}.history").touch()
        return called_by_postgresql("mainstay-pgbackrest-push", verdict, "ledger", f"pg_wal/{segment}")

    return run


SEGMENT = "0000000A000000000000002F"


@pytest.mark.parametrize("verdict", [0, 1, 82, DUPLICATE])
def test_the_verdict_is_that_of_the_repository(call, verdict):
    done = call(SEGMENT, verdict, "00000009", "0000000A")
    assert done.returncode == verdict
    assert done.stdout == f"--stanza=ledger --io-timeout=5 archive-push pg_wal/{SEGMENT}\n"


def test_what_a_former_timeline_left_does_not_stop_the_archive(call):
    done = call(SEGMENT, DUPLICATE, "00000009", "0000000A", "00000010")
    assert done.returncode == 0
    assert "of a former timeline" in done.stderr


@pytest.mark.parametrize("verdict", [1, 82])
def test_of_a_former_timeline_too_what_the_repository_could_not_take_is_not_archived(call, verdict):
    assert call(SEGMENT, verdict, "0000000A", "00000010").returncode == verdict


def test_on_the_first_timeline_a_duplicate_is_one(call):
    assert call("000000010000000000000003", DUPLICATE).returncode == DUPLICATE
