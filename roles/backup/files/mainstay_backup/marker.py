# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows and checksums of every table of the live cluster at one exact place in its WAL.

A snapshot shows what has committed, the WAL says in which order, and the two differ for transactions that are just
ending. So the marker is read where they are known to agree: on a replica whose replay stands still for a moment, which
shows exactly what the WAL says up to there; without a replica on the primary in a moment in which nobody writes.
"""

from __future__ import annotations

import contextlib
import time

from .common import Problem
from .database import READING, Session, cluster_conninfo, identifier, members

HOLD = 3  # seconds for which a replica stands still at most; the server itself lets go
QUIET = 60  # seconds to wait for a moment without writers
TRIES = 3
CHUNKS = 256  # parts of a table whose sums are kept, to say where a difference lies

TABLES = """
select n.nspname as schema, c.relname as name, pg_relation_size(c.oid) / current_setting('block_size')::int as blocks
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm') and c.relpersistence = 'p' and (c.relkind = 'r' or c.relispopulated)
and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
order by 1, 2
"""
DATABASES = "select datname as name from pg_database where datallowconn and not datistemplate order by 1"
# The server resumes by itself at the end of the block, also when whoever asked is gone.
PAUSE = f"""
do $$ begin
  perform pg_wal_replay_pause();
  perform pg_sleep({HOLD});
  perform pg_wal_replay_resume();
exception when query_canceled or others then
  perform pg_wal_replay_resume();
  raise;
end $$
"""


def chunk_query(schema, name, blocks):
    """Rows and sum of hashes per range of blocks. The sum does not depend on the order of rows."""
    return (
        f"select split_part(ltrim(mainstay_row.ctid::text, '('), ',', 1)::bigint / {blocks} as chunk, "
        "count(*) as rows, "
        f"sum(hashtextextended(mainstay_row::text, 0)) as checksum "
        f"from only {identifier(schema)}.{identifier(name)} as mainstay_row group by 1"
    )


def table_figures(session, schema, name, blocks):
    chunks = {row["chunk"]: [row["rows"], row["checksum"]] for row in session.rows(chunk_query(schema, name, blocks))}
    return {
        "rows": sum(rows for rows, _sum in chunks.values()),
        "checksum": sum(checksum for _rows, checksum in chunks.values()),
        "chunk_blocks": blocks,
        "chunks": {str(number): chunks[number] for number in sorted(chunks)},
    }


def database_figures(session):
    """The figures of every table that a session sees."""
    return {
        f"{table['schema']}.{table['name']}": {
            "schema": table["schema"],
            "name": table["name"],
            **table_figures(session, table["schema"], table["name"], max(1, -(-table["blocks"] // CHUNKS))),
        }
        for table in session.rows(TABLES)
    }


def open_sessions(stack, settings, host):
    """One session per database of a member, set to read the same text everywhere."""
    role = settings.postgres.dump_role
    with Session(cluster_conninfo(settings, role, host=host)) as first:
        names = [row["name"] for row in first.rows(DATABASES)]
    sessions = {}
    for name in names:
        sessions[name] = stack.enter_context(Session(cluster_conninfo(settings, role, name, host)))
        sessions[name].ask(READING)
    return sessions


def begin(session):
    """Fix the session's snapshot; it stays until the session ends."""
    session.ask("begin transaction isolation level repeatable read read only")
    return session.value("select pg_current_snapshot()")


def replica_place(settings, host, sessions):
    """Fix all snapshots while replay stands still; gives the place in the WAL."""
    with Session(cluster_conninfo(settings, settings.postgres.dump_role, host=host)) as holder:
        holder.start(PAUSE)
        first = next(iter(sessions.values()))
        deadline = time.monotonic() + HOLD
        while first.value("select pg_get_wal_replay_pause_state()") != "paused":
            if time.monotonic() > deadline:
                holder.finish()
                raise Problem(f"replica {host}: found its replay not paused after {HOLD} s; expected it; try again")
        for session in sessions.values():
            begin(session)
        # Asked in each session after its snapshot: whoever still sees the pause has seen it all the time.
        states = {
            session.value("select pg_get_wal_replay_pause_state() || ' ' || pg_last_wal_replay_lsn()")
            for session in sessions.values()
        }
        holder.finish()
    if len(states) != 1 or not next(iter(states)).startswith("paused "):
        raise Problem(
            f"replica {host}: found its replay going on ({', '.join(sorted(states))}); expected it paused; try again"
        )
    return next(iter(states)).split()[1]


def primary_place(settings, host, sessions):
    """Fix all snapshots in a moment in which no transaction writes; gives the place in the WAL."""
    writers = "select count(*) from pg_stat_activity where backend_xid is not null and pid <> pg_backend_pid()"
    deadline = time.monotonic() + QUIET
    with Session(cluster_conninfo(settings, settings.postgres.dump_role, host=host)) as watcher:
        while time.monotonic() < deadline:
            snapshots = {begin(session) for session in sessions.values()}
            where = watcher.value("select pg_current_wal_insert_lsn()")
            # Whoever had a number before the place was read is either still there or has moved the snapshot's end.
            still = watcher.value(writers) == "0"
            snapshots.add(watcher.value("select pg_current_snapshot()"))
            if still and len(snapshots) == 1 and next(iter(snapshots)).endswith(":"):
                return where
            for session in sessions.values():
                session.ask("rollback")
            time.sleep(0.02)
    raise Problem(f"primary {host}: found writers in every moment of {QUIET} s; expected one without; add a replica")


def read(settings, host, kind):
    with contextlib.ExitStack() as stack:
        sessions = open_sessions(stack, settings, host)
        place = {"replica": replica_place, "primary": primary_place}[kind](settings, host, sessions)
        taken = time.time()
        figures = {name: database_figures(session) for name, session in sessions.items()}
    return {"host": host, "kind": kind, "lsn": place, "time": taken, "databases": figures}


def take(settings):
    """The marker, from a replica when one answers."""
    there, problems = members(settings)
    if "primary" not in there.values():
        raise Problem(f"cluster: found no primary ({'; '.join(problems) or 'none answers'}); expected one; start it")
    hosts = sorted(there, key=lambda host: there[host] != "replica")
    for tries in range(TRIES):
        try:
            return read(settings, hosts[0], there[hosts[0]])
        except Problem:
            # Replay may cancel a reader; a new one reads at a later place.
            if tries == TRIES - 1:
                raise
    return None


# What the copy has to be.


def differing_blocks(wanted, found):
    """The ranges of blocks in which two tables differ, as text."""
    size = wanted["chunk_blocks"]
    numbers = sorted(
        int(key)
        for key in set(wanted["chunks"]) | set(found["chunks"])
        if wanted["chunks"].get(key) != found["chunks"].get(key)
    )
    ranges = [f"{number * size}-{number * size + size - 1}" if size > 1 else str(number) for number in numbers]
    return ", ".join(ranges[:10]) + (f" and {len(ranges) - 10} more" if len(ranges) > 10 else "")


def compare(wanted, found):
    """Problems of a copy: {database: {table: figures, or a text when it could not be read}} against the marker's."""
    problems = [f"database {name}: found none in the copy; expected it" for name in sorted(set(wanted) - set(found))]
    problems += [
        f"database {name}: found it in the copy only; expected none" for name in sorted(set(found) - set(wanted))
    ]
    for name in sorted(set(wanted) & set(found)):
        for table in sorted(set(wanted[name]) | set(found[name])):
            problems += [
                f"database {name}, table {table}: {text}"
                for text in differences(wanted[name].get(table), found[name].get(table))
            ]
    return problems


def differences(wanted, found):
    if wanted is None:
        return ["found it in the copy only; expected none"]
    if found is None:
        return ["found none in the copy; expected it"]
    if isinstance(found, str):
        return [f"found it not readable ({found}); expected {wanted['rows']} rows"]
    if (wanted["rows"], wanted["checksum"]) == (found["rows"], found["checksum"]):
        return []
    return [
        f"found {found['rows']} rows with checksum {found['checksum']}; expected {wanted['rows']} rows with checksum "
        f"{wanted['checksum']}; they differ in blocks {differing_blocks(wanted, found)}"
    ]
