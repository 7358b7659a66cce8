# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.modules import postgres_login_check as module

NEW = {"user": "ledger_2", "password": "new-secret", "database": "ledger", "replication": False}
FORMER = {"user": "ledger", "password": "former-secret", "database": "ledger", "replication": False}


def problems(answers):
    params = {"hosts": ["192.0.2.1", "192.0.2.2"], "accepted": [NEW], "refused": [FORMER]}
    return module.check(params, lambda login, host, _params: answers.get((login["user"], host)))


def test_what_is_as_expected_is_no_problem():
    refused = 'FATAL: password authentication failed for user "ledger"'
    assert problems({("ledger", "192.0.2.1"): refused, ("ledger", "192.0.2.2"): "FATAL: no such user"}) == []


def test_a_former_password_that_works_is_a_problem():
    found = problems({("ledger", "192.0.2.1"): "FATAL: SASL authentication failed"})
    assert found == ["ledger at 192.0.2.2: found it let in; expected the former password to be refused"]


def test_a_server_that_is_away_has_refused_nobody():
    away = {
        (user, host): "Connection refused" for user in ("ledger", "ledger_2") for host in ("192.0.2.1", "192.0.2.2")
    }
    found = problems(away)
    assert len(found) == 4 and all("found Connection refused" in text for text in found)
    assert not [text for text in found if "secret" in text]


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (None, False),
        ("server closed the connection unexpectedly", False),
        ("FATAL: no pg_hba.conf entry for host", False),
        ('FATAL: role "ledger" is not permitted to log in', True),
    ],
)
def test_only_a_wrong_password_or_user_is_a_refusal(answer, refusal):
    assert module.is_refusal(answer) is refusal
