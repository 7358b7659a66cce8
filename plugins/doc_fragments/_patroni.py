# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How modules reach Patroni's REST interface. Private to this collection."""

    DOCUMENTATION = r"""
options:
  ca_path:
    description: File with the certificates of the authorities that Patroni's certificate is verified against. By
      default those of the system.
    type: path
"""

    CLIENT = r"""
options:
  cert_path:
    description: File with the client certificate that is shown to Patroni.
    type: path
  key_path:
    description: File with the key of O(cert_path).
    type: path
"""

    MEMBERS = r"""
options:
  patroni_urls:
    description: Addresses of Patroni's REST interface on all members, such as C(https://192.0.2.11:8008).
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds that each question may take.
    type: float
    default: 5
"""
