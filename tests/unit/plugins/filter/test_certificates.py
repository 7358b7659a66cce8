# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import datetime

import pytest

x509 = pytest.importorskip("cryptography.x509")
from ansible_collections.mainstay.platform.plugins.filter import certificates  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.timezone.utc)
MODES = "/etc/tls/host.crt=644:root:root"


def text(thing):
    return thing.public_bytes(serialization.Encoding.PEM).decode()


def key_text(key):
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def make(subject, names=(), issuer=None, issuer_key=None, days=100, usages=()):
    """A certificate and its key; signed by itself without an issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=1))
        .not_valid_after(NOW + datetime.timedelta(days=days))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(item) for item in names]), False)
    else:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
    return builder.sign(issuer_key or key, hashes.SHA256()), key


@pytest.fixture(scope="module")
def authority():
    return make("authority", days=3000)


@pytest.fixture(scope="module")
def host(authority):
    return make("db1", ["db1", "*.example.org"], *authority)


def judge(host, authority, **given):
    options = {"names": ["db1"], "days": 30, "now": NOW, "key": key_text(host[1])}
    return certificates.certificate_problems(text(host[0]), text(authority[0]), **(options | given))


def test_a_good_certificate_has_no_problem(host, authority):
    assert judge(host, authority) == []


def test_a_wildcard_covers_one_label(host, authority):
    assert judge(host, authority, names=["www.example.org"]) == []
    assert "expected also a.b.example.org" in judge(host, authority, names=["a.b.example.org"])[0]


def test_an_address_is_not_covered_by_a_name(host, authority):
    assert "expected also 10.0.0.1" in judge(host, authority, names=["10.0.0.1"])[0]


def test_the_key_of_another_pair(host, authority):
    other = ec.generate_private_key(ec.SECP256R1())
    assert judge(host, authority, key=key_text(other))[0].startswith("key: found one of another pair")


def test_a_digest_stands_for_the_key(host, authority):
    digest = certificates._digest(host[1].public_key())
    assert judge(host, authority, key=None, key_digest=digest) == []
    assert judge(host, authority, key=None, key_digest="")[0].startswith("key: found none")


def test_a_certificate_that_ends_soon(host, authority):
    assert "expected at least 101 more days" in judge(host, authority, days=101)[0]


def test_a_certificate_of_the_future(host, authority):
    assert "valid from" in judge(host, authority, now=NOW - datetime.timedelta(days=5))[0]


def test_another_authority_of_the_same_name(host):
    assert judge(host, make("authority"))[0].startswith("chain: found CN=db1")


def test_an_intermediate_that_follows_the_certificate(authority):
    between = make("between", (), *authority)
    host = make("db1", ["db1"], *between)
    chain = text(host[0]) + text(between[0])
    assert certificates.certificate_problems(chain, text(authority[0]), ["db1"], 30, key_text(host[1]), now=NOW) == []
    assert judge(host, authority)[0].startswith("chain:")


def test_an_intermediate_that_has_ended(authority):
    between = make("between", (), *authority, days=10)
    host = make("db1", ["db1"], *between)
    chain = (host[0], between[0])
    given = {"names": ["db1"], "key": key_text(host[1]), "now": NOW + datetime.timedelta(days=20)}
    (said,) = certificates.certificate_problems("".join(map(text, chain)), text(authority[0]), **given)
    assert said.startswith("chain: CN=between: found its end at 2026-06-11")


def test_a_signer_that_is_no_authority(authority):
    between = make("web", ["web"], *authority)
    host = make("db1", ["db1"], *between)
    chain = text(host[0]) + text(between[0])
    (said,) = certificates.certificate_problems(chain, text(authority[0]), ["db1"], 30, key_text(host[1]), now=NOW)
    assert said == "chain: found CN=web, which is no authority, expected one that may sign"


def test_an_authority_of_a_bundle_that_has_ended_does_not_matter_unless_it_signed(host, authority):
    old = make("old", days=1)
    later = NOW + datetime.timedelta(days=20)
    given = {"names": ["db1"], "key": key_text(host[1]), "now": later}
    assert certificates.certificate_problems(text(host[0]), text(authority[0]) + text(old[0]), **given) == []


@pytest.mark.parametrize(
    ("purposes", "usages", "said"),
    [
        (["SERVER_AUTH"], ["server"], []),
        (["SERVER_AUTH", "CLIENT_AUTH"], ["server", "client"], []),
        ([], ["server", "client"], []),
        (["SERVER_AUTH"], ["server", "client"], ["usage: found server, expected also client"]),
        (["CODE_SIGNING"], ["server", "client"], ["usage: found neither, expected also server and client"]),
    ],
)
def test_what_a_certificate_is_good_for(authority, purposes, usages, said):
    known = [getattr(x509.ExtendedKeyUsageOID, name) for name in purposes]
    assert judge(make("db1", ["db1"], *authority, usages=known), authority, usages=usages) == said


def test_text_that_is_no_certificate(authority):
    assert "certificate: found no readable certificate" in certificates.certificate_problems("x", text(authority[0]))[0]


def reading(host, authority, modes=MODES):
    coded = [base64.b64encode(text(item[0]).encode()).decode() for item in (host, authority)]
    return "|".join([modes + " ", certificates._digest(host[1].public_key()), *coded])


def test_what_a_host_said_is_taken_apart(host, authority):
    found = certificates.host_certificate(reading(host, authority))
    assert found["modes"] == MODES
    assert found["certificate"] == text(host[0])
    assert certificates.host_certificate("") == {
        "modes": "",
        "key_digest": "",
        "certificate": "",
        "authority": "",
        "revocations": "",
    }


def test_a_key_that_everybody_may_read_and_a_changed_authority(authority):
    host = make("db1", ["db1"], *authority, days=20000)
    said = reading(host, authority, MODES.replace("644", "666"))
    problems = certificates.host_certificate_problems(said, MODES, ["db1"], 30, authority=text(make("new")[0]))
    assert problems[0] == "files: found /etc/tls/host.crt=666:root:root, expected /etc/tls/host.crt=644:root:root"
    assert problems[1].startswith("authority: found others")


def test_a_certificate_of_the_authority_that_signs_no_more(authority):
    host, new = make("db1", ["db1"], *authority, days=20000), make("new", days=20000)
    both = text(authority[0]) + text(new[0])
    said = reading(host, authority).rpartition("|")[0] + "|" + base64.b64encode(both.encode()).decode()
    given = {"modes": MODES, "names": ["db1"], "days": 30, "authority": both}
    assert certificates.host_certificate_problems(said, **given, signer=text(authority[0])) == []
    assert certificates.host_certificate_problems(said, **given, signer=text(new[0]))[0].startswith(
        "chain: found CN=db1"
    )


def revocation_list(authority, *hosts):
    made = x509.CertificateRevocationListBuilder(authority[0].subject, NOW, NOW + datetime.timedelta(days=20000))
    for host in hosts:
        made = made.add_revoked_certificate(x509.RevokedCertificateBuilder(host[0].serial_number, NOW).build())
    return made.sign(authority[1], hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def test_another_list_is_told_from_being_on_it(authority):
    host = make("db1", ["db1"], *authority, days=20000)
    empty, full = revocation_list(authority), revocation_list(make("new")) + revocation_list(authority, host)
    said = f"{reading(host, authority)}|{base64.b64encode(empty.encode()).decode()}"
    given = {"modes": MODES, "names": ["db1"], "days": 30}
    assert certificates.host_certificate_problems(said, **given, revocations=empty) == []
    problems = certificates.host_certificate_problems(said, **given, revocations=full)
    assert [problem.partition(":")[0] for problem in problems] == ["revocations", "revoked"]
    said = f"{reading(host, authority)}|{base64.b64encode(full.encode()).decode()}"
    assert certificates.host_certificate_problems(said, **given)[0].startswith("revoked: ")
