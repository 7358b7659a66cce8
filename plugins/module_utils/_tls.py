# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS as every client of this collection speaks it: always verified. Private to this collection."""

from __future__ import annotations

import ssl


def client_context(ca_path=None, cert_path=None, key_path=None):
    """A context that verifies chain and name, with a client certificate when one is given."""
    for path in (ca_path, cert_path, key_path):
        if path:
            with open(path, "rb"):  # names the missing file, which ssl does not
                pass
    context = ssl.create_default_context(cafile=ca_path)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Python 3.13 began to refuse authorities without a key usage, which every other client here accepts:
    # one answer on every release.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if cert_path:
        context.load_cert_chain(cert_path, key_path)
    return context
