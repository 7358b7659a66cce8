"""Secrets rotate under the writes of two clients, one of the application and one of the database; nothing fails."""

from __future__ import annotations

import itertools
import re
import subprocess
import threading
import time

import pytest
from client import Client, Writer
from test_secrets import names_in

from tests.lab import ROOT, Lab

HOST = "app1"
SECRETS = "/etc/mainstay/app/secrets/api-*"  # one folder: no former release has other secrets
PROGRAM = (ROOT / "tests" / "drills" / "client.py").read_text()
# Like a container of the application: its secrets, authority, network. It has no label of ours: a rollout spares it.
CONTAINER = (
    "docker run --rm --interactive --user 10001:10001 --entrypoint python3"
    " --env DATABASE_URL_FILE=/run/secrets/DATABASE_URL"
    f" --volume $(echo {SECRETS}):/run/secrets:ro --volume /etc/mainstay/app/tls:/etc/mainstay/tls:ro"
    " $(docker inspect --format '{{.Config.Image}}' api-1) -u -c \"$PROGRAM\""
)
LOG_IN = "import psycopg, sys; psycopg.connect(sys.stdin.readline().strip(), connect_timeout=5).execute('select 1')"
ROTATED = ("postgresql_", "patroni_", "redis_")
REDIS = "REDISCLI_AUTH={} redis-cli --tls --cacert /etc/mainstay/tls/ca.crt -h localhost -p {} --user {} ping"


def in_container(lab: Lab, program: str, *arguments: object) -> list[str]:
    command = " ".join([CONTAINER, *map(str, arguments)])
    return ["docker", "exec", "-i", "-e", f"PROGRAM={program}", f"{lab.name}-{HOST}", "bash", "-c", command]


def database_url(lab: Lab) -> str:
    return lab.shell(HOST, f"cat {SECRETS}/DATABASE_URL")


def lets_in(lab: Lab, url: str) -> bool:
    """Whether the read-write entry accepts a login. Only a wrong password counts as a no."""
    done = subprocess.run(in_container(lab, LOG_IN), input=url, capture_output=True, text=True, timeout=60)
    refused = "authentication failed" in done.stderr or "no such user" in done.stderr
    assert done.returncode == 0 or refused, done.stderr.splitlines()[-1:]
    return done.returncode == 0


class Direct:
    """Writes through the read-write entry; for each session, of 30 s at most, it reads the URL from its file."""

    def __init__(self, lab: Lab):
        self.lab, self.failed, self.keys, self.times = lab, [], [], []

    def __enter__(self) -> Direct:
        command = in_container(self.lab, PROGRAM, "write", 10)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        deadline = time.monotonic() + 60
        while len(self.keys) < 10:
            assert time.monotonic() < deadline, f"the client cannot write: {self.failed[-1:]}"
            time.sleep(0.5)
        return self

    def read(self) -> None:
        for line in self.process.stdout:
            at, verdict, key, *reason = line.split(maxsplit=3)
            if verdict == "ok":
                self.keys.append(key)
                self.times.append(float(at))
            else:
                self.failed.append(" ".join(reason).strip())

    def __exit__(self, *_details) -> None:
        self.process.stdin.close()
        self.process.wait(60)
        self.reader.join()

    @property
    def longest_gap(self) -> float:
        return max((later - earlier for earlier, later in itertools.pairwise(sorted(self.times))), default=0.0)

    def lost(self) -> list[str]:
        keys = "\n".join(self.keys)
        command = in_container(self.lab, PROGRAM, "lost")
        return subprocess.run(
            command, input=keys, capture_output=True, text=True, check=True, timeout=120
        ).stdout.split()


def kill_in(lab: Lab, plays: list[str], playbook: str = "rotate_secrets", *arguments: str) -> None:
    """SIGKILL of a rotation when it has come to these plays, one after the other: into the last, not at its edge."""
    come_to = ".*".join(re.escape(f"PLAY [{play}]") for play in plays)
    lab.killed(come_to, playbook, *arguments, after=5)


def redis_lets_in(lab: Lab, secrets: dict) -> set[str]:
    """The users whose password a server or a Sentinel accepts."""
    accepted = set()
    for user in ("admin", "app", "monitoring", "backup", "edge", "replication", "sentinel"):
        for host, port in itertools.product(("cache1", "cache2", "cache3"), (6379, 26379)):
            said = lab.shell(host, REDIS.format(secrets[f"redis_{user}"], port, user) + " 2>&1", check=False)
            assert "PONG" in said or "WRONGPASS" in said, (host, port, user, said)
            accepted |= {user} if "PONG" in said else set()
    return accepted


def rotated(lab: Lab, before: dict, former_url: str) -> None:
    """All of them are new, the former are gone, and nobody lets them in."""
    vault = lab.vault()
    wanted = {name for name in before["platform_secrets"] if name.startswith(ROTATED)}
    changed = {
        name for name, value in vault["platform_secrets"].items() if before["platform_secrets"].get(name) != value
    }
    assert changed == wanted
    assert vault["platform_former_secrets"] == {}
    assert not lets_in(lab, former_url), "the former password is still accepted"
    assert lets_in(lab, database_url(lab))
    assert redis_lets_in(lab, before["platform_secrets"]) == set()


def test_secrets_rotate_under_writes(lab: Lab):
    before, former_url = lab.vault(), database_url(lab)
    with Writer(Client(lab)) as writer, Direct(lab) as direct:
        writer.until(5, 30)
        run = lab.playbook("rotate_secrets", "-vvv")
        writer.until(5, 30)
    assert run.status == 0, run.tail()
    shown = names_in(run.output, before["platform_secrets"]) | names_in(run.output, lab.secrets())
    assert shown == set()
    print(f"{len(writer.acknowledged)} writes by the API, longest gap {writer.longest_gap:.1f} s")
    print(f"{len(direct.keys)} writes through the read-write entry")
    assert (writer.failures, direct.failed) == ([], [])
    assert direct.lost() == []
    rotated(lab, before, former_url)
    run = lab.playbook("site")
    assert run.status == 0, run.tail()
    assert run.changed == {}, run.tail(200)


@pytest.mark.parametrize(
    ("play", "next_run"),
    [
        ("Open the new logins", "rotate_secrets"),
        ("Roll the application out", "site"),
        ("Close the former logins", "rotate_secrets"),
    ],
)
def test_a_rotation_that_is_killed_is_finished_by_the_next(lab: Lab, play: str, next_run: str):
    before, former_url = lab.vault(), database_url(lab)
    with Writer(Client(lab)) as writer, Direct(lab) as direct:
        kill_in(lab, [play])
        kept = lab.vault()
        former = {name: value for name, value in before["platform_secrets"].items() if name.startswith(ROTATED)}
        assert kept["platform_former_secrets"] == former, "the vault lost a former secret"
        run = lab.playbook(next_run)
        assert run.status == 0, run.tail()
        if next_run == "site":
            # It does not end the rotation: both logins work, and go on working.
            assert lets_in(lab, former_url) and lets_in(lab, database_url(lab))
            run = lab.playbook("rotate_secrets")
            assert run.status == 0, run.tail()
        writer.until(5, 30)
    assert (writer.failures, direct.failed) == ([], [])
    assert direct.lost() == []
    assert lab.secrets() == kept["platform_secrets"], "the next run made other secrets instead of going on"
    rotated(lab, before, former_url)
    run = lab.playbook("site")
    assert run.status == 0, run.tail()
    assert run.changed == {}, run.tail(200)


def test_a_name_that_cannot_rotate_is_refused(lab: Lab):
    before = lab.vault()
    run = lab.playbook("rotate_secrets", "-e", "rotate_only=ca_passphrase")
    assert run.status != 0
    assert run.changed == {}
    assert "rotate_only: found ca_passphrase; expected some of" in " ".join(run.output.split())
    assert lab.vault() == before
