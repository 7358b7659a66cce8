"""A client of the database: writes or reads through the edge at a steady pace and says, line by line, what it got.

Runs where the application runs, in a container of it, with its driver, its secret and its network:
    python3 -c "$(cat client.py)" write RATE   writes until its input ends; per attempt: TIME ok|failed ID [REASON]
    python3 -c "$(cat client.py)" read RATE    the same with queries, through the read-only entry
    python3 -c "$(cat client.py)" lost < IDS   prints those of the ids that the database does not have
    python3 -c "$(cat client.py)" drop         removes the table
A session of write and read lives for SESSION_SECONDS, as those of a pool do. A statement that failed is never sent
again: it counts.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
import uuid
from pathlib import Path

import psycopg

SESSIONS = 4
SESSION_SECONDS = 30
PAUSE = 0.05  # seconds until a session that failed is opened again
TABLE = "create table if not exists drill_entries (id uuid primary key, at timestamptz not null default now())"
INSERT = "insert into drill_entries (id) values (%s)"
LOOK = "select %s"
READ_ONLY = {"port": 5001}
# As docs/postgresql.md asks of clients: one that waits for an answer sends nothing, and never sees its peer is gone.
GIVES_UP = {"tcp_user_timeout": 8000, "keepalives_idle": 10, "keepalives_interval": 3, "keepalives_count": 3}
OPTIONS = {"connect_timeout": 3, "prepare_threshold": None, "autocommit": True, **GIVES_UP}


def url() -> str:
    return Path(os.environ["DATABASE_URL_FILE"]).read_text().strip()


def connect(**entry: int) -> psycopg.Connection:
    return psycopg.connect(url(), **OPTIONS, **entry)


def say(*words: object) -> None:
    os.write(1, f"{' '.join(map(str, words))}\n".encode())  # in one piece: sessions speak at the same time


def session(rate: float, stopped: threading.Event, statement: str, entry: dict) -> None:
    """One session after the other, each with its share of the pace; late statements follow at once, none is skipped."""
    connection, opened, due = None, 0.0, time.monotonic()
    while not stopped.is_set():
        due = max(due + 1 / rate, time.monotonic() - 1)
        time.sleep(max(0.0, due - time.monotonic()))
        key = str(uuid.uuid4())
        try:
            if connection is None or time.monotonic() - opened > SESSION_SECONDS:
                if connection is not None:
                    connection.close()
                connection, opened = connect(**entry), time.monotonic()
            connection.execute(statement, (key,))
            say(f"{time.time():.4f}", "ok", key)
        except psycopg.Error as error:
            say(f"{time.time():.4f}", "failed", key, " ".join(str(error).split())[:160])
            if connection is not None:
                connection.close()
            connection = None
            time.sleep(PAUSE)


def write(rate: float) -> None:
    with connect() as connection:
        connection.execute(TABLE)
    keep_on(rate, INSERT, {})


def read(rate: float) -> None:
    keep_on(rate, LOOK, READ_ONLY)


def keep_on(rate: float, statement: str, entry: dict) -> None:
    stopped = threading.Event()
    share = (rate / SESSIONS, stopped, statement, entry)
    threads = [threading.Thread(target=session, args=share) for _ in range(SESSIONS)]
    for thread in threads:
        thread.start()
    while select.select([sys.stdin], [], [], 1)[0] == [] or sys.stdin.readline():
        pass
    stopped.set()
    for thread in threads:
        thread.join()


def lost() -> None:
    wanted = sys.stdin.read().split()
    with connect() as connection:
        found = {
            str(row[0]) for row in connection.execute("select id from drill_entries where id = any(%s)", (wanted,))
        }
    for key in wanted:
        if key not in found:
            say(key)


def drop() -> None:
    with connect() as connection:
        connection.execute("drop table if exists drill_entries")


if __name__ == "__main__":
    job, *rest = sys.argv[1:]
    jobs = {"write": write, "read": read, "lost": lost, "drop": drop}
    jobs[job](*map(float, rest))
