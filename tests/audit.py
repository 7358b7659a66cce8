#!/usr/bin/env python3
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""tests/audit.py INVENTORY [HOST...]: has judges that nobody here wrote look at hosts of a lab, and prints the table.

Lynis and OpenSCAP run on the host, from Debian's packages, and are removed again; ssh-audit runs here, at its port.
OpenSCAP has content for Debian 12 only: ANSSI BP-028 high, read three times - as the container that a lab's
host is, as a machine (its marks as a container hidden), and as a host with a kernel of its own (a package claimed
besides). The host is as before when the audit is over.
Ends with status 1 when a host says less than the objectives below.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / ".cache" / "audit"
PROFILE = "xccdf_org.ssgproject.content_profile_anssi_bp28_high"
CONTENT = "ssg-debian12-ds.xml"
# Whose package has that content, and its image: a lab has one release, which may be the other.
CONTENT_RELEASE = "trixie"
CONTENT_IMAGE = f"mainstay-host:{CONTENT_RELEASE}"
READINGS = ("container", "machine", "host")
# What a host at level strict has to reach.
LEAST_INDEX = 90
MOST_FAILED = {"container": 8, "machine": 20, "host": 85}

LYNIS = """
export DEBIAN_FRONTEND=noninteractive
new=$(for name in lynis openscap-scanner; do dpkg -s $name >/dev/null 2>&1 || echo $name; done)
[ -z "$new" ] || apt-get -qqy install --no-install-recommends $new >/dev/null 2>&1 ||
  { echo "apt-get cannot install $new" >&2; exit 1; }
echo "$new" >/root/audit-packages
cd / && lynis audit system --quick --no-colors >/dev/null 2>&1
grep -E '^(hardening_index|suggestion|warning)' /var/log/lynis-report.dat
"""
# What hides a reading's marks is put back whatever happens.
OPENSCAP = """
reading=$1 folder=$2 mark=/.dockerenv
cleanup() { if [ -e "$folder/mark" ]; then mv "$folder/mark" $mark; fi; }
trap cleanup EXIT
if [ $reading != container ] && [ -e $mark ]; then mv $mark "$folder/mark"; fi
cp /var/lib/dpkg/status "$folder/status"
if [ $reading = host ]; then
  cat >>"$folder/status" <<CLAIM
Package: linux-base
Status: install ok installed
Priority: optional
Section: kernel
Architecture: all
Version: 4.9
Maintainer: Nobody <nobody@example.org>
Description: claimed for an audit

CLAIM
fi
unshare --mount sh -c 'mount --bind "$0/status" /var/lib/dpkg/status
  exec oscap xccdf eval --profile "$1" "$0/content.xml"' "$folder" PROFILE 2>/dev/null
true
""".replace("PROFILE", PROFILE)
# In a container that is thrown away, with the way to packages that a host of the lab has on its standard input.
FETCH = """
cat >/etc/apt/apt.conf.d/90lab-cache && cd "$(mktemp -d)" && apt-get -qq update >&2 &&
  apt-get -qq -o APT::Sandbox::User=root download ssg-debian >&2 && dpkg-deb -x ssg-debian*.deb . &&
  cat "usr/share/xml/scap/ssg/content/$1"
"""
AFTER = """
export DEBIAN_FRONTEND=noninteractive
[ ! -s /root/audit-packages ] || apt-get -qqy purge --auto-remove $(cat /root/audit-packages) >/dev/null 2>&1
rm -f /root/audit-packages
"""


def inventory(path):
    """{host: variables} of an inventory, as Ansible reads it."""
    out = subprocess.run(
        ["ansible-inventory", "-i", path, "--list"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return json.loads(out)["_meta"]["hostvars"]


class Host:
    """A host of a lab: a container, looked at as root from its machine."""

    def __init__(self, name, variables):
        self.name = name
        self.container = f"{variables['lab_name']}-{name}"
        self.address = variables["ansible_host"]
        self.port = str(variables.get("platform_port_ssh", 22))

    def sh(self, script, *words, text=None):
        command = ["docker", "exec", "--interactive", self.container, "sh", "-c", script, "sh", *words]
        return subprocess.run(command, capture_output=True, text=True, input=text, check=False)

    def release(self):
        return self.sh(". /etc/os-release; echo $VERSION_CODENAME").stdout.strip()


def lynis(host):
    """Index, and the ids that remain with what Lynis says of each."""
    said = host.sh(LYNIS)
    index = re.search(r"^hardening_index=(\d+)", said.stdout, re.M)
    if not index:
        raise SystemExit(
            f"audit of {host.name}: Lynis gave no index ({said.stderr.strip()}); see /var/log/lynis.log on the host"
        )
    rest = [
        line.split("=", 1)[1].split("|")[:2]
        for line in said.stdout.splitlines()
        if re.match(r"(suggestion|warning)\[\]=", line)
    ]
    return int(index.group(1)), rest


def openscap(host, content):
    """{reading: (failed, passed)}: names of rules."""
    folder = host.sh("mktemp -d").stdout.strip()
    host.sh('cat >"$1/content.xml"', folder, text=content.read_text())
    found = {}
    for reading in READINGS:
        said = host.sh(OPENSCAP, reading, folder).stdout
        results = re.findall(r"^Rule\s+\S*content_rule_(\S+)\s*\nResult\s+(\S+)", said, re.M)
        if not results:
            raise SystemExit(f"audit of {host.name}: OpenSCAP judged no rule as {reading}; run it on the host by hand")
        found[reading] = tuple(
            sorted(rule for rule, result in results if result == verdict) for verdict in ("fail", "pass")
        )
    host.sh('rm -rf "$1"', folder)
    return found


def ssh_audit(host):
    """Algorithms that fail and that are warned of."""
    said = subprocess.run(
        [HERE / "venv/bin/ssh-audit", "--json", "--port", host.port, host.address],
        capture_output=True,
        text=True,
        check=False,
    )
    judged = json.loads(said.stdout)
    entries = [(kind, entry) for kind in ("kex", "key", "enc", "mac") for entry in judged[kind]]
    if not entries:
        raise SystemExit(f"audit of {host.name}: ssh-audit saw no algorithm at {host.address}:{host.port}")
    return tuple(
        sorted(f"{kind} {entry['algorithm']}" for kind, entry in entries if entry.get("notes", {}).get(level))
        for level in ("fail", "warn")
    )


def tools():
    """ssh-audit, and the content for OpenSCAP out of the package that has it."""
    HERE.mkdir(parents=True, exist_ok=True)
    if not (HERE / "venv/bin/ssh-audit").exists():
        subprocess.run([sys.executable, "-m", "venv", HERE / "venv"], check=True)
        subprocess.run(
            [HERE / "venv/bin/pip", "install", "--quiet", "--requirement", ROOT / "tests/audit.txt"], check=True
        )


def content(host):
    """The content for Debian 12, out of Debian 13's package, fetched as this host fetches its own; kept."""
    place = HERE / CONTENT
    if not place.exists():
        subprocess.run([ROOT / "lab/image.sh", CONTENT_RELEASE], check=True)
        proxy = host.sh("cat /etc/apt/apt.conf.d/90lab-cache").stdout
        command = ["docker", "run", "--rm", "--interactive", CONTENT_IMAGE, "sh", "-c", FETCH, "sh", CONTENT]
        said = subprocess.run(command, capture_output=True, text=True, input=proxy, check=False)
        if said.returncode:
            raise SystemExit(
                f"audit: {CONTENT_IMAGE} cannot fetch ssg-debian: {said.stderr.strip()}; "
                f"put {CONTENT} of that package of Debian 13 at {place}"
            )
        place.write_text(said.stdout)
    return place


def audit(host, place):
    """One host's row."""
    index, rest = lynis(host)
    failed, warned = ssh_audit(host)
    row = {
        "host": host.name,
        "release": host.release(),
        "index": index,
        "lynis": rest,
        "ssh_failed": failed,
        "ssh_warned": warned,
        "openscap": {},
    }
    try:
        if row["release"] == "bookworm":
            row["openscap"] = openscap(host, place)
    finally:
        host.sh(AFTER)
    return row


def short(row):
    """What a host does not reach."""
    missing = [f"Lynis {row['index']} < {LEAST_INDEX}"] if row["index"] < LEAST_INDEX else []
    missing += [
        f"ssh-audit {kind}: {', '.join(names)}"
        for kind, names in (("failed", row["ssh_failed"]), ("warned", row["ssh_warned"]))
        if names
    ]
    for reading, (failed, _passed) in row["openscap"].items():
        if len(failed) > MOST_FAILED[reading]:
            missing.append(f"OpenSCAP as {reading} {len(failed)} > {MOST_FAILED[reading]}")
    return missing


def table(rows):
    """The table, and below it what remains."""
    lines = [
        "| host | release | Lynis | bp28_high failed / passed: container | machine | host | ssh-audit failed/warned |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [
            f"{len(row['openscap'][reading][0])} / {len(row['openscap'][reading][1])}"
            if row["openscap"]
            else "no content"
            for reading in READINGS
        ]
        cells = [row["host"], row["release"], str(row["index"]), *cells]
        lines.append(f"| {' | '.join(cells)} | {len(row['ssh_failed'])} / {len(row['ssh_warned'])} |")
    for row in rows:
        lines += ["", f"{row['host']}: Lynis still says: {', '.join(sorted({name for name, _text in row['lynis']}))}"]
        lines += [
            f"{row['host']}: OpenSCAP as {reading} still fails: {', '.join(failed)}"
            for reading, (failed, _passed) in row["openscap"].items()
        ]
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inventory")
    parser.add_argument("hosts", nargs="*")
    asked = parser.parse_args()
    known = inventory(asked.inventory)
    unknown = set(asked.hosts) - set(known)
    if unknown:
        parser.error(f"found hosts {', '.join(sorted(unknown))}, expected some of {', '.join(sorted(known))}")
    tools()
    hosts = [Host(name, known[name]) for name in asked.hosts or sorted(known)]
    place = content(hosts[0]) if any(host.release() == "bookworm" for host in hosts) else None
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(lambda host: audit(host, place), hosts))
    text = "\n".join(table(rows))
    (HERE / "report.md").write_text(text + "\n")
    print(text)
    missing = [f"{row['host']}: {'; '.join(short(row))}" for row in rows if short(row)]
    print("\n".join(["", *missing]) if missing else "\nEvery host reaches the objectives.")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
