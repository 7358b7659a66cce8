# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Operators come through a bastion, so its sshd forwards connections; that of no other host does."""

from __future__ import annotations

import pytest
from repository import ROOT, render_with

WHO = {"name": "db1", "address": "10.0.21.11"}
OTHER = {"name": "edge1", "address": "10.0.11.11"}


@pytest.mark.parametrize(("bastions", "forwards"), [([OTHER, WHO], "local"), ([OTHER], "no"), ([], "no")])
def test_only_a_bastion_forwards(tmp_path, bastions, forwards):
    given = {"role": "hardening", "host": "db1", "templates": ["sshd.conf"], "out": str(tmp_path)}
    given |= {"role_path": str(ROOT / "roles/hardening"), "hardening_ssh_kex": ["curve25519-sha256"]}
    done = render_with("render_role.yml", {**given, "platform_members": {"all": [WHO], "bastion": bastions}})
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"AllowTcpForwarding {forwards}" in (tmp_path / "sshd.conf").read_text().splitlines()
