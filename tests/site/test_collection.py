"""The built collection works from an empty directory: nothing works only inside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab import ROOT, Lab, Run

KEPT = {"ANSIBLE_VAULT_PASSWORD_FILE", "ANSIBLE_NOCOLOR"}


@pytest.fixture(scope="module")
def installed(lab: Lab, tmp_path_factory) -> Path:
    """An empty directory into which the tarball was installed, and nothing else."""
    empty = tmp_path_factory.mktemp("installed")
    built = lab.run("ansible-galaxy", "collection", "build", "--output-path", str(empty / "dist"))
    assert built.status == 0, built.output
    (tarball,) = (empty / "dist").glob("mainstay-platform-*.tar.gz")
    into = ["-p", str(empty / "collections"), "--no-deps", "--offline"]
    done = outside(lab, empty, "ansible-galaxy", "collection", "install", str(tarball), *into)
    assert done.status == 0, done.output
    return empty


def outside(lab: Lab, directory: Path, *command: str) -> Run:
    """Run in a directory without anything of the checkout: its ansible.cfg knows the checkout as a collection."""
    settings = {
        "ANSIBLE_COLLECTIONS_PATH": str(directory / "collections"),
        "ANSIBLE_FORKS": "12",
        "ANSIBLE_PIPELINING": "1",
    }
    unset = [f"--unset={name}" for name in lab.env if name.startswith("ANSIBLE_") and name not in KEPT]
    return lab.run(
        "env", f"--chdir={directory}", *unset, *(f"{name}={value}" for name, value in settings.items()), *command
    )


def play(lab: Lab, installed: Path, playbook: str) -> Run:
    return outside(lab, installed, "ansible-playbook", "-i", str(lab.inventory), playbook)


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
