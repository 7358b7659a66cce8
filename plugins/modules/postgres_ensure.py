# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_ensure
short_description: Run SQL where a question says that its effect is missing
version_added: 0.1.0
description:
  - Goes through a list of statements, in order, with one connection per database. Where the question of a statement
    is answered with true, nothing is done.
  - Otherwise its SQL runs in a transaction of its own, after which the question must be answered with true, or the
    transaction is rolled back and the module fails.
  - Before the first change of all, every reason for a refusal is asked.
author:
  - The mainstay.platform authors (@mainstay)
options:
  statements:
    description: What there must be.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What people call it.
        type: str
        required: true
      database:
        description: Database in which it is asked and run.
        type: str
        required: true
      unless:
        description: Query whose first value is true when nothing has to be done.
        type: str
        required: true
      sql:
        description: One or more SQL commands that run in a transaction. Commands of psql are not understood.
        type: str
        required: true
      role:
        description: Role that O(statements[].sql) runs as, and to which so belongs what it makes.
        type: str
      record:
        description: Further SQL of the same transaction that runs as the connecting user after O(statements[].sql).
        type: str
      refuse:
        description:
          - Query whose first value, when there is one, is the reason why nothing may be done at all.
          - A table in it that is not there yet is no reason.
        type: str
  host:
    description: Address of the server or directory of its socket.
    type: str
    required: true
  port:
    description: TCP port of the server.
    type: int
    default: 5432
  user:
    description: Database user.
    type: str
    default: postgres
  peer_user:
    description: System user to be while connecting, for peer authentication, when the module runs as root.
    type: str
    default: postgres
requirements:
  - python3-psycopg2 on the host
extends_documentation_fragment:
  - mainstay.platform._changer
"""

EXAMPLES = r"""
- name: Ensure that reports may read the ledger
  mainstay.platform.postgres_ensure:
    host: /var/run/postgresql
    statements:
      - name: reports read the ledger
        database: ledger
        unless: select has_schema_privilege('reports', 'public', 'usage')
        sql: grant usage on schema public to reports
"""

RETURN = r"""
done:
  description: Names of the statements that ran, or would run.
  returned: always
  type: list
  elements: str
  sample: [reports read the ledger]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._postgres_client import (
    MISSING,
    connection_options,
    effective_user,
    psycopg2,
)

STATEMENT = {
    "name": {"type": "str", "required": True},
    "database": {"type": "str", "required": True},
    "unless": {"type": "str", "required": True},
    "sql": {"type": "str", "required": True},
    "role": {"type": "str"},
    "record": {"type": "str"},
    "refuse": {"type": "str"},
}


class Refused(Exception):
    """A reason that people read."""


def first_value(cursor, query):
    cursor.execute(query)
    row = cursor.fetchone()
    return row[0] if row else None


def reason(connection, query):
    """The reason of a refusal, or None."""
    try:
        with connection.cursor() as cursor:
            return first_value(cursor, query)
    except psycopg2.errors.UndefinedTable:
        return None
    finally:
        connection.rollback()


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def run(cursor, item):
    """The SQL of one statement, inside of a transaction."""
    if item["role"]:
        cursor.execute(f"set role {quoted(item['role'])}")
    cursor.execute(item["sql"])
    if item["role"]:
        cursor.execute("reset role")
    if item["record"]:
        cursor.execute(item["record"])
    if first_value(cursor, item["unless"]) is not True:
        raise Refused(
            f"{item['name']} in database {item['database']}: found it still missing after its SQL ran; expected it; "
            "correct the SQL or the question. It was rolled back."
        )


def ensure(connection, item, check):
    """Whether a statement ran, or would run. What a dry run cannot ask yet would run."""
    try:
        with connection.cursor() as cursor:
            if first_value(cursor, item["unless"]) is True:
                return False
            if not check:
                run(cursor, item)
                connection.commit()
            return True
    except psycopg2.Error as error:
        if check:
            return True
        found = " ".join(str(error).split())
        raise Refused(
            f"{item['name']} in database {item['database']}: found {found}; expected it to run; correct its SQL. "
            "It was rolled back."
        ) from None
    finally:
        connection.rollback()


def connect(params, database):
    with effective_user(params["peer_user"]):
        return psycopg2.connect(**connection_options({**params, "database": database}))


def main():
    module = AnsibleModule(
        argument_spec={
            "statements": {"type": "list", "elements": "dict", "options": STATEMENT, "required": True},
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "default": 5432},
            "user": {"type": "str", "default": "postgres"},
            "peer_user": {"type": "str", "default": "postgres"},
        },
        supports_check_mode=True,
    )
    if psycopg2 is None:
        module.fail_json(msg=MISSING)
    statements, connections, done = module.params["statements"], {}, []
    try:
        for name in dict.fromkeys(item["database"] for item in statements):
            connections[name] = connect(module.params, name)
        reasons = [reason(connections[item["database"]], item["refuse"]) for item in statements if item["refuse"]]
        if any(reasons):
            raise Refused("; ".join(text for text in reasons if text) + ". Nothing was changed.")
        for item in statements:
            if ensure(connections[item["database"]], item, module.check_mode):
                done.append(item["name"])
    except Refused as error:
        module.fail_json(msg=str(error), done=done)
    except psycopg2.Error as error:
        found = " ".join(str(error).split())
        module.fail_json(msg=f"PostgreSQL at {module.params['host']}: found {found}; expected a connection to {name}")
    finally:
        for connection in connections.values():
            connection.close()
    module.exit_json(changed=bool(done), done=done)


if __name__ == "__main__":
    main()
