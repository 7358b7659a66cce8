# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong with a chain of certificates and its revocation lists. Pure; private to this collection."""

from __future__ import annotations

import datetime
import re

try:
    from cryptography import x509
except ImportError:
    x509 = None  # the filter that asks says so

CRL = re.compile(r"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----\n?", re.DOTALL)
REVOKED = "revoked: found the certificate on the list of its authority, expected one that is not"


def date_problem(certificate, days, now):
    end, begin = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    if begin > now:
        return f"found it valid from {begin:%Y-%m-%d %H:%M} UTC only, expected it to be valid now"
    if end < now + datetime.timedelta(days=days):
        return f"found its end at {end:%Y-%m-%d %H:%M} UTC, expected at least {days} more days"
    return ""


def usage_problem(certificate, usages):
    """A certificate that names no purposes is good for all."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return ""
    known = {"server": x509.ExtendedKeyUsageOID.SERVER_AUTH, "client": x509.ExtendedKeyUsageOID.CLIENT_AUTH}
    has = [name for name, purpose in known.items() if purpose in found]
    missing = [name for name in usages if name not in has]
    return f"usage: found {' and '.join(has) or 'neither'}, expected also {' and '.join(missing)}" if missing else ""


def issuer_problems(issuers, now):
    """Whoever signed must be allowed to, and be valid while the certificate is used."""
    for issuer in issuers:
        name = issuer.subject.rfc4514_string()
        try:
            allowed = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            allowed = False
        if not allowed:
            yield f"chain: found {name}, which is no authority, expected one that may sign"
        problem = date_problem(issuer, 0, now)
        if problem:
            yield f"chain: {name}: {problem}"


def chain_problem(chain, authorities):
    """Every certificate must be signed by the next one, and the last one by an authority."""
    for certificate, issuers in [(c, [n]) for c, n in zip(chain, chain[1:], strict=False)] + [(chain[-1], authorities)]:
        if certificate in authorities or any(_signed_by(certificate, issuer) for issuer in issuers):
            continue
        return (
            f"found {certificate.subject.rfc4514_string()} signed by {certificate.issuer.rfc4514_string()},"
            f" expected a signature of {' or '.join(i.subject.rfc4514_string() for i in issuers)}"
        )
    return ""


def issuers(chain, authorities):
    """The certificates above the first one, and of the authorities those that signed the chain."""
    used = [each for each in authorities if each != chain[0] and any(_signed_by(one, each) for one in chain)]
    return list(dict.fromkeys([*chain[1:], *used]))


def _signed_by(certificate, issuer):
    try:
        certificate.verify_directly_issued_by(issuer)
        return True
    except Exception:  # each kind of key raises its own error, and all of them say no
        return False


def revocation_lists(text):
    """All lists of a PEM text; none when one of them cannot be read."""
    try:
        return [x509.load_pem_x509_crl(found.encode()) for found in CRL.findall(text)]
    except ValueError:
        return []


def is_listed(certificate, lists):
    """Whether a certificate is on one of the lists, by its number alone."""
    return any(found.get_revoked_certificate_by_serial_number(certificate.serial_number) for found in lists)


def list_problems(text, certificate, now):
    """A server refuses everybody whose authority's list does not hold now."""
    lists = revocation_lists(text)
    if not lists:
        yield "revocations: found no readable list, expected one or more in PEM"
    for each in lists:
        begin, end = each.last_update_utc, each.next_update_utc
        if end is None or not begin <= now < end:
            span = f"valid from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC" if end else "without an end"
            yield f"revocations: found the list of {each.issuer.rfc4514_string()} {span}, expected it to be valid now"
    if is_listed(certificate, [each for each in lists if each.issuer == certificate.issuer]):
        yield REVOKED
