# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters that write connection URLs; one sidecar YAML documents each."""

from __future__ import annotations

from urllib.parse import quote

from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.module_utils._endpoint import join_endpoint, split_endpoint

PARTS = {"hosts", "port", "user", "password", "database", "scheme", "options"}


def _quoted(value):
    return quote(str(value), safe="")


def _account(user, password):
    """user:password@ with everything quoted that a URL reads otherwise."""
    if not user and not password:
        return ""
    secret = f":{_quoted(password)}" if password else ""
    return f"{_quoted(user or '')}{secret}@"


def dsn(parts):
    """A postgresql:// URL, of several hosts when there are several."""
    if not isinstance(parts, dict):
        raise AnsibleFilterError(f"mainstay.platform.dsn: found {type(parts).__name__}; expected a dictionary of parts")
    unknown = sorted(set(parts) - PARTS)
    if unknown:
        raise AnsibleFilterError(
            f"mainstay.platform.dsn: found unknown parts {', '.join(unknown)}; expected {', '.join(sorted(PARTS))}"
        )
    hosts = parts.get("hosts") or []
    hosts = [hosts] if isinstance(hosts, str) else hosts
    if not hosts or not parts.get("database"):
        raise AnsibleFilterError("mainstay.platform.dsn: found no hosts or no database; expected both; add them")
    try:
        pairs = [split_endpoint(host, parts.get("port") or 5432) for host in hosts]
    except ValueError as error:
        raise AnsibleFilterError(f"mainstay.platform.dsn: {error}") from error
    options = "&".join(
        f"{_quoted(key)}={quote(str(value), safe='/')}" for key, value in (parts.get("options") or {}).items()
    )
    return (
        f"{parts.get('scheme') or 'postgresql'}://{_account(parts.get('user'), parts.get('password'))}"
        f"{','.join(join_endpoint(host, port) for host, port in pairs)}/{_quoted(parts['database'])}"
        f"{'?' + options if options else ''}"
    )


def sentinel_url(sentinels, password=None, user=None, database=0, port=26379):
    """Sentinels as the URL that Celery and kombu read: one sentinel:// after the other."""
    if not sentinels or isinstance(sentinels, str):
        raise AnsibleFilterError(
            f"mainstay.platform.sentinel_url: found {sentinels!r}; expected a list of Sentinels such as 192.0.2.1:26379"
        )
    try:
        pairs = [split_endpoint(item, port) for item in sentinels]
    except ValueError as error:
        raise AnsibleFilterError(f"mainstay.platform.sentinel_url: {error}") from error
    account = _account(user, password)
    return ";".join(f"sentinel://{account}{join_endpoint(host, number)}/{int(database)}" for host, number in pairs)


class FilterModule:
    """Parts to connection URLs."""

    def filters(self):
        return {"dsn": dsn, "sentinel_url": sentinel_url}
