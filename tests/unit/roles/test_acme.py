# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names by ACME: the edge with and without them, when the authority is asked, and what is refused."""

from __future__ import annotations

import re
import subprocess

import jinja2
import pytest
from ansible_collections.mainstay.platform.plugins.filter.acme import acme_problems
from repository import ROOT, load, render_all
from test_edge_checks import sections
from test_redis_entry import EDGE

NAMES = ["pay.example.test", "cash.example.test"]
DIRECTORY = "https://acme.example.test:14000/dir"
ASKED = {
    "platform_acme_names": NAMES[1:],
    "platform_acme_directory": DIRECTORY,
    "acme_email": "operators@example.test",
    "acme_terms_agreed": True,
}
CHALLENGE = "{ path_beg /.well-known/acme-challenge/ } METH_GET"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """The edge without names by ACME, with one, and with one on Debian 12."""
    cases = {"without": {}, "with": ASKED, "older": {**ASKED, "release": "12"}}
    places = {name: tmp_path_factory.mktemp("acme") for name in cases}
    runs = render_all([("render_role.yml", {"out": str(places[name]), **EDGE, **more}) for name, more in cases.items()])
    for done in runs:
        assert done.returncode == 0, done.stdout + done.stderr
    return {name: sections((place / "haproxy.cfg").read_text()) for name, place in places.items()}


def test_who_does_not_ask_gets_nothing_of_it(rendered):
    assert "acme" not in str(rendered["without"]) and "ocsp" not in str(rendered["without"])
    assert not [line for line in rendered["without"]["frontend http"] if " unless { path" in line]


def test_the_authority_is_not_sent_to_https_and_finds_whichever_edge_has_the_answer(rendered):
    lines = rendered["with"]["frontend http"]
    (redirect,) = [line for line in lines if "redirect code 301" in line]
    assert redirect.endswith(f" unless {CHALLENGE}")
    assert f"use_backend acme_challenges if {CHALLENGE}" in lines
    backend = rendered["with"]["backend acme_challenges"]
    assert [line for line in backend if line.startswith("server ")] == [
        "server edge1 10.0.1.11:8402",
        "server edge2 10.0.1.12:8402",
    ]
    assert "retry-on all-retryable-errors 404" in backend and {"retries 8", "balance random(1)"} <= set(backend)


def test_a_name_by_acme_comes_before_the_hosts_certificate_which_stands_in(rendered):
    (bind,) = [line for line in rendered["with"]["frontend https"] if line.startswith("bind ")]
    own = "crt /etc/mainstay/tls/host.crt"
    assert f" ssl crt-list /etc/haproxy/unnamed.list crt /etc/haproxy/acme/ {own} alpn" in bind
    (inside,) = [line for line in rendered["with"]["frontend statistics"] if line.startswith("bind ")]
    assert f" ssl {own} alpn" in inside and "acme" not in inside


@pytest.mark.parametrize("authority", ["", str(ROOT / "README.md")])
def test_what_is_written_for_certbot_renders_with_and_without_a_private_authority(tmp_path, authority):
    more = {"role": "acme", "host": "edge1", "templates": ["mainstay-edge", "mainstay.conf"], "acme_ca": authority}
    (done,) = render_all([("render_role.yml", {"out": str(tmp_path), **more, **ASKED})])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Environment=REQUESTS_CA_BUNDLE=/etc/mainstay/acme-ca.crt\n" in (tmp_path / "mainstay.conf").read_text()


def test_haproxy_fetches_ocsp_responses_where_it_can(rendered):
    assert "ocsp-update.mode on" in rendered["with"]["global"]
    assert "ocsp" not in str(rendered["older"]["global"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pay.example.test", None),
        ("a.shop.test", None),
        ("a.b.shop.test", "is not of the edge"),
        ("*.shop.test", "a pattern"),
        ("edge", "is no host name"),
        ("pay.example.test;id", "is no host name"),
        ("graphs.example.test", "is one for operators"),
        ("other.test", "is not of the edge (pay.example.test, *.shop.test, Graphs.example.test)"),
        ("Pay.example.test", "is not in small letters"),
    ],
)
def test_names_that_cannot_be_certified(name, said):
    edge = ["pay.example.test", "*.shop.test", "Graphs.example.test"]
    found = acme_problems([name], edge, ["Graphs.example.test"])
    assert found == [] if said is None else len(found) == 1 and said in found[0]


@pytest.mark.parametrize(
    ("without", "wrong", "found"),
    [
        ("platform_acme_directory", "", "acme_directory (none)"),
        ("platform_acme_directory", "http://acme.example.test/dir", "acme_directory http://acme"),
        ("acme_email", "", "acme_email (none)"),
        ("acme_terms_agreed", False, "acme_terms_agreed False"),
        ("acme_ca", "/nowhere.pem", "acme_ca /nowhere.pem"),
        ("platform_acme_names", ["*.example.test"], "no host name, or a pattern"),
    ],
)
def test_what_the_authority_wants_to_know_has_no_default(without, wrong, found):
    (done,) = render_all([("render_role.yml", {"role": "acme", "host": "edge1", **ASKED, without: wrong})])
    assert done.returncode != 0
    assert found in " ".join(done.stdout.split())


def test_certbot_has_its_time_before_anybody_is_warned(render, tool):
    out, done = render(ASKED)
    assert done.returncode == 0, done.stdout + done.stderr
    tool("promtool", "check", "rules", out / "rules.yml")
    (soon,) = re.findall(r"alert: CertificateExpiresSoon\n(.+?)for: 1h", (out / "rules.yml").read_text(), re.S)
    metric, path = "mainstay_certificate_not_after_seconds", '"/etc/haproxy/acme/edge.pem"'
    assert f"{metric}{{path!={path}}} - time()) / 86400 < 30" in soon
    assert f"{metric}{{path={path}}} - time()) / 86400 < 10" in soon


def test_the_key_is_in_no_backup():
    excluded = load(ROOT / "roles/backup_agent/defaults/main.yml")["backup_agent_excludes"]
    assert {"{{ platform_certbot_dir }}", "{{ platform_acme_dir }}"} <= set(excluded)


@pytest.fixture(scope="module")
def certbot(tmp_path_factory):
    """A directory as certbot keeps it, with a certificate of 60 days, and what the role asks of it."""
    place = tmp_path_factory.mktemp("certbot")
    for folder in ("live/edge", "renewal"):
        (place / folder).mkdir(parents=True)
    names = "subjectAltName=" + ",".join(f"DNS:{name}" for name in NAMES)
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x"]
    made = ["-addext", names, "-days", "60", "-keyout", place / "key", "-out", place / "live/edge/fullchain.pem"]
    subprocess.run(["openssl", *words, *made], check=True, capture_output=True)
    (place / "renewal/edge.conf").write_text(f"[renewalparams]\nserver = {DIRECTORY}\n")
    return place


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, "nothing"),
        ({"acme_names": NAMES[:1]}, "other names: cash.example.test pay.example.test"),
        ({"acme_names": [*NAMES, "new.example.test"]}, "other names: cash"),
        ({"acme_directory": "https://other.test/dir"}, f"another authority: {DIRECTORY}"),
        ({"acme_days": 61}, "the end: notAfter="),
        ({"__acme_name": "none"}, "none"),
    ],
)
def test_the_authority_is_asked_only_when_it_must_be(certbot, changed, reason):
    given = {"acme_names": NAMES, "acme_directory": DIRECTORY, "acme_days": 10, "platform_certbot_dir": str(certbot)}
    environment = jinja2.Environment()
    environment.filters["quote"] = lambda text: f"'{text}'"
    values = {**load(ROOT / "roles/acme/vars/main.yml"), **given, **changed}
    for name in ("__acme_lineage", "__acme_wanted"):
        values[name] = environment.from_string(values[name]).render(values)
    script = environment.from_string(values["__acme_ask"]).render(values)
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip().startswith(reason)
