# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a renewal finds due on hosts, whose files and TLS ports are made here."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import socketserver
import ssl
import threading

import pytest
from authority import Authority
from repository import ROOT, load, render_all

VARS = load(ROOT / "roles/certificates/vars/main.yml")
HOSTS = ("db1", "db2", "db3")
OWNER = f"{pwd.getpwuid(os.getuid()).pw_name}:{grp.getgrgid(os.getgid()).gr_name}"


class Server(socketserver.ThreadingTCPServer):
    """Shows a certificate; without one it speaks without TLS."""

    daemon_threads = True

    def __init__(self, certificate, key):
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate, key)
        super().__init__(("127.0.0.1", 0), None)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request, _address):
        # Who asks hangs up as soon as it has seen enough, and tries a greeting that is none of this server's.
        with contextlib.suppress(OSError):
            if self.context:
                self.context.wrap_socket(request, server_side=True).close()
            else:
                request.sendall(b"SSH-2.0-none\r\n")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with certificates of each host, by the days that they hold, and somebody else's."""
    out = tmp_path_factory.mktemp("renewal")
    authority = Authority(out / "authority")
    for name in (*HOSTS, "somebody"):
        for days in (300, 200, 40):
            (out / f"{name}-{days}.crt").write_text(authority.sign(name, days, out / f"{name}-{days}.key"))
    return out


def look(place, case, held, shown):
    """The arguments of a run that asks hosts which hold, and show at ports, these certificates."""
    listen = {}
    for host in HOSTS:
        folder = place / case / host
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        if host in held:
            files = {"host.crt": f"{held[host]}.crt", "host.key": f"{held[host]}.key", "ca.crt": "authority/ca.crt"}
            for name, source in files.items():
                (folder / name).write_text((place / source).read_text())
                (folder / name).chmod(0o640 if name == "host.key" else 0o644)
        listen[host] = [server(place, name).server_address[1] for name in shown.get(host, [])]
    folder.parent.chmod(0o755)
    lines = {host: "".join(f"LISTEN 0 0 127.0.0.1:{port} *\\n" for port in ports) for host, ports in listen.items()}
    tls = f"{place}/{case}/{{{{ inventory_hostname }}}}"
    modes = {"..": "755", "": "755", "host.key": "640", "host.crt": "644", "ca.crt": "644"}
    return {
        "role": "certificates",
        "entry": "due",
        "certificates_authority_passphrase": "of-the-tests",
        "ansible_become": False,
        "platform_tls_dir": tls,
        "platform_tls_crl": "",
        "certificates_names": ["{{ inventory_hostname }}"],
        "__certificates_modes": " ".join(
            f"{tls.rpartition('/')[0] if name == '..' else f'{tls}/{name}'.rstrip('/')}={mode}:{OWNER}"
            for name, mode in modes.items()
        ),
        # The ports of this test, not those of the machine.
        "lines": lines,
        "__certificates_ask_read": "ss() { printf '{{ lines[inventory_hostname] }}'; }\n"
        + VARS["__certificates_ask_read"],
    }


def server(place, name):
    return Server(place / f"{name}.crt" if name else None, place / f"{name}.key")


ALL = {host: f"{host}-300" for host in HOSTS}
SHOWN = {"db1": ["db1-300", "somebody-40", ""], "db2": ["db2-300"]}
# What hosts hold and show, what is due, and whether the run is refused.
CASES = {
    "nothing": (ALL, SHOWN, [], False),
    "one that ends in 40 days": (
        {**ALL, "db1": "db1-40"},
        {"db1": ["db1-40"]},
        ["db1: certificate: found its end at"],
        False,
    ),
    "a service that was not reloaded": (ALL, {**SHOWN, "db2": ["db2-300", "db2-200"]}, ["db2: 127.0.0.1:"], False),
    "a host to be built, and nothing else": ({"db1": "db1-300", "db2": "db2-300"}, SHOWN, [], False),
    "a host to be built, and more": ({"db1": "db1-40"}, {}, ["db1: certificate: found its end at"], True),
}


@pytest.fixture(scope="module")
def runs(place):
    asked = [("refuse.yml", look(place, case, held, shown)) for case, (held, shown, *_said) in CASES.items()]
    return dict(zip(CASES, render_all(asked), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_what_is_due_is_found_and_nothing_else(runs, case):
    run, (_held, _shown, due, refused) = runs[case], CASES[case]
    output = " ".join((run.stdout + run.stderr).split())
    assert (run.returncode != 0) is refused, output
    assert all(said in output for said in due), output
    assert ("no certificate is due, and every service shows the present one" in output) is (not due), output
    assert ("shows a former one" in output) is ("not reloaded" in case), output
    assert ("renewal: found no certificate on db2, db3; expected hosts that are built" in output) is refused, output


def test_nothing_due_ends_every_play(place):
    # With --check, so that a play which does not end changes nothing on this machine.
    given = look(place, "whole", ALL, SHOWN)
    (run,) = render_all([("../../../playbooks/renew_certificates.yml", given, "--check", "--limit=db1")])
    assert run.returncode == 0, run.stdout + run.stderr
    assert set(re.findall(r"TASK \[mainstay\.platform\.(\w+) :", run.stdout)) == {"certificates", "platform"}
    assert all(int(count) <= 10 for count in re.findall(r" ok=(\d+)", run.stdout))
