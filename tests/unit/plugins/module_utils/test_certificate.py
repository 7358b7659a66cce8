# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils._certificate import (
    covers,
    judge,
    parse_staple,
    parse_x509,
)
from ansible_collections.mainstay.platform.plugins.module_utils._certificate_client import (
    CertificateError,
    chain_error,
    fetch_chain,
)

DAY = 86400
PRINTED = """notBefore=Nov 21 09:02:00 2026 GMT
notAfter=Nov 21 09:02:00 2027 GMT
subject=CN = db1
X509v3 Subject Alternative Name:
    DNS:DB1, DNS:*.example.org, IP Address:192.0.2.11, IP Address:2001:DB8:0:0:0:0:0:1
"""
CERTIFICATE = parse_x509(PRINTED)
START = CERTIFICATE["not_before"]
FACTS = {"object": "/c.crt", "key_matches": None, "chain_error": None}


def test_parse_x509():
    assert CERTIFICATE["names"] == ["db1", "*.example.org", "192.0.2.11", "2001:db8::1"]
    assert CERTIFICATE["not_after"] - START == 365 * DAY


@pytest.mark.parametrize(
    "wanted, expected",
    [
        ("db1", True),
        ("DB1", True),
        ("a.example.org", True),
        ("a.b.example.org", False),
        ("example.org", False),
        ("2001:db8::1", True),
        ("db2", False),
    ],
)
def test_covers(wanted, expected):
    assert covers(CERTIFICATE["names"], wanted) is expected


@pytest.mark.parametrize(
    "at, facts, names, message",
    [
        (DAY, {}, ["db1", "192.0.2.11"], None),
        (DAY, {"key_matches": True, "chain_error": ""}, [], None),
        (-DAY, {}, [], "not valid yet"),
        (340 * DAY, {}, [], "found 25 days left; expected at least 30"),
        (366 * DAY, {}, [], "found it expired on Nov 21 09:02:00 2027 GMT"),
        (DAY, {}, ["db1", "db2"], "expected db2 too"),
        (DAY, {"key_matches": False}, [], "found a key that is not its own"),
        (DAY, {"chain_error": "unable to get local issuer certificate"}, [], "found its chain refused (unable"),
    ],
)
def test_judge(at, facts, names, message):
    found = judge(CERTIFICATE, {**FACTS, **facts}, {"names": names, "min_days": 30}, START + at)["problems"]
    assert found == [] if message is None else len(found) == 1 and message in found[0]


def test_chain_error_takes_openssls_words():
    printed = (
        "C = x\nerror 20 at 0 depth lookup: unable to get local issuer certificate\nerror c.crt: verification failed\n"
    )
    assert chain_error(lambda command: (2, "", printed), "c.crt", "ca.crt") == "unable to get local issuer certificate"


@pytest.mark.parametrize(
    "code, err, message",
    [
        (124, "", "no answer in time"),
        (1, "80:error:8000006F:system library:BIO_connect:Connection refused:file.c:117:x\n", "connection refused"),
        (1, "", "no certificate"),
    ],
)
def test_fetch_chain_says_why_there_is_none(code, err, message):
    with pytest.raises(CertificateError, match=message):
        fetch_chain(lambda command, data: (code, "", err), "127.0.0.1", 1, None, None, 2)


def stapled(status="good", ends="    Next Update: Nov 30 09:02:00 2026 GMT\n"):
    return f"OCSP response: \n    OCSP Response Status: successful (0x0)\n    Cert Status: {status}\n{ends}"


@pytest.mark.parametrize(
    "responder, printed, problem, said",
    [
        ("", "OCSP response: no response sent\n", None, "names no OCSP responder"),
        ("http://o", stapled(), None, "OCSP good until Nov 30 09:02:00 2026 GMT"),
        ("http://o", stapled(ends=""), None, "OCSP good until never"),
        (
            "http://o",
            "OCSP response: no response sent\n",
            "no OCSP response; expected one of http://o",
            "no OCSP response",
        ),
        ("http://o", stapled("revoked"), "found the OCSP status revoked", "OCSP revoked"),
        ("http://o", stapled(ends="    Next Update: Nov 21 09:02:00 2026 GMT\n"), "that ended on Nov 21", "OCSP good"),
    ],
)
def test_an_ocsp_response_is_judged_where_a_responder_is_named(responder, printed, problem, said):
    facts = {**FACTS, "responder": responder, "staple": parse_staple(printed)}
    found = judge(CERTIFICATE, facts, {"names": [], "min_days": 0}, START + DAY)
    assert said in found["evidence"]
    assert (
        found["problems"] == [] if problem is None else len(found["problems"]) == 1 and problem in found["problems"][0]
    )


def test_the_responders_own_certificate_is_not_taken_for_the_servers():
    shown = "-----BEGIN CERTIFICATE-----\nc2hvd24=\n-----END CERTIFICATE-----\n"
    printed = shown.replace("c2hvd24=", "b3RoZXI=") + stapled() + "---\nCertificate chain\n 0 s:CN = x\n" + shown
    assert fetch_chain(lambda command, data: (0, printed, ""), "127.0.0.1", 1, None, None, 2)[0] == shown
