# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import subprocess

import pytest


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An authority, a host certificate of 60 days under it with its key, and a key that is not its own."""
    place = tmp_path_factory.mktemp("tls")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(
        "req", "-x509", *key, "-days", "90", "-subj", "/CN=ca", "-keyout", f"{place}/ca.key", "-out", f"{place}/ca.crt"
    )
    openssl("req", *key, "-subj", "/CN=db1", "-keyout", f"{place}/host.key", "-out", f"{place}/host.csr")
    (place / "names").write_text("subjectAltName=DNS:db1,IP:192.0.2.11\n")
    signer = ["-CA", f"{place}/ca.crt", "-CAkey", f"{place}/ca.key", "-CAcreateserial", "-extfile", f"{place}/names"]
    openssl("x509", "-req", "-in", f"{place}/host.csr", *signer, "-days", "60", "-out", f"{place}/host.crt")
    return place


def test_a_good_certificate(run_module, folder):
    result = run_module(
        "certificate_check",
        path=f"{folder}/host.crt",
        key_path=f"{folder}/host.key",
        ca_path=f"{folder}/ca.crt",
        names=["db1", "192.0.2.11"],
    )
    assert (result["changed"], result["problems"], result["days_left"]) == (False, [], 59)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"key_path": "ca.key"}, "found a key that is not its own"),
        ({"ca_path": "host.crt"}, "found its chain refused"),
    ],
)
def test_a_wrong_key_or_authority(run_module, folder, arguments, message):
    paths = {key: f"{folder}/{name}" for key, name in arguments.items()}
    result = run_module("certificate_check", path=f"{folder}/host.crt", **paths)
    assert result["failed"] and message in result["msg"]


def test_a_missing_file_is_named(run_module, folder):
    result = run_module("certificate_check", path=f"{folder}/none.crt")
    assert result["failed"] and f"{folder}/none.crt: found no readable certificate" in result["msg"]
