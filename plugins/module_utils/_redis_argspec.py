# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that every Redis module of this collection shares. Private to this collection."""

from __future__ import annotations

CONNECTION = {
    "user": {"type": "str", "default": "default"},
    "password": {"type": "str", "no_log": True},
    "sentinel_user": {"type": "str", "default": "default"},
    "sentinel_password": {"type": "str", "no_log": True},
    "tls": {"type": "bool", "default": False},
    "ca_path": {"type": "path"},
    "cert_path": {"type": "path"},
    "key_path": {"type": "path", "no_log": False},
    "timeout": {"type": "float", "default": 3},
}
REQUIRED_TOGETHER = [("cert_path", "key_path")]


def server_options(params):
    """The connection options for data servers."""
    return {key: params[key] for key in ("user", "password", "tls", "ca_path", "cert_path", "key_path", "timeout")}


def sentinel_options(params):
    """The connection options for Sentinels, which have users of their own."""
    return dict(server_options(params), user=params["sentinel_user"], password=params["sentinel_password"])
