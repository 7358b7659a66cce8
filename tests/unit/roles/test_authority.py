"""The directory of the authority: what is read from it, and a rotation that is killed at any point."""

from __future__ import annotations

import base64
import re
import subprocess
from pathlib import Path

import pytest
from jinja2.nativetypes import NativeEnvironment

from tests.unit.roles.repository import ROOT, load

VARS = load(ROOT / "roles/certificates/vars/main.yml")
COMMANDS = VARS["__certificates_rotation_commands"]


def sh(place: Path, command: str) -> str:
    return subprocess.run(["sh", "-c", command], cwd=place, capture_output=True, text=True, check=True).stdout


def read(place: Path) -> tuple[str, ...]:
    """Key there, who signs, who is trusted, whose lists, step: by the role's own expressions."""
    command = VARS["__certificates_authority_command"].replace("{{ certificates_authority_dir | quote }}", str(place))
    known = {"__certificates_authority_found": {"stdout": sh(place.parent, command).strip()}}
    for name in ("authority", "step", "authorities", "signer", "trusted", "revocations"):
        known[f"__certificates_{name}"] = evaluated(VARS[f"__certificates_{name}"], known)
    return known["__certificates_authority"][0], *(
        known[f"__certificates_{name}"] for name in ("signer", "trusted", "revocations", "step")
    )


def evaluated(text: str, known: dict):
    environment = NativeEnvironment()
    environment.filters |= {
        "split": str.split,
        "b64decode": lambda coded: base64.b64decode(coded).decode(),
    }
    return environment.from_string(text).render(known)


def make(place: Path, name: str) -> None:
    (place / "issued").mkdir(parents=True)
    (place / "issued" / name).touch()
    for ending in ("key", "crt", "crl"):
        (place / f"ca.{ending}").write_text(f"{name}.{ending}\n")


@pytest.fixture
def place(tmp_path) -> Path:
    make(tmp_path / "ca", "old")
    return tmp_path / "ca"


def signs(place: Path) -> str:
    """The key beside the certificate that signs."""
    return (place / ("next" if read(place)[4] == "sign" else ".") / "ca.key").read_text()


def test_a_host_without_an_authority(tmp_path):
    assert read(tmp_path / "nowhere") == ("", "", "", "", "")


def test_the_steps_of_a_rotation(place):
    assert read(place) == ("key", "old.crt\n", "old.crt\n", "old.crl\n", "")
    make(place / "next", "new")
    assert read(place) == ("key", "old.crt\n", "old.crt\nnew.crt\n", "old.crl\nnew.crl\n", "trust")
    sh(place, COMMANDS["sign"])
    assert read(place) == ("key", "new.crt\n", "old.crt\nnew.crt\n", "old.crl\nnew.crl\n", "sign")
    sh(place, COMMANDS["end"])
    assert read(place) == ("key", "new.crt\n", "new.crt\n", "new.crl\n", "end")
    sh(place, COMMANDS["done"])
    assert read(place)[4] == ""
    assert sorted(path.name for path in place.iterdir()) == ["ca.crl", "ca.crt", "ca.key", "issued"]
    assert (place / "issued/new").exists() and not (place / "issued/old").exists()


def test_a_new_authority_that_is_half_made_counts_for_nothing(place):
    (place / "next").mkdir()
    (place / "next/ca.key").write_text("new.key\n")
    (place / "next/ca.crt").touch()
    assert read(place) == ("key", "old.crt\n", "old.crt\n", "old.crl\n", "")


def test_an_end_that_is_killed_anywhere_is_taken_again(place, tmp_path):
    # Its loop, written out.
    loop = re.search(r"for each in (.+?); do (.+?) \|\| exit; done", COMMANDS["end"])
    steps = " && ".join(loop[2].replace("$each", name) for name in loop[1].split())
    parts = re.split(r"(&&|;)", COMMANDS["end"].replace(loop[0], steps))
    for count in range(1, len(parts) + 1, 2):
        here = tmp_path / f"killed{count}"
        make(here, "old")
        make(here / "next", "new")
        sh(here, COMMANDS["sign"])
        sh(here, "".join(parts[:count]))
        key, signer, trusted, _lists, step = read(here)
        # Who signs has its own key and is trusted, wherever it was killed.
        assert (key, signer, signs(here)) == ("key", "new.crt\n", "new.key\n")
        assert signer in trusted
        if step == "sign":
            sh(here, COMMANDS["end"])
        assert read(here) == ("key", "new.crt\n", "new.crt\n", "new.crl\n", "end")
