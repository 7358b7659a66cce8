# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: controller_run
short_description: What tells this run of a playbook from every other, and whether another one has ended
version_added: 0.1.0
author:
  - The mainstay.platform authors (@mainstay)
description:
  - Names this run by machine, boot, process namespace, process and its start. Where the controller has no C(/proc),
    such as macOS, the name is random and another one each time, and never counts as ended; keep it in a fact.
  - Of another run it says whether that has ended for certain. Only a run of the same boot and namespace can be looked
    for; whatever ran elsewhere may still run.
options:
  _terms:
    description: Names of runs as this lookup gives them. Without one it tells about this run.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Show who runs this
  ansible.builtin.debug:
    msg: "{{ lookup('mainstay.platform.controller_run').owner }}"
"""

RETURN = r"""
_raw:
  description: One dictionary for this run, or for each of O(_terms).
  type: list
  elements: dict
  contains:
    run:
      description: The name of the run.
      type: str
    owner:
      description: The user and the machine, for this run.
      type: str
      sample: maria@laptop
    ended:
      description: Whether it has ended for certain.
      type: bool
"""

import getpass
import os
import socket
import uuid
from pathlib import Path

from ansible.plugins.lookup import LookupBase

PROC = Path("/proc")


def stat_fields(pid, proc=PROC):
    """The fields of a process' stat behind its name, or none when it is not there."""
    try:
        return (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def is_playbook(pid, proc=PROC):
    """Whether a process is ansible-playbook itself, and not a shell that calls it."""
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().split(b"\0")[:2]
    except OSError:
        return False
    return any(word.endswith(b"ansible-playbook") for word in words)


def parent(pid, proc=PROC):
    return int((stat_fields(pid, proc) or [0, 0])[1])


def main_process(pid, proc=PROC):
    """The ansible-playbook that a worker belongs to: the first of an unbroken line. A worker ends too soon."""
    found = pid if is_playbook(pid, proc) else parent(pid, proc)
    while is_playbook(parent(found, proc), proc):
        found = parent(found, proc)
    return found


def place(proc=PROC):
    """Where process numbers mean the same: machine, boot and namespace."""
    boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
    return f"{socket.gethostname()}/{boot}/{os.readlink(proc / 'self/ns/pid')}"


def run_name(pid, proc=PROC):
    """A name that no other run has. Without the files of a process there is nothing to look for later."""
    try:
        return f"{place(proc)}/{pid}/{stat_fields(pid, proc)[19]}"
    except (OSError, IndexError):
        return f"{socket.gethostname()}/{uuid.uuid4()}"


def is_gone(pid):
    """Whether there is certainly no such process: one that may not be asked is there."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, OverflowError):
        return False
    return False


def has_ended(name, proc=PROC):
    """Whether a run has ended for certain: its process would be seen here, and is not, or is another one."""
    where, _slash, process = name.rpartition("/")
    where, _slash, pid = where.rpartition("/")
    try:
        if where != place(proc):
            return False
    except OSError:
        return False
    fields = stat_fields(pid, proc)
    return is_gone(pid) or bool(fields) and (fields[19] != process or fields[0] == "Z")


def user():
    """Who runs this; a number where the system has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


class LookupModule(LookupBase):
    """Runs on this controller."""

    def run(self, terms, variables=None, **kwargs):
        if terms:
            return [{"run": str(term), "owner": "", "ended": has_ended(str(term))} for term in terms]
        return [
            {"run": run_name(main_process(os.getpid())), "owner": f"{user()}@{socket.gethostname()}", "ended": False}
        ]
