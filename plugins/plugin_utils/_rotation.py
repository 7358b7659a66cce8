# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two logins in turn for each role, and the vault while its secrets rotate. Pure; private to this collection."""

from __future__ import annotations

from secrets import choice
from string import ascii_letters, digits

SECOND = "_2"
LENGTH = 48


def random_secret():
    return "".join(choice(ascii_letters + digits) for _place in range(LENGTH))


def both_logins(names):
    """The logins of roles by name: the role itself, and its second one."""
    return [name + ending for name in names for ending in ("", SECOND)]


def present_login(role, second):
    """The login that clients of a role use."""
    return role + SECOND if role in second else role


def secret_name(role):
    return role.get("secret") or f"postgresql_role_{role['name']}"


def role_logins(roles, secrets, former, second):
    """Both logins of each role. The other one has the former password while there is one, and none otherwise."""
    found = []
    for role in roles:
        rest = {key: value for key, value in role.items() if key != "secret"}
        for name in both_logins([role["name"]]):
            present = name == present_login(role["name"], second)
            password = (secrets if present else former).get(secret_name(role))
            found.append({**rest, "name": name, "role": role["name"], "present": present, "password": password})
    return found


def login_attempts(logins, databases):
    """Who can log in where: {user, password, database} for each open login whose role uses a database."""
    used = {}
    for database in databases:
        for role in [database["owner"], *(database.get("writers") or []), *(database.get("readers") or [])]:
            used.setdefault(role, database["name"])
    return [
        {"user": item["name"], "password": item["password"], "database": used[item["role"]]}
        for item in logins
        if item["password"] and item["role"] in used
    ]


def begun_rotation(vault, names, roles):
    """The vault with new secrets, the former ones beside them, and each role on its other login."""
    secrets, second = vault["platform_secrets"], vault.get("platform_second_logins") or []
    turned = {role["name"] for role in roles if secret_name(role) in names}
    return {
        **vault,
        "platform_secrets": {**secrets, **{name: random_secret() for name in names}},
        "platform_former_secrets": {name: secrets[name] for name in names},
        "platform_second_logins": sorted(turned ^ set(second)),
    }
