# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Preflight names the files beside an inventory in which secrets stand in clear, and no others."""

from __future__ import annotations

import subprocess

import pytest
from repository import ROOT, load

(LOOK,) = [
    task["vars"]["__preflight_clear"]
    for task in load(ROOT / "roles/preflight/tasks/secrets.yml")
    if "__preflight_clear" in task.get("vars", {})
]
VAULTED = "$ANSIBLE_VAULT;1.1;AES256\n6162\n"


@pytest.mark.parametrize(
    ("text", "clear"),
    [
        ("platform_secrets:\n  redis_app: abc\n", True),
        ("platform_secrets:\n  # of the vault\n  'redis_app': \"abc\"\nother: 1\n", True),
        ("platform_secrets: {redis_app: abc}\n", True),
        ("platform_former_secrets:\n    redis_app: abc\n", True),
        (VAULTED, False),
        (
            "platform_secrets:\n  redis_app: !vault |\n    $ANSIBLE_VAULT;1.1;AES256\n    6162\nother:\n  name: abc\n",
            False,
        ),
        ("platform_secrets:\n  redis_app: \"{{ lookup('x') }}\"\n", False),
        ("platform_secrets: \"{{ lookup('x') }}\"\nother:\n  name: abc\n", False),
        ("platform_former_secrets: {}\nplatform_secret_names: [redis_app]\n", False),
        ('platform_secrets: {redis_app: "{{ vault_redis_app }}"}\n', False),
        ("platform_secrets:\n  redis_app: >-\n    {{ lookup('x') }}\n  one: ''\n  two: \"a{{ x }}\"\n", False),
    ],
)
def test_values_in_clear_are_found(tmp_path, text, clear):
    (tmp_path / "group_vars" / "all").mkdir(parents=True)
    (tmp_path / "group_vars" / "all" / "secrets.yml").write_text(text)
    done = subprocess.run(["sh", "-c", LOOK, "clear", str(tmp_path)], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ([f"{tmp_path}/group_vars/all/secrets.yml"] if clear else [])


def test_an_inventory_without_variables_has_none(tmp_path):
    done = subprocess.run(["sh", "-c", LOOK, "clear", str(tmp_path)], check=True, capture_output=True, text=True)
    assert done.stdout == "" and done.stderr == ""
