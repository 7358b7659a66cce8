# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges a certificate from what openssl prints. Pure; private to this collection."""

from __future__ import annotations

import ipaddress
import re
import ssl

PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)
NAME = re.compile(r"(?:DNS|IP Address):([^,\s]+)")
STAPLED = re.compile(r"^\s*(Cert Status|Next Update): (.+)$", re.MULTILINE)


def parse_x509(text):
    """What openssl x509 -noout -dates -subject -ext subjectAltName prints: dates, subject and names."""
    fields = dict(
        line.split("=", 1) for line in text.splitlines() if line.startswith(("notBefore=", "notAfter=", "subject="))
    )
    return {
        "subject": fields.get("subject", "").strip(),
        "not_before": ssl.cert_time_to_seconds(fields["notBefore"]),
        "not_after": ssl.cert_time_to_seconds(fields["notAfter"]),
        "not_after_text": fields["notAfter"],
        "names": [_plain(name) for name in NAME.findall(text)],
    }


def parse_staple(text):
    """What openssl s_client -status says of the OCSP response that came with a certificate; None when none came."""
    fields = {key: value.strip() for key, value in STAPLED.findall(text)}
    if "Cert Status" not in fields:
        return None
    ends = fields.get("Next Update")
    return {
        "status": fields["Cert Status"],
        "ends_text": ends or "never",
        "ends": ssl.cert_time_to_seconds(ends) if ends else float("inf"),
    }


def staple_problem(responder, staple, now):
    """Why clients would have to ask the OCSP responder; empty when there is none, or they need not."""
    if not responder:
        return ""
    if not staple:
        return f"found no OCSP response; expected one of {responder}; let this host reach it"
    if staple["status"] != "good":
        return f"found the OCSP status {staple['status']}; expected good; replace the certificate"
    if staple["ends"] <= now:
        return f"found an OCSP response that ended on {staple['ends_text']}; expected a current one; have it fetched"
    return ""


def _staple_words(responder, staple):
    if not responder:
        return ", names no OCSP responder"
    return f", OCSP {staple['status']} until {staple['ends_text']}" if staple else ", no OCSP response"


def _plain(name):
    """An address in its usual form, for openssl writes IPv6 in its own."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.lower()


def covers(names, wanted):
    """Whether one of a certificate's names is the wanted one, wildcards of one label included."""
    wanted, names = _plain(wanted), {_plain(name) for name in names}
    parent = wanted.partition(".")[2]
    return wanted in names or bool(parent and f"*.{parent}" in names)


def judge(certificate, facts, limits, now):
    """Problems, days left and evidence.

    `facts` holds object, key_matches and chain_error, both None when they were not asked, and, where an OCSP response
    is asked for, responder and staple; `limits` holds names and min_days.
    """
    name = facts["object"]
    days = int((certificate["not_after"] - now) // 86400)
    problems = []
    if now < certificate["not_before"]:
        problems.append(f"{name}: found it not valid yet; expected it valid now; check the clocks")
    if days < 0:
        problems.append(f"{name}: found it expired on {certificate['not_after_text']}; expected it valid; renew it")
    elif days < limits["min_days"]:
        problems.append(f"{name}: found {days} days left; expected at least {limits['min_days']}; renew it")
    missing = [item for item in limits["names"] if not covers(certificate["names"], item)]
    if missing:
        problems.append(
            f"{name}: found names {', '.join(certificate['names']) or 'none'}; expected {', '.join(missing)} too; "
            "issue it again with all names"
        )
    if facts["key_matches"] is False:
        problems.append(
            f"{name}: found a key that is not its own; expected the key it was made for; replace key or certificate"
        )
    if facts["chain_error"]:
        problems.append(
            f"{name}: found its chain refused ({facts['chain_error']}); expected it accepted; check authority and order"
        )
    said = f"{name} is valid for {days} days, names {', '.join(certificate['names']) or 'none'}"
    if "staple" in facts:
        unstapled = staple_problem(facts["responder"], facts["staple"], now)
        problems += [f"{name}: {unstapled}"] if unstapled else []
        said += _staple_words(facts["responder"], facts["staple"])
    return {"problems": problems, "days_left": days, "evidence": said}
