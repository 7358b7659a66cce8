# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repositories of pgBackRest as lines of its configuration. Pure; private to this collection."""

from __future__ import annotations

REQUIRED = ("bucket", "endpoint", "region", "key", "key_secret", "cipher_password", "retention_days")
OPTIONAL = {"path": "/", "uri_style": "host", "ca_file": None}


def offsite(given, key):
    """The lines of a repository in an object store that speaks S3. Messages name no secret's value."""
    missing = [name for name in REQUIRED if not given.get(name)]
    if missing:
        raise ValueError(f"off-site repository: found no {', '.join(missing)}; expected all of {', '.join(REQUIRED)}")
    strange = sorted(set(given) - set(REQUIRED) - set(OPTIONAL))
    if strange:
        raise ValueError(
            f"off-site repository: found {', '.join(strange)}; expected only {', '.join([*REQUIRED, *OPTIONAL])}"
        )
    full = {**OPTIONAL, **{name: value for name, value in given.items() if value is not None}}
    options = {
        "type": "s3",
        "path": full["path"],
        "s3-bucket": full["bucket"],
        "s3-endpoint": full["endpoint"],
        "s3-region": full["region"],
        "s3-uri-style": full["uri_style"],
        "s3-key": full["key"],
        "s3-key-secret": full["key_secret"],
        "storage-ca-file": full["ca_file"],
        "storage-verify-tls": "y",
        "cipher-type": "aes-256-cbc",
        "cipher-pass": full["cipher_password"],
        "retention-full-type": "time",
        "retention-full": full["retention_days"],
        "bundle": "y",
    }
    return "\n".join(f"repo{int(key)}-{name}={value}" for name, value in options.items() if value is not None)
