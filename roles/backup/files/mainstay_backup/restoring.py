# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What playbooks/restore.yml asks the backup host before it stops anything."""

from __future__ import annotations

import json
import shlex
import time
from types import SimpleNamespace

from . import database, repository
from .common import Problem, said
from .targets import choose


def transaction_status(session):
    """A function that says what became of a transaction."""

    def status(xid):
        try:
            return session.value(f"select pg_xact_status('{xid}')") or None
        except Problem:
            return "in the future"

    return status


def known(settings, session):
    """Everything that a choice depends on."""
    stanza = repository.info(settings)
    return SimpleNamespace(
        backups=repository.backups(stanza),
        points=repository.points(settings, session),
        wal_until=repository.archived_until(settings, stanza),
        live=session is not None,
        xid_status=transaction_status(session) if session else None,
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
        found = known(settings, session)
        if timeline:
            found.xid_status = None  # the live cluster knows only its own line
        made = choose(target, found, time.time(), timeline)
    finally:
        if session:
            session.close()
    made["live"] = found.live
    made["repository"] = settings.repository_key
    made["needed_bytes"] = made["backup"]["database_bytes"]
    made["summary"] = (
        f"{made['description']}, from backup {made['backup']['label']} of {said(made['backup']['stop'])}, "
        f"{made['needed_bytes'] // 2**20} MiB"
    )
    return made
