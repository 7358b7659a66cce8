# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that say what is wrong with a certificate; one sidecar YAML documents each."""

from __future__ import annotations

import base64
import datetime
import hashlib

from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.module_utils._certificate import covers
from ansible_collections.mainstay.platform.plugins.plugin_utils._certificate_chain import (
    REVOKED,
    chain_problem,
    date_problem,
    is_listed,
    issuer_problems,
    issuers,
    list_problems,
    revocation_lists,
    usage_problem,
)

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    HAS_CRYPTOGRAPHY = True
except ImportError:
    HAS_CRYPTOGRAPHY = False


def _digest(public_key):
    """SHA-256 of a public key in the form that OpenSSL prints with -pubout -outform DER."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(public_key.public_bytes(serialization.Encoding.DER, form)).hexdigest()


def _load(text, what):
    """All certificates of a PEM text; an error that names the object when there is none."""
    try:
        return x509.load_pem_x509_certificates(text.encode()), ""
    except ValueError:
        return [], f"{what}: found no readable certificate, expected one or more in PEM"


def _names(certificate):
    """The names and addresses that a certificate is good for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    addresses = {str(address) for address in found.get_values_for_type(x509.IPAddress)}
    return addresses | set(found.get_values_for_type(x509.DNSName))


def _key_problem(certificate, key, key_digest):
    if key is not None:
        try:
            key_digest = _digest(serialization.load_pem_private_key(key.encode(), password=None).public_key())
        except (ValueError, TypeError):
            return "key: found no readable private key, expected one in PEM without a passphrase"
    if _digest(certificate.public_key()) == key_digest:
        return ""
    return f"key: found {'one of another pair' if key_digest else 'none'}, expected the private key of the certificate"


def certificate_problems(
    certificate, authority, names=None, days=0, key=None, key_digest="", now=None, usages=("server",), revocations=""
):
    """List what is wrong with a certificate (with its chain), given its authority, and its key or the key's digest."""
    if not HAS_CRYPTOGRAPHY:
        raise AnsibleFilterError(
            "mainstay.platform.certificate_problems needs the Python library cryptography on the controller"
        )
    now = now or datetime.datetime.now(datetime.timezone.utc)
    chain, problem = _load(certificate, "certificate")
    authorities, authority_problem = _load(authority, "authority")
    if problem or authority_problem:
        return [text for text in (problem, authority_problem) if text]
    found = _names(chain[0])
    missing = sorted(name for name in names or [] if not covers(found, name))
    problems = [_key_problem(chain[0], key, key_digest)]
    if missing:
        problems.append(f"names: found {', '.join(sorted(found)) or 'none'}, expected also {', '.join(missing)}")
    problems += [f"certificate: {text}" for text in (date_problem(chain[0], days, now),) if text]
    problems += [f"chain: {text}" for text in (chain_problem(chain, authorities),) if text]
    # A certificate that is its own authority is for the one who supplies it to judge.
    problems += [usage_problem(chain[0], usages), *issuer_problems(issuers(chain, authorities), now)]
    problems += list_problems(revocations, chain[0], now) if revocations else []
    return [text for text in problems if text]


def host_certificate(reading):
    """Take apart what a host said of its files: five fields, joined by bars."""
    modes, key_digest, *files = (reading.strip().split("|") + [""] * 5)[:5]
    texts = [base64.b64decode(field).decode() for field in files]
    found = dict(zip(("certificate", "authority", "revocations"), texts, strict=True))
    return {"modes": modes.strip(), "key_digest": key_digest, **found}


def host_certificate_problems(reading, modes, names, days, authority="", signer="", revocations=""):
    """List why a host needs a new certificate, from its reading.

    Given authorities and revocation lists must be those it has, and a given signer the one of its certificate.
    """
    found = host_certificate(reading)
    problems = []
    files, expected = set(found["modes"].split()), set(modes.split())
    if files != expected:
        problems.append(
            f"files: found {' '.join(sorted(files - expected)) or 'none'}, "
            f"expected {' '.join(sorted(expected - files))}"
        )
    if authority and found["authority"].strip() != authority.strip():
        problems.append("authority: found others trusted than those of the environment, expected the same")
    if revocations and found["revocations"].strip() != revocations.strip():
        problems.append("revocations: found other lists than those of the authorities, expected the same")
    # Each list of ours has the numbers of all authorities: a certificate of one that is gone counts too.
    if any(is_listed(each, revocation_lists(revocations)) for each in _load(found["certificate"], "")[0][:1]):
        problems.append(REVOKED)
    problems += certificate_problems(
        found["certificate"],
        signer or found["authority"],
        names=names,
        days=days,
        key_digest=found["key_digest"],
        revocations=revocations or found["revocations"],
    )
    return list(dict.fromkeys(problems))


class FilterModule:
    def filters(self):
        return {
            "certificate_problems": certificate_problems,
            "host_certificate": host_certificate,
            "host_certificate_problems": host_certificate_problems,
        }
