"""Limits at work on the lab that stands: of a replica's lag, of a role's time, of a role's connections."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.lab import ROOT, Lab, cluster, primary, replica, sql, until

sys.path.append(str(ROOT / "tests" / "drills"))
import observer  # noqa: E402

DATABASE = "apg_cash"
READER = "apg_cash_read"
SLEEP = 8  # seconds of a statement that keeps a connection
BEYOND = 5  # clients more than connections

# As the application comes, by the entry for writers. Prints what the limit promises, after how long it came, its words.
ENDED = """
import json, os, pathlib, select, sys, time
import psycopg
url, limit = pathlib.Path(os.environ["DATABASE_URL_FILE"]).read_text().strip(), sys.argv[1]
with psycopg.connect(url, prepare_threshold=None, autocommit=True) as session:
    ask = "select extract(epoch from current_setting(%s)::interval)::float"
    promised = session.execute(ask, (limit,)).fetchone()[0]
    began, reason = time.monotonic(), ""
    try:
        if limit == "statement_timeout":
            session.execute("select pg_sleep(%s)", (promised + 60,))
        else:
            session.execute("begin")
            session.execute("select 1")
            select.select([session], [], [], promised + 60)
            session.execute("select 1")
    except psycopg.Error as error:
        reason = str(error)
    print(json.dumps([promised, time.monotonic() - began, reason]))
"""
# The sessions are open before they ask, all at once. Prints the seconds that each waited, or what it was told.
CROWD = """
import json, os, pathlib, sys, threading, time
import psycopg
url = pathlib.Path(os.environ["DATABASE_URL_FILE"]).read_text().strip()
login, password, clients, seconds = json.loads(sys.stdin.readline())
together, found = threading.Barrier(clients), []
def one():
    with psycopg.connect(url, user=login, password=password, prepare_threshold=None, autocommit=True) as session:
        together.wait(60)
        began = time.monotonic()
        try:
            session.execute("select pg_sleep(%s)", (seconds,))
            found.append(time.monotonic() - began)
        except psycopg.Error as error:
            found.append(str(error))
threads = [threading.Thread(target=one) for _ in range(clients)]
for each in threads: each.start()
for each in threads: each.join()
print(json.dumps(found))
"""


def states(lab: Lab, server: str) -> set[str]:
    """What every edge says of a server of the entry for readers."""
    ask = f"echo 'show stat' | socat - /run/haproxy/admin.sock | grep '^postgresql_replicas,{server},' | cut -d , -f 18"
    return {lab.shell(host, ask).split()[0] for host in lab.hosts if host.startswith("edge")}


@pytest.fixture
def lagging(lab: Lab) -> Iterator[str]:
    """A replica that will be made to lag; afterwards it has caught up, whatever happened."""
    if len(cluster(lab)) < 3:
        pytest.skip("two replicas are needed")
    host = replica(lab)
    yield host
    lab.shell(host, "pkill -CONT -f '^postgres: .* startup '")
    until(f"{host} serves readers again", lambda: states(lab, host) == {"UP"}, 60)


def test_a_replica_that_lags_leaves_the_readers_to_the_other(lab: Lab, lagging: str):
    (other,) = {member["Member"] for member in cluster(lab)} - {lagging, primary(lab)}
    limit = int(re.search(r"lag=(\d+)", lab.shell("edge1", "cat /etc/haproxy/haproxy.cfg"))[1])
    until("both replicas serve readers", lambda: states(lab, lagging) == states(lab, other) == {"UP"}, 30)
    with observer.Client(lab, "read") as client:
        # Not by pg_wal_replay_pause(): Patroni resumes what it did not pause.
        lab.shell(lagging, "pkill -STOP -f '^postgres: .* startup '")
        # A message in the WAL is for nobody, and is no row.
        written = limit // 2**20 + 16
        message = f"pg_logical_emit_message(false, 'lag', repeat('x', {2**20}))"
        sql(lab, f"select count({message}) from generate_series(1, {written})")
        until(f"{lagging} is taken from the readers", lambda: states(lab, lagging) == {"DOWN"}, 30)
        assert states(lab, other) == {"UP"}
        # The edge shuts the sessions there: each of them may lose one statement then, and none later.
        time.sleep(2)
        failed, answered = list(client.failed), len(client.keys)
        time.sleep(10)
        assert client.failed == failed
        assert len(client.keys) - answered > 5 * observer.RATE
        lab.shell(lagging, "pkill -CONT -f '^postgres: .* startup '")
        until(f"{lagging} serves readers again", lambda: states(lab, lagging) == {"UP"}, 60)
        time.sleep(5)
    assert client.failed == failed, "readers lost statements when the replica came back"
    assert len(failed) <= 4, failed  # as many as the client has sessions
    print(f"longest gap of readers {client.gap:.2f} s, {len(failed)} failed statements when their sessions were shut")


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("statement_timeout", "canceling statement due to statement timeout"),
        ("idle_in_transaction_session_timeout", "terminating connection due to idle-in-transaction timeout"),
    ],
)
def test_what_lasts_longer_than_its_role_may_is_ended_through_the_pooler(lab: Lab, limit: str, words: str):
    command = [*lab.application(), "python3", "-c", ENDED, limit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    promised, lasted, reason = json.loads(done.stdout)
    assert promised > 0, f"{DATABASE} has no {limit}"
    assert words in reason, reason or f"nothing ended it in {lasted:.1f} s"
    assert promised - 0.5 <= lasted <= promised + 10


def test_a_client_beyond_the_connections_of_its_role_waits(lab: Lab):
    vault, host = lab.vault(), primary(lab)
    login = f"{READER}_2" if READER in vault.get("platform_second_logins", []) else READER
    most = int(sql(lab, f"select rolconnlimit from pg_roles where rolname = '{login}'"))
    assert most > 0, f"{login} has no limit"
    given = [login, vault["platform_secrets"][f"postgresql_role_{READER}"], most + BEYOND, SLEEP]
    began = int(time.time())
    words = [*lab.application(), "python3", "-c", CROWD]
    clients = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    clients.stdin.write(json.dumps(given) + "\n")
    clients.stdin.flush()
    ask = f"select count(*) from pg_stat_activity where usename = '{login}' and query like 'select pg_sleep%'"
    seen = []
    until("every connection of the role is in use", lambda: seen.append(int(sql(lab, ask, host))) or most in seen, 60)
    found = json.loads(clients.communicate(timeout=120)[0])
    assert max(seen) == most
    assert [answer for answer in found if isinstance(answer, str)] == [], "a client was refused"
    waited = sorted(seconds for seconds in found if seconds > 1.5 * SLEEP)
    assert len(found) == most + BEYOND and len(waited) == BEYOND, sorted(found)
    # Old releases know no limit of a role: there the pooler learns it from PostgreSQL, which refuses it a connection.
    refused = f"journalctl -u pgbouncer --since @{began} | grep -c 'too many connections for role' || true"
    times = int(lab.shell(host, refused))
    assert times == 0 or lab.env["RELEASE"] == "bookworm", f"the pooler asked PostgreSQL {times} times for more"
