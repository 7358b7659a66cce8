"""Judges that nobody here wrote: nmap in the network of a host, sslyze beside it."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tests.lab import ROOT, Lab

NMAP = ("nmap", "-n", "-Pn", "-oX", "-")
RECIPE = """FROM mainstay-host:{release}
RUN apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends nmap
"""
OLD = ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1")
NEW = ("tls_1_2", "tls_1_3")
# No secrecy once the key is known, no authentication, or broken.
WEAK = ("NULL", "EXPORT", "anon", "RC2", "RC4", "DES", "IDEA", "SEED", "MD5")


def scanner(release: str) -> str:
    """The image that has nmap; built once, for nothing is to be installed on the hosts that are judged."""
    image = f"mainstay-scanner:{release}"
    command = ["docker", "build", "--quiet", "--tag", image, "-"]
    built = subprocess.run(command, input=RECIPE.format(release=release), capture_output=True, text=True, timeout=600)
    assert built.returncode == 0, built.stderr[-2000:]
    return image


def nmap(image: str, container: str, *words: str, timeout: int = 1800) -> dict[str, dict[int, str]]:
    """The state of each port by address, as seen from a container's network; what is filtered is left out."""
    command = ["docker", "run", "--rm", "--network", f"container:{container}", image, *NMAP, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"{container}: {done.stdout[-500:]}{done.stderr[-2000:]}"
    return read(done.stdout)


def read(xml: str) -> dict[str, dict[int, str]]:
    found = {}
    for host in ElementTree.fromstring(xml).iter("host"):
        address = next(each.get("addr") for each in host.iter("address") if each.get("addrtype") != "mac")
        for extra in host.iter("extraports"):
            assert "filtered" in extra.get("state"), f"{address}: {extra.get('count')} ports are {extra.get('state')}"
        states = {int(port.get("portid")): port.find("state").get("state") for port in host.iter("port")}
        found[address] = {port: state for port, state in states.items() if "filtered" not in state}
    assert found, xml[-500:]
    return found


def sslyze_tool() -> Path:
    """The Python of the environment that has sslyze; made once."""
    wanted, place = (ROOT / "tests/site/sslyze.txt").read_text(), ROOT / ".cache/sslyze"
    made = place / "made"
    if not made.is_file() or made.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True, timeout=120)
        install = [place / "bin/pip", "install", "--quiet", "--requirement", ROOT / "tests/site/sslyze.txt"]
        subprocess.run([*map(str, install)], check=True, timeout=600)
        made.write_text(wanted)
    return place / "bin/python"


def sslyze(lab: Lab, host: str, port: int, name: str, authority: Path, *words: str) -> subprocess.CompletedProcess:
    """A scan of a port of a host under a name, made in the host's network: its own firewall lets it."""
    process = lab.docker("inspect", "--format", "{{.State.Pid}}", f"{lab.name}-{host}").strip()
    command = ["nsenter", f"--net=/proc/{process}/ns/net", str(sslyze_tool()), "-W", "ignore", "-m", "sslyze"]
    command += [*words, "--certinfo_ca_file", str(authority), f"{name}:{port}{{{lab.address(host)}}}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def tls_facts(lab: Lab, host: str, port: int, name: str, authority: Path, starttls: str = "") -> dict:
    """Protocols, suites, and what is wrong with the chain or the name."""
    report = authority.with_suffix(".json")
    report.unlink(missing_ok=True)
    words = [f"--json_out={report}", "--quiet", "--mozilla_config=disable", "--certinfo"]
    words += ["--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3"]
    done = sslyze(lab, host, port, name, authority, *words, *([f"--starttls={starttls}"] if starttls else []))
    assert report.is_file(), f"{host}:{port}: {done.stdout}{done.stderr}"
    (result,) = json.loads(report.read_text())["server_scan_results"]
    assert result["scan_status"] == "COMPLETED", result["connectivity_error_trace"]
    scan = result["scan_result"]
    suites = {}
    for each in (*OLD, *NEW):
        attempt = scan[f"{each}_cipher_suites"]
        assert attempt["status"] == "COMPLETED", f"{each}: {attempt['error_trace']}"
        suites[each] = [one["cipher_suite"]["name"] for one in attempt["result"]["accepted_cipher_suites"]]
    certificates = scan["certificate_info"]
    assert certificates["status"] == "COMPLETED", certificates["error_trace"]
    chains = [
        path["validation_error"]
        for deployment in certificates["result"]["certificate_deployments"]
        for path in deployment["path_validation_results"]
        if path["trust_store"]["name"] == "Supplied CA file"
    ]
    return {"suites": suites, "chain_errors": [error for error in chains if error], "chains": len(chains)}


def weak(suite: str) -> bool:
    forward = "DHE_" in suite or not suite.startswith(("TLS_RSA_", "TLS_ECDH_", "TLS_DH_", "TLS_PSK_"))
    return not forward or any(word in suite for word in WEAK)
