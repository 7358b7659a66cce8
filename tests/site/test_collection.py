"""The built collection works from an empty directory: nothing works only inside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.lab import ROOT, Lab, Run


@pytest.fixture(scope="module")
def installed(lab: Lab, tmp_path_factory) -> Path:
    """An empty directory into which the tarball was installed, and nothing else."""
    empty = tmp_path_factory.mktemp("installed")
    built = lab.run("ansible-galaxy", "collection", "build", "--output-path", str(empty / "dist"))
    assert built.status == 0, built.output
    (tarball,) = (empty / "dist").glob("mainstay-platform-*.tar.gz")
    into = ["-p", str(empty / "collections"), "--no-deps", "--offline"]
    done = lab.run("ansible-galaxy", "collection", "install", str(tarball), *into)
    assert done.status == 0, done.output
    return empty


def play(lab: Lab, installed: Path, playbook: str, *arguments: str) -> Run:
    env = {name: value for name, value in lab.env.items() if name != "ANSIBLE_CONFIG"} | {
        "ANSIBLE_COLLECTIONS_PATH": str(installed / "collections"),
        "ANSIBLE_FORKS": "12",
        "ANSIBLE_PIPELINING": "1",
        "HOME": os.environ["HOME"],
    }
    command = ["env", "-C", str(installed), *(f"{name}={value}" for name, value in env.items())]
    return lab.run(*command, "ansible-playbook", "-i", str(lab.inventory), playbook, *arguments)


def test_nothing_of_the_checkout_but_the_product_is_in_the_tarball(installed: Path):
    root = installed / "collections/ansible_collections/mainstay/platform"
    assert {"roles", "playbooks", "plugins", "meta", "README.md"} <= {path.name for path in root.iterdir()}
    assert not {"lab", "tests", "molecule", "Makefile", ".ci", ".cache"} & {path.name for path in root.iterdir()}
    assert not list(root.rglob("vault.yml"))


def test_a_second_run_by_name_changes_nothing(lab: Lab, installed: Path):
    run = play(lab, installed, "mainstay.platform.site")
    assert run.status == 0, run.tail()
    assert run.changed == {}, run.tail(200)
    assert set(run.recap) == set(lab.hosts)
    assert str(ROOT / "roles") not in run.output


def test_verify_by_name_passes(lab: Lab, installed: Path):
    run = play(lab, installed, "mainstay.platform.verify")
    assert run.status == 0, run.tail()
    assert ", 0 failed" in run.output
