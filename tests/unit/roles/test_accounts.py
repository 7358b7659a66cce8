# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is made in a new cluster: also after a rotation every role that owns databases, whoever logs in for it."""

from __future__ import annotations

import json

import pytest
from repository import render_with


@pytest.mark.parametrize("second", [[], ["ledger", "mainstay_pooler"]])
def test_the_role_behind_a_login_is_made_too(tmp_path, second):
    done = render_with("accounts.yml", {"out": str(tmp_path / "made"), "platform_second_logins": second})
    assert done.returncode == 0, done.stdout + done.stderr
    made = {account["name"]: account for account in json.loads((tmp_path / "made").read_text())}
    for role in ("ledger", "mainstay_pooler"):
        login = f"{role}_2" if second else role
        assert made[login]["password"]
        assert "flags" not in made[login]
        if second:
            assert not made[role]["password"]
            assert made[role]["flags"].startswith("NOLOGIN,")
    assert made["mainstay_replication"]["flags"].startswith("LOGIN,REPLICATION")
    # An older vault has them the other way round.
    pair = "('ledger_2', 'ledger'), " if second else "('ledger', 'ledger_2'), "
    assert f"(values {pair}" in (tmp_path / "made.sql").read_text()
