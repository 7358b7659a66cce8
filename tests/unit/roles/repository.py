# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading and rendering the repository's own files, for the tests beside this one."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
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


def render_with(playbook, variables, *words):
    """The finished run of a playbook that stands beside the tests and renders files of roles by Ansible."""
    return render_all([(playbook, variables, *words)])[0]


def render_all(runs):
    """The finished runs of several, given as arguments of render_with, a few at a time."""
    with tempfile.TemporaryDirectory() as folder:
        asked = []
        for playbook, variables, *words in runs:
            words += [f"--inventory={HERE / 'inventory.yml'}", f"--extra-vars={json.dumps(variables)}"]
            said = [tempfile.mkstemp(dir=folder)[1] for _stream in range(2)]
            asked.append(([*words, str(HERE / playbook)], *said))
        server = warm()
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        statuses = json.loads(server.stdout.readline())
        return [
            subprocess.CompletedProcess(words, status, Path(out).read_text(), Path(err).read_text())
            for (words, out, err), status in zip(asked, statuses, strict=True)
        ]


def ask_all(cases, plant, folders):
    """Every case of {name: (build, asked)}: its finished run, and the tree that was planted and built for it."""
    trees = {name: plant(folders.mktemp("case")) for name in cases}
    for name, (build, _asked) in cases.items():
        build(trees[name])
    done = render_all([trees[name].question(**asked) for name, (_build, asked) in cases.items()])
    return dict(zip(cases, zip(done, trees.values(), strict=True), strict=True))


def decision(done, tree):
    """What a run that has ended well has written down beside its tree."""
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((tree.path / "decided.json").read_text())


@functools.cache
def warm():
    """The process that runs playbooks, for as long as the tests last."""
    # Another strategy would have workers of its own.
    settings = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_STRATEGY": "linear"}
    # By which door whoever runs the tests came in, and whose vault they open, is no matter of the tests.
    theirs = ("SSH_CONNECTION", "ANSIBLE_VAULT_PASSWORD_FILE")
    inherited = {name: value for name, value in os.environ.items() if name not in theirs}
    return subprocess.Popen(
        [sys.executable, str(HERE / "warm.py")],
        cwd=ROOT,
        env={**inherited, **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
