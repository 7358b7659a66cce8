# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What playbooks/restore.yml asks the backup host before it stops anything."""

from __future__ import annotations

import json
import shlex
import time
from types import SimpleNamespace

from . import database, repository
from .common import Problem, said
from .targets import choose, numbered


def transaction_status(session):
    """A function that says what became of a transaction."""

    def status(xid):
        try:
            return session.value(f"select pg_xact_status('{xid}')") or None
        except Problem:
            return "in the future"

    return status


def live_timeline(session, stanza):
    """The timeline of the live cluster; None without one, or when it is not the one that is in the repository."""
    if session is None:
        return None
    asked = "select system_identifier || ' ' || pg_walfile_name(pg_current_wal_lsn()) from pg_control_system()"
    identifier, segment = session.value(asked).split()
    present = [str(item["system-id"]) for item in stanza.get("db", [])[-1:]]
    return int(segment[:8], 16) if identifier in present else None


def known(settings, session, timeline=None):
    """Everything that a choice depends on; the live cluster knows only its own timeline."""
    stanza = repository.info(settings)
    backups = repository.backups(stanza)
    entries = repository.archive_entries(settings, stanza)
    histories = repository.histories(entries)
    newest = max(*histories, *(item["timeline"] for item in backups if not item["former"]), 1)
    own = live_timeline(session, stanza)
    live = own is not None and timeline in (None, own)

    def archived_until(number):
        return repository.archived_until(settings, stanza, entries, number)

    return SimpleNamespace(
        stanza=stanza,
        backups=backups,
        points=repository.points(settings, session),
        archived_until=archived_until,
        wal_until=archived_until(timeline),
        live=live,
        xid_status=transaction_status(session) if live else None,
        histories=histories,
        history=lambda number: repository.history(settings, stanza, number),
        newest=newest,
        # After the way back from a restore the newest is not the cluster's, and PostgreSQL would follow it.
        timeline=own if own is not None and own < newest else None,
    )


def command(settings, made, timeline=None):
    """What the operator types at the controller. Without a live cluster the playbook asks whether data may go."""
    given = {"restore_cluster": settings.stanza, "restore_to": made["target"], "restore_backup_host": settings.name}
    given |= {"restore_timeline": timeline} if timeline else {}
    given |= {"restore_replace": True} if made["live"] else {}
    given |= {"restore_offsite": True} if repository.is_offsite(settings) else {}
    return f"ansible-playbook -i INVENTORY mainstay.platform.restore -e {shlex.quote(json.dumps(given))}"


def plan(settings, target, timeline=None):
    """The plan of a restore, or a Problem; nothing is changed."""
    try:
        session = database.primary(settings)
    except Problem:
        session = None
    try:
        number = numbered(timeline)
        made = choose(target, known(settings, session, number), time.time(), number)
    finally:
        if session:
            session.close()
    made["live"] = session is not None
    made["repository"] = settings.repository_key
    made["needed_bytes"] = made["backup"]["database_bytes"]
    made["summary"] = (
        f"{made['description']}, on timeline {made['timeline']}, "
        f"from backup {made['backup']['label']} of {said(made['backup']['stop'])}, "
        f"{made['needed_bytes'] // 2**20} MiB"
    )
    return made
