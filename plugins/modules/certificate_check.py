# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: certificate_check
short_description: Check that a certificate is valid, long enough, for the right names and with its own key
version_added: 0.1.0
description:
  - Checks a certificate in a file or the one that a TLS service shows, and fails when something is not as expected.
  - It uses the C(openssl) program, which every host has.
author:
  - The mainstay.platform authors (@mainstay)
options:
  path:
    description: PEM file with the certificate first and the intermediate ones behind it.
    type: path
  host:
    description: Name or address of a TLS service, instead of O(path).
    type: str
  port:
    description: TCP port of the service.
    type: int
    default: 443
  server_name:
    description: The name to ask the service for. By default O(host).
    type: str
  starttls:
    description: Protocol that the service speaks before TLS.
    type: str
    choices: [postgres, smtp, ldap]
  key_path:
    description: Private key that must belong to the certificate in O(path).
    type: path
  ca_path:
    description: File with the authorities under which the chain must be accepted. Without it the chain is not judged.
    type: path
  names:
    description: Names and addresses that the certificate must cover.
    type: list
    elements: str
    default: []
  min_days:
    description: Days that must be left until the certificate expires.
    type: int
    default: 30
  stapled:
    description:
      - Whether a certificate that names an OCSP responder must come with a response of it that is good and current.
      - One that names no responder is left alone, and the evidence says so.
    type: bool
    default: false
  timeout:
    description: Seconds that the service may take to answer.
    type: int
    default: 10
extends_documentation_fragment:
  - mainstay.platform._reader
seealso:
  - module: community.crypto.x509_certificate_info
"""

EXAMPLES = r"""
- name: Check the host's certificate and key
  mainstay.platform.certificate_check:
    path: /etc/mainstay/tls/host.crt
    key_path: /etc/mainstay/tls/host.key
    ca_path: /etc/mainstay/tls/ca.crt
    names: [db1, 192.0.2.11]

- name: Check what the edge shows for a site
  mainstay.platform.certificate_check:
    host: 192.0.2.10
    server_name: pay.example.org
    ca_path: /etc/mainstay/tls/ca.crt
    names: [pay.example.org]
"""

RETURN = r"""
days_left:
  description: Whole days until the certificate expires; negative when it has.
  returned: always
  type: int
  sample: 364
names:
  description: The names and addresses that the certificate covers.
  returned: always
  type: list
  elements: str
  sample: [db1, localhost, 127.0.0.1]
subject:
  description: The certificate's subject.
  returned: always
  type: str
  sample: CN = db1
not_after:
  description: When the certificate expires.
  returned: always
  type: str
  sample: Nov 21 09:02:00 2027 GMT
problems:
  description: Everything that is not as expected. Empty when the certificate is good.
  returned: always
  type: list
  elements: str
  sample: []
evidence:
  description: The state of the certificate in one line.
  returned: always
  type: str
  sample: /etc/mainstay/tls/host.crt is valid for 364 days, names db1, localhost, 127.0.0.1
"""

import os
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._certificate import judge
from ansible_collections.mainstay.platform.plugins.module_utils._certificate_client import (
    CertificateError,
    chain_error,
    fetch_chain,
    key_matches,
    read_certificate,
    responder,
)
from ansible_collections.mainstay.platform.plugins.module_utils._endpoint import join_endpoint

ARGUMENTS = {
    "path": {"type": "path"},
    "host": {"type": "str"},
    "port": {"type": "int", "default": 443},
    "server_name": {"type": "str"},
    "starttls": {"type": "str", "choices": ["postgres", "smtp", "ldap"]},
    "key_path": {"type": "path", "no_log": False},
    "ca_path": {"type": "path"},
    "names": {"type": "list", "elements": "str", "default": []},
    "min_days": {"type": "int", "default": 30},
    "stapled": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 10},
}


def chain_file(module, pem):
    """The chain of a service as a file, which openssl verify wants; removed when the module ends."""
    handle, path = tempfile.mkstemp(dir=module.tmpdir, suffix=".pem")
    module.add_cleanup_file(path)
    with os.fdopen(handle, "w") as stream:
        stream.write(pem)
    return path


def look(module, name):
    """The certificate and what openssl says of it."""
    params, run = module.params, module.run_command
    staple = None
    if params["path"]:
        path = params["path"]
        with open(path) as stream:
            pem = stream.read()
    else:
        pem, staple = fetch_chain(run, *(params[key] for key in ("host", "port", "server_name", "starttls", "timeout")))
        path = chain_file(module, pem)
    facts = {
        "object": name,
        "key_matches": key_matches(run, pem, params["key_path"]) if params["key_path"] else None,
        "chain_error": chain_error(run, path, params["ca_path"]) if params["ca_path"] else None,
    }
    if params["stapled"]:
        facts.update(staple=staple, responder=responder(run, pem))
    return read_certificate(run, pem), facts


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_one_of=[("path", "host")],
        mutually_exclusive=[("path", "host"), ("key_path", "host"), ("stapled", "path")],
        supports_check_mode=True,
    )
    params = module.params
    name = (
        params["path"]
        or f"{params['server_name'] or params['host']} at {join_endpoint(params['host'], params['port'])}"
    )
    try:
        certificate, facts = look(module, name)
    except (CertificateError, OSError) as error:
        module.fail_json(
            msg=f"{name}: found no readable certificate ({error}); expected one; issue it or start the service"
        )
    found = judge(certificate, facts, params, time.time())
    found.update(names=certificate["names"], subject=certificate["subject"], not_after=certificate["not_after_text"])
    if found["problems"]:
        module.fail_json(msg="; ".join(found["problems"]), **found)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
