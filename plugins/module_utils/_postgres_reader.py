# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a server's replication state into one plain dictionary. Private to this collection."""

from __future__ import annotations

IN_RECOVERY = "SELECT pg_is_in_recovery() AS in_recovery"
REPLICAS = """
SELECT application_name AS name, state, sync_state, extract(epoch FROM replay_lag)::float8 AS lag_seconds
FROM pg_stat_replication ORDER BY application_name
"""
# A replica that replayed all it received is not behind, however old the last transaction is. What it received starts
# anew at the beginning of a segment when the server does, and stays there, behind what is replayed, until the primary
# sends more.
REPLICA = """
SELECT (SELECT status FROM pg_stat_wal_receiver) AS receiver,
  CASE WHEN pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() THEN 0
       ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END::float8 AS lag_seconds
"""
SLOTS = """
SELECT slot_name AS name, active, wal_status, pg_wal_lsn_diff(
  CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
  restart_lsn)::int8 AS retained_bytes
FROM pg_replication_slots ORDER BY slot_name
"""


def read_server(client):
    """in_recovery, receiver, lag_seconds, replicas and slots of the server behind a PostgresClient."""
    server = {
        "in_recovery": client.rows(IN_RECOVERY)[0]["in_recovery"],
        "receiver": "",
        "lag_seconds": None,
        "replicas": [],
    }
    if server["in_recovery"]:
        server.update(client.rows(REPLICA)[0])
    else:
        server["replicas"] = client.rows(REPLICAS)
    server["slots"] = client.rows(SLOTS)
    return server
