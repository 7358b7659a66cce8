# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: template
short_description: The text that a template gives, without a copy of all variables
version_added: 0.1.0
author:
  - The mainstay.platform authors (@mainstay)
description:
  - Gives the text of a Jinja2 template of the role, as P(ansible.builtin.template#lookup) does with its defaults.
  - That one copies every variable of the host, in depth, for each template. In a run of C(site.yml) on twelve hosts
    this was a third of what the controller did.
  - Fails when there is no such template, or when it uses a variable that is not defined.
options:
  _terms:
    description: Paths below C(templates) of the role.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Ensure fail2ban is set up
  mainstay.platform.file_bundle:
    files:
      - path: /etc/fail2ban/jail.d/local.local
        content: "{{ lookup('mainstay.platform.template', 'jail.local.j2') }}"
"""

RETURN = r"""
_raw:
  description: The text, one for each of O(_terms).
  type: list
  elements: str
"""

import os
from collections import ChainMap

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.template import generate_ansible_template_vars, trust_as_template


class LookupModule(LookupBase):
    """What is read here is never changed, so nothing has to be copied."""

    def run(self, terms, variables=None, **kwargs):
        return [self._text(term, variables or {}) for term in terms]

    def _text(self, name, variables):
        path = self.find_file_in_search_path(variables, "templates", name, ignore_missing=True)
        if not path:
            places = ", ".join(variables.get("ansible_search_path", []))
            raise AnsibleLookupError(f"template: found no {name}, expected one below templates of: {places}")
        roots = [os.path.dirname(path)]
        for root in variables.get("ansible_search_path", []):
            roots += [os.path.join(root, "templates"), root]
        about = generate_ansible_template_vars(path=name, fullpath=path)
        if "ansible_managed" in variables:
            del about["ansible_managed"]
        templar = self._templar.copy_with_new_env(available_variables=ChainMap(about, variables), searchpath=roots)
        text = trust_as_template(self._loader.get_text_file_contents(path))
        return templar.template(text, escape_backslashes=False, overrides={"trim_blocks": True})
