"""The directory of the authority: what is read from it, and a rotation that is killed at any point."""

from __future__ import annotations

import base64
import re
import subprocess
from pathlib import Path

import pytest

from tests.unit.roles.repository import ROOT, load

VARS = load(ROOT / "roles/certificates/vars/main.yml")
COMMANDS = VARS["__certificates_rotation_commands"]


def sh(place: Path, command: str) -> str:
    return subprocess.run(["sh", "-c", command], cwd=place, capture_output=True, text=True, check=True).stdout


def read(place: Path) -> tuple[str, ...]:
    """Key there, who signs, who is trusted, step."""
    command = VARS["__certificates_authority_command"].replace("{{ certificates_authority_dir | quote }}", str(place))
    key, signer, trusted, step = sh(place.parent, command).strip().split("|")
    return key, base64.b64decode(signer).decode(), base64.b64decode(trusted).decode(), step


def make(place: Path, name: str) -> None:
    place.mkdir(exist_ok=True)
    for ending in ("key", "crt"):
        (place / f"ca.{ending}").write_text(f"{name}.{ending}\n")


@pytest.fixture
def place(tmp_path) -> Path:
    make(tmp_path / "ca", "old")
    return tmp_path / "ca"


def signs(place: Path) -> str:
    """The key beside the certificate that signs."""
    return (place / ("next" if read(place)[3] == "sign" else ".") / "ca.key").read_text()


def test_a_host_without_an_authority(tmp_path):
    assert read(tmp_path / "nowhere") == ("", "", "", "")


def test_the_steps_of_a_rotation(place):
    assert read(place) == ("key", "old.crt\n", "old.crt\n", "")
    make(place / "next", "new")
    assert read(place) == ("key", "old.crt\n", "old.crt\nnew.crt\n", "trust")
    sh(place, COMMANDS["sign"])
    assert read(place) == ("key", "new.crt\n", "old.crt\nnew.crt\n", "sign")
    sh(place, COMMANDS["end"])
    assert read(place) == ("key", "new.crt\n", "new.crt\n", "")
    assert sorted(path.name for path in place.iterdir()) == ["ca.crt", "ca.key"]


def test_a_new_authority_that_is_half_made_counts_for_nothing(place):
    (place / "next").mkdir()
    (place / "next/ca.key").write_text("new.key\n")
    (place / "next/ca.crt").touch()
    assert read(place) == ("key", "old.crt\n", "old.crt\n", "")


def test_an_end_that_is_killed_anywhere_is_taken_again(place, tmp_path):
    parts = re.split(r"(&&|;)", COMMANDS["end"])
    for count in range(1, len(parts) + 1, 2):
        here = tmp_path / f"killed{count}"
        make(here, "old")
        make(here / "next", "new")
        sh(here, COMMANDS["sign"])
        sh(here, "".join(parts[:count]))
        key, signer, trusted, step = read(here)
        # Who signs has its own key and is trusted, wherever it was killed.
        assert (key, signer, signs(here)) == ("key", "new.crt\n", "new.key\n")
        assert signer in trusted
        if step == "sign":
            sh(here, COMMANDS["end"])
        assert read(here) == ("key", "new.crt\n", "new.crt\n", "")
