# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The vault while secrets rotate: no value is lost at any step, and none is shown."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from repository import ROOT, load, render_with

PLAYBOOK = ROOT / "playbooks" / "rotate_secrets.yml"
HOSTS = 11
NAMES = ["postgresql_role_ledger", "postgresql_role_reports", "postgresql_pooler", "patroni_rest", "redis_app"]


class Vault:
    def __init__(self, folder: Path):
        self.path, self.password = folder / "vault.yml", folder / "password"
        self.password.write_text("opens the vault of a test\n")
        self.before = {name: f"{name}-{'x' * 40}" for name in NAMES}
        self.write({"platform_secrets": self.before, "somebody": "keeps this here"})

    @property
    def tool(self):
        return VaultLib([("default", VaultSecret(self.password.read_bytes().strip()))])

    def write(self, content):
        self.path.write_bytes(self.tool.encrypt(yaml.safe_dump(content)))

    def read(self):
        assert self.path.read_text().startswith("$ANSIBLE_VAULT;")
        return yaml.safe_load(self.tool.decrypt(self.path.read_bytes()))

    def run(self, step, **variables):
        given = {"vault": str(self.path), "vault_password": str(self.password), "step": step}
        names = [name for name in NAMES if name != "redis_app"]
        words = ["-vvv", f"--vault-password-file={self.password}"]
        done = render_with("rotate_secrets.yml", {**given, "platform_rotated_names": names, **variables}, *words)
        content = self.read()
        values = [*content["platform_secrets"].values(), *(content.get("platform_former_secrets") or {}).values()]
        assert not [value for value in values if value in done.stdout + done.stderr]
        return done


@pytest.fixture
def vault(tmp_path):
    return Vault(tmp_path)


def digest(secrets):
    return hashlib.sha256(json.dumps(secrets).encode()).hexdigest()


def test_a_rotation_from_its_beginning_to_its_end(vault):
    done = vault.run("rotate")
    assert done.returncode == 0, done.stdout + done.stderr
    begun = vault.read()
    assert begun["platform_former_secrets"] == {name: vault.before[name] for name in NAMES if name != "redis_app"}
    assert begun["platform_second_logins"] == ["ledger", "mainstay_pooler", "reports"]
    assert begun["platform_secrets"]["redis_app"] == vault.before["redis_app"]
    assert not set(begun["platform_secrets"].values()) & set(begun["platform_former_secrets"].values())
    assert begun["somebody"] == "keeps this here"
    # Every host of the run goes on with the new ones.
    said = f"uses {digest(begun['platform_secrets'])},"
    assert done.stdout.count(said) == HOSTS, done.stdout

    # A run that was killed here is gone on with: nothing is renewed once more.
    assert vault.run("rotate").returncode == 0
    assert vault.read() == begun

    assert vault.run("finish").returncode == 0
    ended = vault.read()
    assert ended == {**begun, "platform_former_secrets": {}}

    # The next one moves one role back to its first login, and leaves the others.
    assert vault.run("rotate", secrets_only="postgresql_role_ledger, patroni_rest").returncode == 0
    assert vault.read()["platform_second_logins"] == ["mainstay_pooler", "reports"]
    assert sorted(vault.read()["platform_former_secrets"]) == ["patroni_rest", "postgresql_role_ledger"]


def test_a_secret_that_cannot_rotate_is_refused(vault):
    done = vault.run("preflight", secrets_only="redis_app,patroni_rest")
    assert done.returncode != 0
    assert "rotate_only: found redis_app; expected some of" in " ".join(done.stdout.split())
    assert vault.read()["platform_secrets"] == vault.before


def test_new_names_are_added_beside_what_a_rotation_left(vault):
    content = {**vault.read(), "platform_second_logins": ["ledger"]}
    vault.write(content)
    more = {
        "platform_secrets": vault.before,
        "platform_secret_names": [*NAMES, "new_one"],
        "platform_former_secrets": {},
    }
    done = vault.run("main", **more)
    assert done.returncode == 0, done.stdout + done.stderr
    found = vault.read()
    assert len(found["platform_secrets"].pop("new_one")) == 48
    assert found == content


def test_the_former_secrets_go_last():
    steps = [
        task["ansible.builtin.include_role"]
        for play in load(PLAYBOOK)
        for task in play.get("tasks") or []
        if "ansible.builtin.include_role" in task
    ]
    names = [step["tasks_from"] for step in steps]
    assert names[:2] == ["preflight", "rotate"] and names[-1] == "finish"
    # Nobody is cut off who is still there, and what was closed is tried before the vault forgets it.
    assert names.index("verify_former") < names.index("close") < names.index("finish")
    assert [name for name in names[names.index("close") :] if name == "verify_logins"] == ["verify_logins"] * 3


def test_redis_closes_its_former_passwords_when_every_client_has_the_new_ones():
    plays = load(PLAYBOOK)
    order = [play.get("ansible.builtin.import_playbook") or play["name"] for play in plays]
    opened, closed = order.index("Open the new passwords of Redis"), order.index("Close the former passwords of Redis")
    clients = [order.index(name) for name in ("Give the edge its own", "Give the backups theirs", "app.yml")]
    assert opened < min(clients) and max(clients) < closed < order.index("Have the new secrets only in the vault")
    assert plays[closed]["roles"] == [{"role": "mainstay.platform.redis", "redis_former_passwords": {}}]


def test_no_play_of_a_rotation_leaves_a_host_behind():
    plays = [play for play in load(PLAYBOOK) if "hosts" in play]
    assert plays and all(play.get("any_errors_fatal") is True for play in plays)
