# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks openssl about certificates. Private to this collection."""

from __future__ import annotations

from ansible_collections.mainstay.platform.plugins.module_utils._certificate import PEM, parse_staple, parse_x509
from ansible_collections.mainstay.platform.plugins.module_utils._endpoint import join_endpoint


class CertificateError(Exception):
    """openssl could not read what it was given."""


def openssl(run, words, data=""):
    """Output of an openssl command. `run` is AnsibleModule.run_command."""
    code, out, err = run(["openssl", *words], data=data)
    if code != 0:
        lines = [line for line in err.splitlines() if line.strip()]
        raise CertificateError(f"openssl {words[0]}: {lines[0] if lines else f'code {code}'}")
    return out


def read_certificate(run, pem):
    """The first certificate of a PEM text, parsed."""
    return parse_x509(openssl(run, ["x509", "-noout", "-dates", "-subject", "-ext", "subjectAltName"], pem))


def responder(run, pem):
    """The URL of the OCSP responder that the first certificate names; empty when it names none."""
    return openssl(run, ["x509", "-noout", "-ocsp_uri"], pem).partition("\n")[0]


def key_matches(run, pem, key_path):
    """Whether the private key belongs to the first certificate."""
    return openssl(run, ["x509", "-noout", "-pubkey"], pem) == openssl(
        run, ["pkey", "-in", key_path, "-pubout", "-passin", "pass:"]
    )


def chain_error(run, path, ca_path):
    """Why the certificate in a file is not accepted under an authority; empty when it is."""
    code, out, err = run(
        ["openssl", "verify", "-no-CApath", "-no-CAstore", "-CAfile", ca_path, "-untrusted", path, path]
    )
    if code == 0:
        return ""
    lines = [line for line in (err + out).splitlines() if line.startswith("error ")]
    return lines[0].partition(": ")[2] if lines else " ".join((err or out).split())


def short_reason(lines):
    """The words in openssl's first error line, which reads id:error:code:library:function:reason:file."""
    if not lines:
        return "no certificate"
    parts = lines[0].split(":")
    return parts[5].lower() if len(parts) > 5 else lines[0]


def fetch_chain(run, host, port, server_name, starttls, timeout):
    """The PEM chain that a server shows, the leaf first, and its OCSP response. They are verified by others."""
    words = ["s_client", "-connect", join_endpoint(host, port), "-showcerts", "-status"]
    words += ["-servername", server_name or host]
    words += ["-starttls", starttls] if starttls else []
    code, out, err = run(["timeout", str(timeout), "openssl", *words], data="")
    # A response may come with the responder's own certificate, which is printed before the chain.
    chain = PEM.findall(out.rpartition("Certificate chain\n")[2])
    if not chain:
        lines = [line for line in err.splitlines() if line.strip()]
        raise CertificateError("no answer in time" if code == 124 else short_reason(lines))
    return "".join(chain), parse_staple(out)
