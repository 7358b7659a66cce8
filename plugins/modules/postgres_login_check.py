# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_login_check
short_description: Try logins at servers or poolers, and say which are accepted or refused against what was expected
version_added: 0.1.0
description:
  - Logs in at every host with every password. A login that is accepted answers one query too, for a pooler reaches its
    server only then.
  - A login counts as refused only when the server says that the password or the user is wrong. Whatever else goes wrong
    is a problem.
author:
  - The mainstay.platform authors (@mainstay)
options:
  hosts:
    description: Addresses of the servers or poolers. Their certificates must carry them.
    type: list
    elements: str
    required: true
  port:
    description: TCP port.
    type: int
    required: true
  accepted:
    description: Logins that must be let in.
    type: list
    elements: dict
    default: []
    suboptions: &login
      user:
        description: Name of the login.
        type: str
        required: true
      password:
        description: Password to try.
        type: str
        required: true
      database:
        description: Database to connect to.
        type: str
        default: postgres
      replication:
        description: Whether to come as a replica does, which asks no query.
        type: bool
        default: false
  refused:
    description: Logins that must not be let in.
    type: list
    elements: dict
    default: []
    suboptions: *login
  ca_path:
    description: File with the certificates of the authorities that the servers are verified against.
    type: path
    required: true
  timeout:
    description: Seconds that each login may take.
    type: float
    default: 5
requirements:
  - python3-psycopg2 on the host
extends_documentation_fragment:
  - mainstay.platform._reader
"""

EXAMPLES = r"""
- name: Assert that the new password is accepted and the former one refused
  mainstay.platform.postgres_login_check:
    hosts: [192.0.2.11]
    port: 5432
    ca_path: /etc/mainstay/tls/ca.crt
    accepted:
      - {user: ledger_2, password: "{{ new_password }}", database: ledger}
    refused:
      - {user: ledger, password: "{{ former_password }}", database: ledger}
  no_log: true
"""

RETURN = r"""
evidence:
  description: What was found, in one line.
  returned: always
  type: str
  sample: 2 logins accepted, 1 refused
problems:
  description: What differs from what was expected, by login and host.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._postgres_client import (
    MISSING,
    connection_options,
    psycopg2,
)

LOGIN = {
    "user": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "database": {"type": "str", "default": "postgres"},
    "replication": {"type": "bool", "default": False},
}
# What PostgreSQL and the releases of PgBouncer say to a wrong password, or to a user who may not log in.
REFUSALS = ("authentication failed", "no such user", "is not permitted to log in")


def attempt(login, host, params):
    """None when the login is let in, or what the server says."""
    options = connection_options({**params, **login, "host": host, "tls": True})
    try:
        connection = psycopg2.connect(**options, **({"replication": "true"} if login["replication"] else {}))
    except psycopg2.Error as error:
        return " ".join(str(error).split())
    try:
        if not login["replication"]:
            with connection.cursor() as cursor:
                cursor.execute("select 1")
        return None
    except psycopg2.Error as error:
        return " ".join(str(error).split())
    finally:
        connection.close()


def is_refusal(answer):
    return answer is not None and any(text in answer for text in REFUSALS)


def check(params, try_one=attempt):
    """What differs from what is expected; user and host are named, never a password."""
    problems = []
    for host in params["hosts"]:
        for login in params["accepted"]:
            answer = try_one(login, host, params)
            if answer is not None:
                problems.append(f"{login['user']} at {host}: found {answer}; expected it to be let in")
        for login in params["refused"]:
            answer = try_one(login, host, params)
            if not is_refusal(answer):
                found = "it let in" if answer is None else answer
                problems.append(f"{login['user']} at {host}: found {found}; expected the former password to be refused")
    return problems


def main():
    module = AnsibleModule(
        argument_spec={
            "hosts": {"type": "list", "elements": "str", "required": True},
            "port": {"type": "int", "required": True},
            "accepted": {"type": "list", "elements": "dict", "options": LOGIN, "default": []},
            "refused": {"type": "list", "elements": "dict", "options": LOGIN, "default": []},
            "ca_path": {"type": "path", "required": True},
            "timeout": {"type": "float", "default": 5},
        },
        supports_check_mode=True,
    )
    if psycopg2 is None:
        module.fail_json(msg=MISSING)
    problems = check(module.params)
    counts = f"{len(module.params['accepted'])} logins accepted, {len(module.params['refused'])} refused"
    evidence = "; ".join(problems) or f"{counts}, at {', '.join(module.params['hosts'])}"
    if problems:
        module.fail_json(msg=evidence, evidence=evidence, problems=problems)
    module.exit_json(changed=False, evidence=evidence, problems=[])


if __name__ == "__main__":
    main()
