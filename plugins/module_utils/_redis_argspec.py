# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that the Redis modules share, as doc_fragments/_redis.py describes them. Private to this collection."""

from __future__ import annotations

SERVER = {
    "user": {"type": "str", "default": "default"},
    "password": {"type": "str", "no_log": True},
    "ca_path": {"type": "path"},
    "cert_path": {"type": "path"},
    "key_path": {"type": "path", "no_log": False},
    "timeout": {"type": "float", "default": 3},
}
CONNECTION = {
    **SERVER,
    "tls": {"type": "bool", "default": False},
    "sentinel_user": {"type": "str", "default": "default"},
    "sentinel_password": {"type": "str", "no_log": True},
}
GROUP = {
    **CONNECTION,
    "name": {"type": "str", "required": True},
    "servers": {"type": "list", "elements": "str", "required": True},
    "sentinels": {"type": "list", "elements": "str", "default": []},
}
CLUSTER = {
    **SERVER,
    "tls": {"type": "bool", "default": False},
    "members": {"type": "list", "elements": "str", "required": True},
    "leaving": {"type": "list", "elements": "str", "default": []},
    "replicas": {"type": "int", "default": 1},
    "imbalance": {"type": "int", "default": 5},
}
REQUIRED_TOGETHER = [("cert_path", "key_path")]


def server_options(params):
    """The connection options for data servers."""
    return {key: params[key] for key in (*SERVER, "tls")}


def sentinel_options(params):
    """The connection options for Sentinels, which have users of their own."""
    return dict(server_options(params), user=params["sentinel_user"], password=params["sentinel_password"])
