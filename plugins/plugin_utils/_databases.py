# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Databases and roles as statements for postgres_ensure, and as gates. Pure; private to this collection."""

from __future__ import annotations

import hashlib

SCHEMA = "mainstay"
READ = {"tables": ("SELECT",), "sequences": ("SELECT",)}
WRITE = {"tables": ("SELECT", "INSERT", "UPDATE", "DELETE"), "sequences": ("USAGE", "SELECT", "UPDATE")}
# How the catalogue names kinds of relations, and of default privileges.
KINDS = {"tables": ("r", "p", "v", "m", "f"), "sequences": ("S",)}
DEFAULT_KIND = {"tables": "r", "sequences": "S"}
CHECK = {"tables": "has_table_privilege", "sequences": "has_sequence_privilege"}
IDLE_TIMEOUT = "60s"
NO_TIMEOUT = "0"
REMEDY = "Compare the data with the scripts of the database; restore what was lost."

LOGIN_BODY = (
    "select rolname, rolpassword from pg_catalog.pg_authid where rolname = $1 and rolcanlogin"
    " and not rolsuper and not rolreplication and (rolvaliduntil is null or rolvaliduntil > pg_catalog.now())"
)
LOGIN = f"{SCHEMA}.pooler_login(name)"


def name_(text):
    """An identifier of SQL."""
    return '"' + str(text).replace('"', '""') + '"'


def text_(value):
    """A literal of SQL."""
    return "'" + str(value).replace("'", "''") + "'"


def all_of(*conditions):
    return "select " + " and ".join(f"({item})" for item in conditions)


def role_settings(role):
    """The timeouts of a role, by the name of the setting."""
    return {
        "statement_timeout": role.get("statement_timeout") or NO_TIMEOUT,
        "idle_in_transaction_session_timeout": role.get("idle_in_transaction_timeout") or IDLE_TIMEOUT,
    }


def closed_statement(login):
    """A login that nobody may use any more: neither open, nor with a password that somebody might open it with."""
    name = login["name"]
    return {
        "name": f"the login {name} is closed",
        "database": "postgres",
        "unless": f"select not exists (select from pg_authid where rolname = {text_(name)} "
        "and (rolcanlogin or rolpassword is not null))",
        "sql": f"alter role {name_(name)} nologin password null",
    }


def login_statement(login):
    """What a login needs beside its password. A second login acts as its role in every session, for what it makes is
    the role's."""
    if not login.get("password", True):
        return closed_statement(login)
    found, role = role_statement(login), login.get("role") or login["name"]
    if role == login["name"]:
        return found
    user = text_(name_(login["name"]))
    return {
        "name": f"{login['name']} acts as {role}",
        "database": "postgres",
        "unless": all_of(
            found["unless"],
            f"pg_has_role({text_(login['name'])}, {text_(role)}, 'member')",
            f"select coalesce((select setconfig from pg_db_role_setting where setdatabase = 0 and setrole = "
            f"{user}::regrole), '{{}}') @> array[{text_(f'role={role}')}]",
        ),
        "sql": f"{found['sql']}; grant {name_(role)} to {name_(login['name'])}; "
        f"alter role {name_(login['name'])} set role = {text_(role)}",
    }


def role_statement(role):
    settings = role_settings(role)
    wanted = ", ".join(text_(f"{key}={value}") for key, value in settings.items())
    return {
        "name": f"timeouts of the role {role['name']}",
        "database": "postgres",
        "unless": "select coalesce((select setconfig from pg_db_role_setting where setdatabase = 0 and setrole = "
        f"{text_(name_(role['name']))}::regrole), '{{}}') @> array[{wanted}]",
        "sql": "; ".join(
            f"alter role {name_(role['name'])} set {key} = {text_(value)}" for key, value in settings.items()
        ),
    }


def lookup_statement(database, role):
    """The function by which the pooler looks logins up: nobody else may, and it tells of no superuser."""
    digest = hashlib.md5(LOGIN_BODY.encode(), usedforsecurity=False).hexdigest()
    function = f"to_regprocedure({text_(LOGIN)})"
    return {
        "name": "logins for the pooler",
        "database": database,
        "unless": all_of(
            f"select coalesce(bool_and(prosecdef and pg_get_userbyid(proowner) = 'postgres' and md5(prosrc) = "
            f"{text_(digest)} and proconfig = array['search_path=pg_catalog'] and not "
            f"has_function_privilege('public', oid, 'execute') and has_function_privilege({text_(role)}, oid, "
            f"'execute')), false) from pg_proc where oid = {function}",
            f"has_schema_privilege({text_(role)}, to_regnamespace({text_(SCHEMA)}), 'usage')",
        ),
        "sql": f"create schema if not exists {SCHEMA};"
        f" create or replace function {SCHEMA}.pooler_login(name, out login name, out secret text) returns setof record"
        f" language sql stable security definer set search_path = pg_catalog as {text_(LOGIN_BODY)};"
        f" revoke all on function {LOGIN} from public; grant usage on schema {SCHEMA} to {name_(role)};"
        f" grant execute on function {LOGIN} to {name_(role)}",
    }


def connect_statement(database, roles):
    """Who may connect at all."""
    granted = [f"has_database_privilege({text_(role)}, current_database(), 'connect')" for role in roles]
    return {
        "name": "only its roles connect",
        "database": database,
        "unless": all_of("not has_database_privilege('public', current_database(), 'connect, temporary')", *granted),
        "sql": f"revoke all on database {name_(database)} from public; grant connect on database {name_(database)} to "
        + ", ".join(map(name_, roles)),
    }


def schema_statement(database, schema, owner):
    """A schema in which the owner makes what he wants, and nobody else does."""
    found = f"to_regnamespace({text_(name_(schema))})"
    return {
        "name": f"the schema {schema}",
        "database": database,
        "unless": all_of(
            f"{found} is not null",
            f"has_schema_privilege({text_(owner)}, {found}, 'create')",
            f"not has_schema_privilege('public', {found}, 'create')",
        ),
        "sql": f"create schema if not exists {name_(schema)} authorization {name_(owner)};"
        f" revoke create on schema {name_(schema)} from public;"
        f" grant usage, create on schema {name_(schema)} to {name_(owner)}",
    }


def _granted_now(role, schema, kind, privileges):
    """A condition: the role has the privileges on everything of this kind that is there."""
    kinds = ", ".join(map(text_, KINDS[kind]))
    each = " and ".join(f"{CHECK[kind]}({text_(role)}, oid, {text_(item)})" for item in privileges)
    return (
        f"select coalesce(bool_and({each}), true) from pg_class where relkind in ({kinds}) "
        f"and relnamespace = to_regnamespace({text_(name_(schema))})"
    )


def _granted_later(role, schema, owner, kind, privileges):
    """A condition: the role will have them on what the owner makes from now on."""
    return (
        "select count(distinct a.privilege_type) = "
        f"{len(privileges)} from pg_default_acl d cross join aclexplode(d.defaclacl) a "
        f"where d.defaclrole = {text_(name_(owner))}::regrole and d.defaclobjtype = {text_(DEFAULT_KIND[kind])} "
        f"and d.defaclnamespace = to_regnamespace({text_(name_(schema))}) "
        f"and a.grantee = {text_(name_(role))}::regrole and a.privilege_type in ({', '.join(map(text_, privileges))})"
    )


def grant_statement(database, schema, owner, role, rights, verb):
    """What a role may do with everything in a schema, now and later."""
    conditions = [f"has_schema_privilege({text_(role)}, to_regnamespace({text_(name_(schema))}), 'usage')"]
    commands = [f"grant usage on schema {name_(schema)} to {name_(role)}"]
    for kind, privileges in rights.items():
        conditions += [
            _granted_now(role, schema, kind, privileges),
            _granted_later(role, schema, owner, kind, privileges),
        ]
        listed = ", ".join(privileges)
        commands += [
            f"grant {listed} on all {kind} in schema {name_(schema)} to {name_(role)}",
            f"alter default privileges for role {name_(owner)} in schema {name_(schema)} grant {listed} on {kind} "
            f"to {name_(role)}",
        ]
    return {
        "name": f"{role} {verb} the schema {schema}",
        "database": database,
        "unless": all_of(*conditions),
        "sql": "; ".join(commands),
    }


def memory_statement(database):
    """The table that remembers which scripts ran."""
    return {
        "name": "memory of scripts",
        "database": database,
        "unless": f"select to_regclass('{SCHEMA}.scripts') is not null",
        "sql": f"create table {SCHEMA}.scripts (name text primary key, checksum text not null, "
        "ran_at timestamptz not null default now())",
    }


def extension_statement(database, extension):
    return {
        "name": f"the extension {extension}",
        "database": database,
        "unless": f"select exists (select from pg_extension where extname = {text_(extension)})",
        "sql": f"create extension {name_(extension)}",
    }


def script_statement(database, owner, script, text):
    """A script that runs once, as the owner. One that changed since is refused, for what it made cannot be unmade."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    ran = f"from {SCHEMA}.scripts where name = {text_(script['name'])}"
    reason = (
        f"script {script['name']} of database {database}: found another text than the one that ran at "
        "%s; expected the same; put the old text back and add a new script for what is new"
    )
    return {
        "name": f"the script {script['name']}",
        "database": database,
        "unless": f"select exists (select {ran} and checksum = {text_(digest)})",
        "refuse": f"select format({text_(reason)}, ran_at) {ran} and checksum <> {text_(digest)}",
        "sql": text,
        "role": owner,
        "record": f"insert into {SCHEMA}.scripts (name, checksum) values ({text_(script['name'])}, {text_(digest)})",
    }


def statements_of(database, lookup_role, texts):
    """Everything that makes one database what the inventory says, in order."""
    name, owner = database["name"], database["owner"]
    readers, writers = database.get("readers") or [], database.get("writers") or []
    connecting = list(dict.fromkeys([owner, *writers, *readers, lookup_role]))
    found = [lookup_statement(name, lookup_role), memory_statement(name), connect_statement(name, connecting)]
    found += [extension_statement(name, extension) for extension in database.get("extensions") or []]
    for schema in database.get("schemas") or ["public"]:
        found.append(schema_statement(name, schema, owner))
        found += [grant_statement(name, schema, owner, role, WRITE, "writes to") for role in writers]
        found += [grant_statement(name, schema, owner, role, READ, "reads from") for role in readers]
    found += [script_statement(name, owner, item, texts[item["path"]]) for item in database.get("scripts") or []]
    return found


def statements(databases, roles, lookup_role, texts):
    """Everything, for all databases; and of the template, what a database that is made from a dump begins with."""
    found = [login_statement(role) for role in roles] + [lookup_statement("postgres", lookup_role)]
    found += [lookup_statement("template1", lookup_role), memory_statement("template1")]
    for database in databases:
        found += statements_of(database, lookup_role, texts)
    return found


def gates(databases, made):
    """What must be true of each database: nothing of the statements is missing, and the questions of the inventory."""
    found = []
    for name in dict.fromkeys(item["database"] for item in made):
        rows = ", ".join(f"({text_(item['name'])}, ({item['unless']}))" for item in made if item["database"] == name)
        found.append(
            {
                "gate": f"nothing that the inventory gives the database {name} is missing",
                "database": name,
                "query": "select coalesce(string_agg(what, ', '), 'nothing is missing') "
                f"from (values {rows}) as asked (what, there) where there is not true",
                "expected": "nothing is missing",
                "remedy": "Run the postgresql role again, which makes what is missing on the primary.",
            }
        )
    for database in databases:
        for gate in database.get("gates") or []:
            found.append(
                {
                    "gate": f"{database['name']}: {gate['name']}",
                    "database": database["name"],
                    "query": gate["sql"],
                    "expected": gate["expected"],
                    "remedy": gate.get("remedy") or REMEDY,
                }
            )
    return found
