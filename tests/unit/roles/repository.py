# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading the repository's own files, for the tests beside this one."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]


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
