"""What would lock the operator out is refused, or undone by the host itself; the run fails and says why."""

from __future__ import annotations

import json
import subprocess
import threading
import time

import pytest

from tests.lab import Lab, Run

HOST = "app3"
LIMIT = ("--limit", HOST)
MOST = 40  # seconds that a door may stay shut
SSH = {"name": "ssh.service", "files": ["/etc/ssh/sshd_config.d/05-wrong.conf"]}
STATE = """
cd /etc && cat pam.d/* ssh/sshd_config ssh/sshd_config.d/* sudoers sudoers.d/* nftables-mainstay.nft | sha256sum
ls /etc/pam.d /etc/ssh/sshd_config.d /etc/sudoers.d
nft --stateless list table inet mainstay
systemctl is-active ssh mainstay-firewall
systemctl list-units --all --plain --no-legend 'mainstay-guard-*'
"""


class Door:
    """Somebody who tries, all the time and anew each time, to come in by ssh and become root."""

    def __init__(self, lab: Lab, host: str):
        self.lab, self.host, self.stop, self.tries = lab, host, threading.Event(), []
        self.thread = threading.Thread(target=self.knock)

    def opens(self) -> bool:
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "2",
            "ControlPath": "none",
            "UserKnownHostsFile": self.lab.state / "known_hosts",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        place = ["-i", str(self.lab.state / "id_ed25519"), f"deploy@{self.lab.address(self.host)}"]
        try:
            done = subprocess.run(
                ["ssh", "-F", "none", *words, *place, "sudo", "-n", "true"], capture_output=True, timeout=10
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def knock(self) -> None:
        while not self.stop.is_set():
            begun = time.monotonic()
            self.tries.append((begun, self.opens()))
            time.sleep(0.3)

    def __enter__(self) -> Door:
        assert self.opens(), f"{self.host} lets nobody in before anything was done"
        self.thread.start()
        return self

    def __exit__(self, *_error) -> None:
        self.stop.set()
        self.thread.join()
        self.tries.append((time.monotonic(), self.opens()))

    @property
    def shut(self) -> float:
        """The longest time from a try that failed to the next one that did not."""
        longest, since = 0.0, None
        for moment, came_in in self.tries:
            if came_in and since is not None:
                longest, since = max(longest, moment - since), None
            elif not came_in and since is None:
                since = moment
        assert since is None, f"{self.host} lets nobody in any more"
        return longest


def drilled(lab: Lab, act) -> tuple[Run, float]:
    """What a run that must fail came to, and how long the door was shut. Nothing is left of it."""
    before = lab.shell(HOST, STATE)
    with Door(lab, HOST) as door:
        run = act()
    assert run.status != 0, run.tail()
    assert run.recap[HOST]["unreachable"] == 0, run.tail()
    assert lab.shell(HOST, STATE) == before
    return run, door.shut


def said(run: Run) -> str:
    return " ".join(run.output.split())


def role(lab: Lab, name: str, **values) -> Run:
    return lab.playbook("hosts", *LIMIT, "--tags", name, "-e", json.dumps(values))


def refused(lab: Lab, name: str, *words: str, **values) -> None:
    run, shut = drilled(lab, lambda: role(lab, name, **values))
    assert shut == 0 and run.changed == {}, (shut, run.changed)
    for word in words:
        assert word in said(run), f"{word!r} is not in: {run.tail()}"


def undone(lab: Lab, act) -> None:
    run, shut = drilled(lab, act)
    print(f"the door was shut for {shut:.1f} s")
    assert 0 < shut <= MOST, f"the door was shut for {shut:.1f} s"
    assert "found that no new connection" in said(run), run.tail()
    assert "The old state is back." in said(run), run.tail()


def test_groups_without_the_operator_are_refused(lab: Lab):
    refused(lab, "hardening", "in one of the groups nobody-is-in-it", hardening_ssh_groups=["nobody-is-in-it"])


def test_a_matrix_without_the_controller_is_refused(lab: Lab):
    refused(lab, "firewall", "let in 192.0.2.0/24 to port 22", platform_operator_networks=["192.0.2.0/24"])


def test_a_setting_that_sshd_does_not_take_replaces_nothing(lab: Lab):
    run, shut = drilled(lab, lambda: role(lab, "hardening", hardening_ssh_idle_seconds=-1))
    assert shut < 5, "ssh is restarted with the old files, no more"
    for words in (
        "found text that sshd refuses",
        "(ClientAliveInterval)",
        "No file was replaced.",
        "The old state is back.",
    ):
        assert words in said(run), run.tail()


def lock_out(lab: Lab, **values) -> Run:
    return lab.playbook("tests/site/lockout.yml", *LIMIT, "-e", json.dumps(values))


# What no validation knows to be wrong.
DOORS = {
    "groups without the operator": {
        "path": SSH["files"][0],
        "content": "AllowGroups nobody-is-in-it",
        "validate": "sshd -t -f %s",
        "services": [SSH],
    },
    "a module of PAM that is not there": {
        "path": "/etc/pam.d/common-account",
        "content": "account required pam_not_there.so",
    },
}


@pytest.mark.parametrize("name", DOORS)
def test_a_closed_door_opens_by_itself(lab: Lab, name: str):
    undone(lab, lambda: lock_out(lab, **DOORS[name]))


def test_a_rule_that_drops_ssh_is_undone(lab: Lab):
    """The preflight that would refuse it is told that all is well."""
    values = {
        "platform_operator_networks": ["192.0.2.0/24"],
        "__firewall_open": "blinded",
        "firewall_confirm_seconds": 30,
    }
    undone(lab, lambda: role(lab, "firewall", **values))


def test_and_a_run_finds_nothing_to_do(lab: Lab):
    run = lab.playbook("hosts", *LIMIT)
    assert run.status == 0 and run.changed == {}, run.tail()
