# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A supplied certificate with a list that would make servers refuse everybody is refused before any change."""

from __future__ import annotations

import pytest
from authority import Authority
from repository import render_all

NAME = "db.example.test"
GIVEN = {"role": "certificates", "certificates_authority_passphrase": "of-the-tests"}
# The files of lists that are supplied, and what the refusal says; nothing when it is none.
CASES = {
    "no list": ([], ""),
    "one that holds": (["own"], ""),
    "those of two authorities": (["other", "own"], ""),
    "one of another authority with its number": (["number"], ""),
    "one that has ended": (["ended"], "revocations: found the list of CN=authority valid from"),
    "one that has not begun": (["future"], "UTC, expected it to be valid now"),
    "one that has ended beside one that holds": (["own", "ended"], "expected it to be valid now"),
    "no list in the file": (["text"], "revocations: found no readable list, expected one or more in PEM"),
    "a broken list": (["broken"], "revocations: found no readable list, expected one or more in PEM"),
    "one with the certificate on it": (["revoked"], "revoked: found the certificate on the list of its authority"),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Every case, finished."""
    out = tmp_path_factory.mktemp("supplied")
    own, other = Authority(out / "own"), Authority(out / "other", "other")
    files = {name: out / name for name in ("cert", "key", "ca")}
    files["cert"].write_text(own.sign(NAME, 200, files["key"]))
    files["ca"].write_text(own.certificate)
    lists = {"own": own.list(90), "other": other.list(90), "ended": own.list(-1), "future": own.list(500)}
    lists |= {"text": "nothing", "broken": own.list(90).replace("M", "-")}
    for authority in (own, other):
        authority.revoke(files["cert"])
    lists |= {"revoked": own.list(90), "number": other.list(90)}
    asked = []
    for case, (names, _said) in CASES.items():
        supplied = {name: str(path) for name, path in files.items()}
        if names:
            path = out / f"{case}.crl"
            path.write_text("".join(lists[name] for name in names))
            supplied["crl"] = str(path)
        asked.append(("refuse.yml", {**GIVEN, "certificates_names": [NAME], "certificates_supplied": supplied}))
    return dict(zip(CASES, render_all(asked), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_lists_are_judged_before_use(runs, case):
    run, said = runs[case], CASES[case][1]
    output = " ".join((run.stdout + run.stderr).split())
    assert (run.returncode != 0) == bool(said), output
    assert said in output
    assert not said or "certificates_supplied for db1" in output and "lists that have not ended" in output


@pytest.mark.parametrize(("days", "refused"), [(40, True), (45, True), (46, False)])
def test_a_certificate_that_would_be_due_at_once_is_refused(days, refused):
    (run,) = render_all([("refuse.yml", {**GIVEN, "certificates_days": days})])
    output = " ".join((run.stdout + run.stderr).split())
    assert (run.returncode != 0) is refused, output
    assert refused is (f"found certificates_authority_host ops1, and certificates_days {days}" in output)
