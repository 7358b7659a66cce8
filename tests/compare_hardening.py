#!/usr/bin/env python3
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""tests/compare_hardening.py CHECKOUT: the second run of the role hardening beside that of dev-sec's roles.

CHECKOUT is a checkout of dev-sec's ansible-collection-hardening. Two bare hosts of the lab's image are made and removed
again: one gets the role hardening, the other os_hardening and ssh_hardening, once to be set up, then in turn, timed.
What would set the kernel of the machine that the hosts share, and what cannot run in a container, is switched off for
dev-sec's roles; ours find that out themselves.
Ends with status 1 when a second run of ours changes something, or takes more than a fifth of theirs.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / ".cache" / "compare"
NAME = "compare"
SUBNET = "172.30.119"
MOST = 0.2  # of their time
RECAP = re.compile(r"ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)\s+skipped=(\d+)")
FACTS = ["!all", "!min", "distribution", "hardware", "network", "service_mgr", "virtual"]


def plays(level):
    """What each host gets, in the form that its authors show."""
    ours = {"hardening_level": level, "platform_confirm_seconds": 120}
    theirs = {"os_sysctl_enabled": False, "os_auditd_enabled": False}
    return {
        "ours": {"gather_subset": FACTS, "roles": ["mainstay.platform.hardening"], "vars": ours},
        "theirs": {"roles": ["devsec.hardening.os_hardening", "devsec.hardening.ssh_hardening"], "vars": theirs},
    }


def inventory(release):
    state = ROOT / ".cache" / "lab" / NAME
    shared = {
        "lab_name": NAME,
        "lab_release": release,
        "lab_subnet": f"{SUBNET}.0/24",
        "lab_dir": str(state),
        "ansible_user": "deploy",
        "ansible_ssh_private_key_file": f"{state}/id_ed25519",
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={state}/known_hosts",
        "platform_name": NAME,
        "platform_network": f"{SUBNET}.0/24",
        "platform_operator_networks": [f"{SUBNET}.1/32"],
        "platform_memory_mb": 1024,
    }
    hosts = {name: {"ansible_host": f"{SUBNET}.{number}"} for number, name in enumerate(("ours", "theirs"), 11)}
    return {"all": {"vars": shared, "hosts": hosts}}


def prepare(checkout, release, level):
    """Inventory, playbooks, and the collection where Ansible looks for it."""
    shutil.rmtree(HERE, ignore_errors=True)
    link = HERE / "collections" / "ansible_collections" / "devsec" / "hardening"
    link.parent.mkdir(parents=True)
    link.symlink_to(checkout)
    (HERE / "hosts.yml").write_text(yaml.safe_dump(inventory(release)))
    for host, play in plays(level).items():
        (HERE / f"{host}.yml").write_text(yaml.safe_dump([{"hosts": host, "become": True, **play}], sort_keys=False))


def ansible(playbook):
    """Seconds and the counts of a run; a run that fails ends the comparison."""
    env = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": f"{ROOT}/.cache/collections:{HERE}/collections",
        "ANSIBLE_NOCOLOR": "1",
    }
    begun = time.monotonic()
    words = ["ansible-playbook", "-i", str(HERE / "hosts.yml"), str(playbook)]
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - begun
    (HERE / f"{playbook.stem}.log").write_text(done.stdout + done.stderr)
    if done.returncode:
        raise SystemExit(f"compare: {playbook.name} failed, see {HERE}/{playbook.stem}.log:\n{done.stdout[-2000:]}")
    counts = map(int, RECAP.search(done.stdout).groups())
    return seconds, dict(zip(("ok", "changed", "unreachable", "failed", "skipped"), counts, strict=True))


def measured(rounds):
    """The first runs and the second ones, in turn, so that what else the machine does meets both."""
    found = {}
    for host in ("ours", "theirs"):
        seconds, counts = ansible(HERE / f"{host}.yml")
        found[host] = {"first": seconds, "again": [], "counts": counts}
        print(f"{host}: set up in {seconds:.1f} s, {counts['changed']} changed", flush=True)
    for _round in range(rounds):
        for host in found:
            seconds, found[host]["counts"] = ansible(HERE / f"{host}.yml")
            found[host]["again"].append(seconds)
    return found


def table(found):
    lines = ["| | first run | second run (median) | tasks ok + skipped | changed |", "|---|---|---|---|---|"]
    for host, row in found.items():
        counts = row["counts"]
        seconds = statistics.median(row["again"])
        tasks = f"{counts['ok']} + {counts['skipped']}"
        lines.append(f"| {host} | {row['first']:.1f} s | {seconds:.1f} s | {tasks} | {counts['changed']} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=lambda text: Path(text).resolve())
    parser.add_argument("--rounds", type=int, default=3, help="second runs of each")
    parser.add_argument("--release", default="trixie", help="of Debian: trixie or bookworm")
    parser.add_argument("--level", default="strict", help="of the role hardening")
    asked = parser.parse_args()
    if not (asked.checkout / "roles" / "os_hardening").is_dir():
        parser.error(f"found no roles/os_hardening in {asked.checkout}, expected a checkout of dev-sec's collection")
    prepare(asked.checkout, asked.release, asked.level)
    try:
        ansible(ROOT / "lab" / "create.yml")
        found = measured(asked.rounds)
    finally:
        ansible(ROOT / "lab" / "destroy.yml")
    ratio = statistics.median(found["ours"]["again"]) / statistics.median(found["theirs"]["again"])
    changed = found["ours"]["counts"]["changed"]
    print(table(found))
    print(f"ours takes {ratio:.2f} of their time, at most {MOST} is asked; it changed {changed}")
    return 1 if ratio > MOST or changed else 0


if __name__ == "__main__":
    sys.exit(main())
