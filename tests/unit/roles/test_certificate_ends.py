# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program that leaves the ends of a host's certificates behind, run on certificates that are made here."""

from __future__ import annotations

import re
import subprocess
import time

import pytest
from repository import ROOT, load, render_with

DAY = 86400
METRIC = "mainstay_certificate_not_after_seconds"
LINE = re.compile(rf'^{METRIC}{{path="(\S+)"}} (\d+)$', re.M)


def certificate(folder, days):
    """The text of a certificate that holds for so many days."""
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=host"]
    made = ["-keyout", str(folder / "key"), "-days", str(days)]
    return subprocess.run(["openssl", *words, *made], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A folder with the program, two files of certificates and the folder of metrics."""
    out = tmp_path_factory.mktemp("certificates")
    (out / "metrics").mkdir()
    (out / "host.crt").write_text(certificate(out, 90) + certificate(out, 20))
    (out / "ca.crt").write_text(certificate(out, 3650))
    variables = {
        "role": "exporters",
        "host": "ops1",
        "templates": ["mainstay-certificates"],
        "out": str(out),
        "exporters_textfile_dir": str(out / "metrics"),
        "exporters_certificates": [str(out / "host.crt"), str(out / "ca.crt")],
    }
    done = render_with("render_role.yml", variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def run(host):
    return subprocess.run(["sh", host / "mainstay-certificates"], capture_output=True, text=True)


def test_each_file_has_the_end_that_comes_first(host):
    done = run(host)
    assert done.returncode == 0, done.stderr
    found = {path: int(end) for path, end in LINE.findall((host / "metrics/mainstay_certificates.prom").read_text())}
    expected = {str(host / "host.crt"): 20, str(host / "ca.crt"): 3650}
    assert found == {path: pytest.approx(time.time() + days * DAY, abs=120) for path, days in expected.items()}


@pytest.mark.parametrize("content", ["no certificate", None])
def test_a_file_without_a_certificate_is_named_and_what_was_known_stays(host, content):
    assert run(host).returncode == 0
    path = host / "ca.crt"
    kept, known = path.read_text(), sorted((host / "metrics").iterdir())
    path.unlink()
    if content:
        path.write_text(content)
    try:
        done = run(host)
    finally:
        path.write_text(kept)
    assert done.returncode != 0
    assert f"{path}: found no certificate" in done.stderr
    assert sorted((host / "metrics").iterdir()) == known


def test_the_gate_asks_for_the_metric_of_every_file():
    (asked,) = load(ROOT / "roles/exporters/tasks/verify.yml")
    gates = {gate["gate"]: gate for gate in asked["mainstay.platform.gates"]["gates"]}
    expected = gates["the node exporter says until when the certificates hold"]["args"]["expect_text"]
    assert METRIC in expected and "exporters_certificates" in expected
