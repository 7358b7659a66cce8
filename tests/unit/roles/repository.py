# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading and rendering the repository's own files, for the tests beside this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]


class Loader(yaml.SafeLoader):
    """Reads tags of Ansible, such as !vault, as plain text."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: f"!{suffix}")


def load(path):
    return yaml.load(path.read_text(), Loader) or {}


def tasks(entries):
    """Every task of a list, those inside of blocks too."""
    for entry in entries or []:
        yield entry
        for part in ("block", "rescue", "always"):
            yield from tasks(entry.get(part))


def render_with(playbook, variables):
    """The finished run of a playbook that stands beside the tests and renders files of roles by Ansible."""
    return subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            f"--inventory={HERE / 'inventory.yml'}",
            f"--extra-vars={json.dumps(variables)}",
            str(HERE / playbook),
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
    )
