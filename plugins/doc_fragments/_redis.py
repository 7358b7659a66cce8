# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How the Redis modules connect. Private to this collection."""

    DOCUMENTATION = r"""
options:
  user:
    description: ACL user of the data servers.
    type: str
    default: default
  password:
    description: Password of O(user). Without it no C(AUTH) is sent.
    type: str
  ca_path:
    description: File with the certificates of the authorities that are trusted. By default those of the system.
    type: path
  cert_path:
    description: File with the client certificate, for servers that ask for one.
    type: path
  key_path:
    description: File with the key of O(cert_path).
    type: path
  timeout:
    description: Seconds that one connection and each of its answers may take.
    type: float
    default: 3
"""

    CONNECTION = r"""
options:
  tls:
    description: Speak TLS to servers and Sentinels. Chain and name are always verified; the name is the address that
      is connected to.
    type: bool
    default: false
  sentinel_user:
    description: ACL user of the Sentinels.
    type: str
    default: default
  sentinel_password:
    description: Password of O(sentinel_user). Without it no C(AUTH) is sent.
    type: str
"""

    GROUP = r"""
options:
  name:
    description: Name under which the Sentinels know the master.
    type: str
    required: true
  servers:
    description: All data servers of the group, as C(address:port). The addresses must be those that the servers
      announce.
    type: list
    elements: str
    required: true
  sentinels:
    description: All Sentinels of the group, as C(address:port).
    type: list
    elements: str
    default: []
"""

    CLUSTER = r"""
options:
  tls:
    description: Speak TLS to the servers. Chain and name are always verified; the name is the address that is
      connected to.
    type: bool
    default: false
  members:
    description: All servers of the cluster, as C(address:port), one per host. The addresses must be those that the
      servers announce.
    type: list
    elements: str
    required: true
  leaving:
    description: Servers that are nodes of the cluster and shall not be any more, as C(address:port). None of them is
      one of O(members).
    type: list
    elements: str
    default: []
  replicas:
    description: Replicas of each master. There are as many masters as O(members) suffice for; hosts beyond that are
      replicas too.
    type: int
    default: 1
  imbalance:
    description: By how much the number of a master's slots may differ from that of others, per cent, before slots
      move.
    type: int
    default: 5
"""
