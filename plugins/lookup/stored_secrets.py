# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: stored_secrets
short_description: The secrets of an environment from a store outside
version_added: 0.1.0
author:
  - The mainstay.platform authors (@mainstay)
description:
  - Reads one entry of HashiCorp Vault or OpenBao, a key-value engine of version 2, whose keys are the names of
    C(platform_secret_names), by the lookup of the collection C(community.hashi_vault).
  - Put it into C(platform_secrets) of the inventory, instead of the file that the playbook C(secrets) writes.
  - Every process of Ansible asks the store once, when a task needs a secret; nothing is kept on disk or in a fact.
requirements:
  - the collection community.hashi_vault, and the Python library hvac, on the controller
options:
  _terms:
    description:
      - Path of the entry within its engine.
      - Every other option is one of the lookup C(community.hashi_vault.vault_kv2_get), such as C(url),
        C(auth_method) or C(engine_mount_point). Most can be set in the environment, as C(ANSIBLE_HASHI_VAULT_ADDR).
    type: list
    elements: str
    required: true
notes:
  - Fails when the store cannot be reached, refuses the login, or has no such entry. A name that the entry lacks is
    refused by the playbooks' preflight, before anything changes.
"""

EXAMPLES = r"""
# inventories/mine/group_vars/all/secrets.yml
# ANSIBLE_HASHI_VAULT_ADDR, _ROLE_ID and _SECRET_ID are in the environment.
platform_secrets: "{{ lookup('mainstay.platform.stored_secrets', 'mainstay/mine', auth_method='approle') }}"
"""

RETURN = r"""
_raw:
  description: For each path, a dictionary of the entry's keys and values.
  type: list
  elements: dict
"""

from ansible.errors import AnsibleError
from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase

STORE = "community.hashi_vault.vault_kv2_get"
_asked: dict[str, dict] = {}  # of this process


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        return [self._entry(path, variables, kwargs) for path in terms]

    def _entry(self, path, variables, options):
        key = repr((path, sorted(options.items())))
        if key not in _asked:
            store = lookup_loader.get(STORE, loader=self._loader, templar=self._templar)
            if store is None:
                raise AnsibleError(_message(path, f"no lookup {STORE}", "install the collection community.hashi_vault"))
            try:
                (found,) = store.run([path], variables=variables, **options)
            except Exception as error:  # the store's library has its own, and passes on those of the network
                # The reason is in the text: Ansible would print the cause a second time.
                reason = " ".join(str(error).split()) or type(error).__name__
                raise AnsibleError(_message(path, reason, "see that it runs, lets this login in, and has it")) from None
            _asked[key] = found["secret"]
        return _asked[key]


def _message(path, found, remedy):
    return f"platform_secrets, entry {path} of the secret store: found {found}; expected the entry; {remedy}."
