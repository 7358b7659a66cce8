# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program that leaves the ends of a host's certificates and lists behind, run on those that are made here."""

from __future__ import annotations

import re
import subprocess
import time

import pytest
from authority import Authority
from repository import ROOT, load, render_with

DAY = 86400
METRICS = ("mainstay_certificate_not_after_seconds", "mainstay_revocation_list_next_update_seconds")
LINE = re.compile(rf'^({"|".join(METRICS)}){{path="(\S+)"}} (\d+)$', re.M)


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A folder with the program, files of certificates and lists, and the folder of metrics."""
    out = tmp_path_factory.mktemp("certificates")
    (out / "metrics").mkdir()
    first, second = (Authority(out / name, name) for name in ("first", "second"))
    (out / "host.crt").write_text(first.sign("host", 90, out / "key") + first.sign("host", 20, out / "key"))
    (out / "ca.crt").write_text(first.certificate)
    (out / "ca.crl").write_text(first.list(30) + second.list(5))
    variables = {
        "role": "exporters",
        "host": "ops1",
        "templates": ["mainstay-certificates"],
        "out": str(out),
        "exporters_textfile_dir": str(out / "metrics"),
        "exporters_certificates": [str(out / "host.crt"), str(out / "ca.crt")],
        "exporters_revocation_lists": [str(out / "ca.crl")],
    }
    done = render_with("render_role.yml", variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def run(host):
    return subprocess.run(["sh", host / "mainstay-certificates"], capture_output=True, text=True)


def test_each_file_has_the_end_that_comes_first(host, tool):
    done = run(host)
    assert done.returncode == 0, done.stderr
    text = (host / "metrics/mainstay_certificates.prom").read_text()
    found = {(metric, path): int(end) for metric, path, end in LINE.findall(text)}
    certificate, revocations = METRICS
    expected = {
        (certificate, "host.crt"): 20,
        (certificate, "ca.crt"): 3650,
        (revocations, "ca.crl"): 5,
    }
    assert found == {
        (metric, str(host / name)): pytest.approx(time.time() + days * DAY, abs=120)
        for (metric, name), days in expected.items()
    }
    tool("promtool", "check", "metrics", input=text)


@pytest.mark.parametrize("content", ["nothing in PEM", None])
@pytest.mark.parametrize(("name", "what"), [("ca.crt", "certificate"), ("ca.crl", "revocation list")])
def test_a_file_that_cannot_be_read_is_named_and_what_was_known_stays(host, name, what, content):
    assert run(host).returncode == 0
    path = host / name
    kept, known = path.read_text(), sorted((host / "metrics").iterdir())
    path.unlink()
    if content:
        path.write_text(content)
    try:
        done = run(host)
    finally:
        path.write_text(kept)
    assert done.returncode != 0
    assert f"{path}: found no {what}" in done.stderr
    assert sorted((host / "metrics").iterdir()) == known


def test_the_gate_asks_for_the_metric_of_every_file():
    (asked,) = load(ROOT / "roles/exporters/tasks/verify.yml")
    gates = {gate["gate"]: gate for gate in asked["mainstay.platform.gates"]["gates"]}
    gate = gates["the node exporter says until when certificates and revocation lists hold"]
    assert "__exporters_ends" in gate["args"]["expect_text"]
    ends = load(ROOT / "roles/exporters/vars/main.yml")["__exporters_ends"]
    for metric, files in zip(METRICS, ("exporters_certificates", "exporters_revocation_lists"), strict=True):
        assert f"({files} | map('regex_replace', '^(.*)$', '{metric}{{path=" in ends
