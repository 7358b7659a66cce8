# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program that fetches OCSP responses for a HAProxy that does not, and the check of what clients get."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time

import pytest
from repository import ROOT, load, render_with

CONFIG = """[ca]
default_ca = it
[it]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
default_days = 30
policy = policy
copy_extensions = copy
[policy]
commonName = supplied
"""
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_for(port):
    for _try in range(100):
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"nobody listens on {port}")


class Place:
    """An authority with its responder, certificates of it, and the program, in a directory of their own."""

    def __init__(self, path):
        self.path, self.port, self.responder = path, free_port(), None
        (path / "index").touch()
        (path / "serial").write_text("01\n")
        (path / "ca.cnf").write_text(CONFIG)
        (path / "bin").mkdir()
        self.openssl("req", "-x509", *KEY, "-subj", "/CN=ca", "-days", "90", "-keyout", "ca.key", "-out", "ca.crt")
        self.issue("named", f"authorityInfoAccess=OCSP;URI:http://127.0.0.1:{self.port}")
        self.issue("silent", "basicConstraints=CA:FALSE")
        # What HAProxy answers, and what is asked of systemd.
        self.program("socat", 'cat >>said; echo "$ANSWER"')
        self.program("systemctl", 'echo "$@" >>asked')

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.path, check=True, capture_output=True)

    def issue(self, name, extension):
        names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}.test", "-addext", extension]
        self.openssl("req", *KEY, *names, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signer = ["-config", "ca.cnf", "-cert", "ca.crt", "-keyfile", "ca.key"]
        self.openssl("ca", "-batch", "-notext", *signer, "-in", f"{name}.csr", "-out", f"{name}.leaf")
        chain = (self.path / f"{name}.leaf").read_text() + (self.path / "ca.crt").read_text()
        (self.path / f"{name}.crt").write_text(chain)

    def program(self, name, text):
        path = self.path / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def respond(self):
        self.stop()
        words = [
            "-index",
            "index",
            "-CA",
            "ca.crt",
            "-rsigner",
            "ca.crt",
            "-rkey",
            "ca.key",
            "-ndays",
            "1",
            "-ignore_err",
        ]
        command = ["openssl", "ocsp", "-port", str(self.port), *words]
        self.responder = subprocess.Popen(
            command, cwd=self.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        # A connection without a question would keep it from the next one.
        assert "ACCEPT" in self.responder.stdout.readline()

    def refuse(self):
        """A web server in the responder's place, which knows no such page."""
        self.stop()
        command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(self.port)]
        self.responder = subprocess.Popen(command, cwd=self.path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wait_for(self.port)

    def stop(self):
        if self.responder:
            self.responder.kill()
            self.responder.wait()

    def fetch(self, answer="OCSP Response updated!"):
        for name in ("said", "asked"):
            (self.path / name).write_text("")
        environment = {**os.environ, "PATH": f"{self.path / 'bin'}:{os.environ['PATH']}", "ANSWER": answer}
        program = ["sh", self.path / "mainstay-ocsp"]
        return subprocess.run(program, cwd=self.path, env=environment, capture_output=True, text=True)

    def read(self, name):
        return (self.path / name).read_text()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("ocsp"))
    variables = {
        "role": "haproxy",
        "host": "edge1",
        "release": "12",
        "templates": ["mainstay-ocsp"],
        "out": str(made.path),
        "haproxy_certificates": [str(made.path / f"{name}.crt") for name in ("named", "silent")],
    }
    done = render_with("render_role.yml", variables)
    assert done.returncode == 0, done.stdout + done.stderr
    yield made
    made.stop()


@pytest.fixture
def responding(place):
    place.respond()
    return place


def test_a_response_lies_beside_the_certificate_that_names_a_responder_and_is_told(responding):
    done = responding.fetch()
    assert done.returncode == 0, done.stderr
    assert (responding.path / "named.ocsp").stat().st_mode & 0o777 == 0o600
    assert responding.read("said").startswith("set ssl ocsp-response ") and responding.read("asked") == ""
    assert not list(responding.path.glob("silent*.ocsp")) and not list(responding.path.glob("*.new.ocsp"))


def test_a_process_that_does_not_know_the_certificate_is_reloaded(responding):
    assert responding.fetch("OCSP single response: Certificate ID does not match").returncode == 0
    assert responding.read("asked") == "reload haproxy\n"


def test_a_responder_that_gives_none_leaves_what_was_there(responding):
    assert responding.fetch().returncode == 0
    before = (responding.path / "named.ocsp").read_bytes()
    responding.refuse()
    done = responding.fetch()
    assert done.returncode == 1 and f"named.crt: found at http://127.0.0.1:{responding.port}" in done.stderr
    assert (responding.path / "named.ocsp").read_bytes() == before and responding.read("said") == ""


@pytest.fixture
def check(place):
    """What certificate_check finds of a server that shows a certificate with these further options."""

    def run(name, *words):
        port = free_port()
        files = ["-cert", f"{name}.leaf", "-key", f"{name}.key", "-CAfile", "ca.crt", *words]
        command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", *files]
        server = subprocess.Popen(
            command, cwd=place.path, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait_for(port)
            asked = {"host": "127.0.0.1", "port": port, "server_name": f"{name}.test", "stapled": True, "min_days": 0}
            module = ROOT / "plugins/modules/certificate_check.py"
            given = json.dumps({"ANSIBLE_MODULE_ARGS": {**asked, "names": [f"{name}.test"]}})
            done = subprocess.run(
                [sys.executable, module], input=given, capture_output=True, text=True, env=environment()
            )
            return json.loads(done.stdout)
        finally:
            server.kill()
            server.wait()

    return run


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT / ".cache/collections")}


def test_what_clients_get_is_judged(responding, check):
    assert responding.fetch().returncode == 0
    assert "OCSP good until" in check("named", "-status_file", "named.ocsp")["evidence"]
    assert "found no OCSP response; expected one of http://127.0.0.1" in check("named")["msg"]
    assert "names no OCSP responder" in check("silent")["evidence"]


@pytest.mark.parametrize(
    ("files", "alone"), [("named.crt silent.leaf", None), ("silent.leaf named.leaf", "named.leaf")]
)
def test_a_certificate_without_that_of_its_issuer_is_refused(place, files, alone):
    text = load(ROOT / "roles/haproxy/vars/main.yml")["__haproxy_ask_issuers"]
    (listed,) = re.findall(r"\{\{.+?\}\}", text)
    done = subprocess.run(["sh", "-c", text.replace(listed, files)], cwd=place.path, capture_output=True, text=True)
    assert done.returncode == (1 if alone else 0)
    assert done.stderr.startswith(f"{alone}: found it alone" if alone else "") and (alone or not done.stderr)


def test_a_withdrawn_certificate_gets_no_response(responding):
    signer = ["-config", "ca.cnf", "-cert", "ca.crt", "-keyfile", "ca.key"]
    responding.openssl("ca", *signer, "-revoke", "named.leaf")
    responding.respond()
    done = responding.fetch()
    assert done.returncode == 1 and "named.crt: revoked" in done.stderr
    assert responding.read("said") == ""
