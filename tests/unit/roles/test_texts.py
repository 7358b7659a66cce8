# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people read: links lead somewhere, nothing speaks of one machine, no secret has a value."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
# Folders at the top of any Debian host. A path that begins elsewhere belongs to somebody's own machine.
SYSTEM = re.compile("bin|boot|dev|etc|home|lib|media|mnt|opt|proc|root|run|sbin|srv|sys|tmp|usr|var")
# Where links may lead: what this is made from, and names that are reserved for examples.
PUBLIC = re.compile(
    r"(^|\.)(example|example\.(com|org|net|test)|test|invalid|localhost"
    r"|debian\.org|ubuntu\.com|gnu\.org|github\.com|ansible\.com|prometheus\.io|postgresql\.org|redis\.io|haproxy\.org)$"
)
SECRET_NAMES = yaml.safe_load((ROOT / "roles/platform/defaults/main/secrets.yml").read_text())["platform_secret_names"]


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:  # a copy without its history
        return [
            path for path in ROOT.rglob("*") if path.is_file() and not set(path.parts) & {".cache", ".venv", ".git"}
        ]
    return [ROOT / name for name in listed.stdout.split("\0") if name]


TEXTS = [path for path in tracked() if path.is_file() and not path.is_symlink() and path.suffix not in {".png", ".gz"}]
PAGES = [path for path in TEXTS if path.suffix == ".md"]


def lines(paths):
    for path in paths:
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            yield f"{path.relative_to(ROOT)}:{number}", line


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_sections(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        page = (path.parent / name).resolve() if name else path
        assert page.exists(), target
        if anchor and page.suffix == ".md":
            titles = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}, target


def test_playbooks_that_are_named_exist():
    named = re.compile(r"(?:ansible-playbook\b[^`]*? |import_playbook: )mainstay\.platform\.(\w+)")
    found = [(place, name) for place, line in lines(PAGES) for name in named.findall(line)]
    assert "renew_certificates" in {name for _place, name in found}, "the pattern finds nothing any more"
    assert not [(place, name) for place, name in found if not (ROOT / "playbooks" / f"{name}.yml").is_file()]


def test_links_lead_to_public_places():
    found = [
        f"{place}: {host}"
        for place, line in lines(TEXTS)
        for host in re.findall(r"https?://([a-z0-9][a-z0-9.-]*\.[a-z]{2,})(?=[/:\s\"')>\]]|$)", line)
        if not PUBLIC.search(host)
    ]
    assert not found


def test_texts_name_no_path_of_one_machine():
    found = [
        f"{place}: {line.strip()[:100]}"
        for place, line in lines(PAGES)
        for name in absolute(line)
        if not SYSTEM.fullmatch(name)
    ]
    assert not found


def test_programs_name_no_path_of_one_machine():
    programs = [path for path in TEXTS if path.suffix in {".sh", ".cfg", ".toml"} or path.name in {"Makefile", "run"}]
    found = [
        f"{place}: {line.strip()[:100]}"
        for place, line in lines(programs)
        for name in absolute(line)
        if not SYSTEM.fullmatch(name)
    ]
    assert not found


def absolute(line):
    """The first folder of each absolute path of at least two parts that a line names."""
    return re.findall(r"(?:^|(?<=[\s\"'`=(]))/([a-z]+)/[a-z.]", line)


def test_no_secret_has_a_value():
    names = set(re.findall(r"'([a-z_]+)'", SECRET_NAMES)) - {"name"}
    pattern = re.compile(rf"^\s*({'|'.join(sorted(names))}): *['\"]?[A-Za-z0-9+/=_-]{{16,}}['\"]?\s*$")
    settings = [path for path in TEXTS if path.suffix == ".yml" and "tests" not in path.parts]
    assert not [place for place, line in lines(settings) if pattern.match(line)]
