# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.filter.repositories import offsite_repository

GIVEN = {
    "bucket": "backups",
    "endpoint": "s3.example.com",
    "region": "eu-1",
    "key": "access",
    "key_secret": "not-a-real-secret",
    "cipher_password": "not-real-either",
    "retention_days": 90,
}


def test_lines_carry_the_number_and_verified_encryption():
    lines = offsite_repository(GIVEN, 2).splitlines()
    assert all(line.startswith("repo2-") for line in lines)
    assert {"repo2-type=s3", "repo2-path=/", "repo2-s3-bucket=backups", "repo2-retention-full=90"} <= set(lines)
    assert {"repo2-storage-verify-tls=y", "repo2-cipher-type=aes-256-cbc", "repo2-s3-uri-style=host"} <= set(lines)
    assert not any("ca-file" in line for line in lines)


def test_options_are_taken():
    lines = offsite_repository({**GIVEN, "ca_file": "/etc/ca.crt", "uri_style": "path", "path": "/apg"}, 3)
    assert "repo3-storage-ca-file=/etc/ca.crt" in lines
    assert "repo3-s3-uri-style=path" in lines
    assert "repo3-path=/apg" in lines


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bucket": None}, "found no bucket"),
        ({"key_secret": ""}, "found no key_secret"),
        ({"buckt": "x"}, "found buckt"),
    ],
)
def test_what_is_missing_or_unknown_is_refused_without_a_secret(changes, message):
    with pytest.raises(AnsibleFilterError, match=message) as raised:
        offsite_repository({**GIVEN, **changes}, 2)
    assert "not-a-real-secret" not in str(raised.value)
