# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: patch_status
short_description: Say what a Debian or Ubuntu host lacks of its upgrades
version_added: 0.1.0
description:
  - Says which packages would be upgraded, which services run on with files that an upgrade has replaced, which will do
    so after the upgrades, and whether the host asks for a reboot. It changes nothing and downloads nothing.
  - What is to be upgraded is what apt-get itself says, so holds and pins count. It knows what the lists of packages
    on the host know; have them refreshed first.
  - What runs on with replaced files is what needrestart says, but for services that have started since dpkg last did
    something, which have left old sessions behind and no more.
  - What will is found by comparing the files of the packages with those that running services have loaded or were
    started with; a library of a script is not among them.
author:
  - The mainstay.platform authors (@mainstay)
options:
  packages:
    description: Names of packages that are looked at, and with them what they need. By default all that are installed.
    type: list
    elements: str
    default: []
  upgrade:
    description:
      - With V(safe) nothing is removed; new packages may come, such as a kernel.
      - With V(dist) packages may be removed to make room for others.
    type: str
    choices: [safe, dist]
    default: safe
  spare:
    description: Regular expressions for the beginnings of names of units that are never to be restarted.
    type: list
    elements: str
    default: []
requirements:
  - needrestart on the host
extends_documentation_fragment:
  - mainstay.platform._reader
"""

EXAMPLES = r"""
- name: Read what is to be patched
  mainstay.platform.patch_status:
    spare: [dbus, 'getty@']
  register: status

- name: Read whether the database is current
  mainstay.platform.patch_status:
    packages: [postgresql-17, patroni]
"""

RETURN = r"""
upgrades:
  description: Packages that would be installed, with the version that is there, empty for a new one.
  returned: success
  type: list
  elements: dict
  sample: [{name: libssl3t64, from: 3.5.1-1, to: 3.5.1-1+deb13u1}]
removed:
  description: Packages that would be removed.
  returned: success
  type: list
  elements: str
  sample: []
kept:
  description: Packages that apt-get keeps back, because they are held or would need others to be removed.
  returned: success
  type: list
  elements: str
  sample: []
services:
  description: Units that run on with replaced files, without those to O(spare).
  returned: success
  type: list
  elements: str
  sample: [pgbouncer.service]
left:
  description: Those of O(spare) that do, and those that systemd does not restart for anybody.
  returned: success
  type: list
  elements: str
  sample: [dbus.service]
expected:
  description: Units that will run on with replaced files once RV(upgrades) are installed, without those to O(spare).
  returned: success
  type: list
  elements: str
  sample: [patroni.service]
reboot:
  description: Whether the host asks for a reboot, by the file /run/reboot-required.
  returned: success
  type: bool
  sample: false
reboot_packages:
  description: Packages that asked for it.
  returned: success
  type: list
  elements: str
  sample: []
evidence:
  description: All of it in one line.
  returned: success
  type: str
  sample: nothing to upgrade, to restart or to boot
"""

import glob
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils._patch import (
    SHOWN,
    apart,
    asked,
    evidence,
    mapped,
    named,
    real,
    simulated,
    stale,
    unit_of,
    using,
)

APT = ["apt-get", "--simulate", "-o", "Debug::NoLocking=true"]
VERBS = {"safe": ["upgrade", "--with-new-pkgs"], "dist": ["dist-upgrade"]}
SHOW = ["systemctl", "show", "--timestamp=us+utc", f"--property={','.join(SHOWN)}"]
DPKG = "/var/lib/dpkg/status"
REBOOT = "/run/reboot-required"


def run(module, command, remedy):
    code, out, error = module.run_command(command, environ_update={"LC_ALL": "C", "LANGUAGE": "C"})
    if code:
        said = " ".join((error or out).split())
        module.fail_json(msg=f"{command[0]}: found that it ended with {code} ({said}); expected an answer; {remedy}")
    return out


def text(path):
    """A file's text; empty when it is gone, as processes go."""
    try:
        with open(path, encoding="utf-8", errors="replace") as source:
            return source.read()
    except OSError:
        return ""


def processes(proc="/proc"):
    """(unit, files) of every process that runs now."""
    for folder in glob.glob(f"{proc}/[0-9]*"):
        unit = unit_of(text(f"{folder}/cgroup"))
        if unit:
            yield unit, mapped(text(f"{folder}/maps")) | real(named(text(f"{folder}/cmdline")))


def files_of(module, upgrades):
    """The files of those packages, as they lie on the disk now."""
    names = [item["name"] for item in upgrades if item["from"]]
    listed = run(module, ["dpkg-query", "--listfiles", *names], "see dpkg --audit") if names else ""
    return real(path for path in listed.splitlines() if path.startswith("/"))


def stale_services(module):
    """(units to restart, units that run on until the next boot)."""
    found = stale(run(module, ["needrestart", "-b", "-l"], "run site.yml, which installs and configures it"))
    found, spared = apart(found, module.params["spare"])
    if not found:
        return [], spared
    shown = run(module, [*SHOW, *found], "see systemctl status of those units")
    restartable, refusing = asked(shown, os.stat(DPKG).st_mtime)
    return restartable, sorted(spared + refusing)


def status(module):
    params = module.params
    verb = ["install", "--only-upgrade", *params["packages"]] if params["packages"] else VERBS[params["upgrade"]]
    found = simulated(run(module, [*APT, *verb], "see apt-get check, and the names of the packages"))
    found["services"], found["left"] = stale_services(module)
    expected, _spared = apart(using(processes(), files_of(module, found["upgrades"])), params["spare"])
    found["expected"] = expected
    found["reboot"] = os.path.exists(REBOOT)
    found["reboot_packages"] = sorted(set(text(f"{REBOOT}.pkgs").split()))
    return {**found, "evidence": evidence(found)}


def main():
    module = AnsibleModule(
        argument_spec={
            "packages": {"type": "list", "elements": "str", "default": []},
            "upgrade": {"type": "str", "choices": list(VERBS), "default": "safe"},
            "spare": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    module.get_bin_path("needrestart", required=True)
    module.exit_json(changed=False, **status(module))


if __name__ == "__main__":
    main()
