"""The lab as tests and drills see it: playbooks run against it, commands run in its hosts, its secrets."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
LOG = ROOT / ".cache" / "site-run.log"  # of the command that runs now, for who waits for it
PSQL = "runuser -u postgres -- psql -X -A -t -q -v ON_ERROR_STOP=1 -d apg_cash"
RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


def until(what: str, holds, seconds: float) -> None:
    """Ask twice a second until it holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"expected within {seconds:g} s that {what}"
        time.sleep(0.5)


@dataclass
class Run:
    """What a playbook run came to: exit status, output, and the recap per host."""

    status: int
    output: str

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        names = ("ok", "changed", "unreachable", "failed")
        return {host: dict(zip(names, map(int, counts), strict=True)) for host, *counts in RECAP.findall(self.output)}

    @property
    def changed(self) -> dict[str, int]:
        return {host: counts["changed"] for host, counts in self.recap.items() if counts["changed"]}

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.output.splitlines()[-lines:])


class Lab:
    """One lab (`lab` or `small`) and what can be done to it."""

    def __init__(self, name: str, release: str):
        self.name = name
        self.inventory = ROOT / "inventories" / name
        self.overlay: Path | None = None
        self.state = ROOT / ".cache" / "lab" / name
        self.env = os.environ | {
            "RELEASE": release,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_VAULT_PASSWORD_FILE": str(self.state / "vault-password"),
            "ANSIBLE_NOCOLOR": "1",
        }

    def make(self, target: str) -> list[str]:
        return ["make", "--no-print-directory", target, f"RELEASE={self.env['RELEASE']}"] + (
            ["SMALL=1"] if self.name == "small" else []
        )

    def run(self, *command: str, timeout: int = 2400) -> Run:
        with LOG.open("w") as log:
            done = subprocess.run(
                command, cwd=ROOT, env=self.env, stdout=log, stderr=subprocess.STDOUT, timeout=timeout
            )
        return Run(done.returncode, LOG.read_text(errors="replace"))

    def overlaid(self, overlay: Path) -> Lab:
        """The same lab with the hosts of another inventory beside its own."""
        twin = copy.copy(self)
        twin.overlay = overlay
        return twin

    def play(self, name: str, *arguments: str) -> list[str]:
        path = name if "/" in name else f"playbooks/{name}.yml"
        inventories = [word for each in (self.inventory, self.overlay) if each for word in ("-i", str(each))]
        return ["ansible-playbook", *inventories, path, *arguments]

    def playbook(self, name: str, *arguments: str) -> Run:
        return self.run(*self.play(name, *arguments))

    def begun(self, come_to: str, name: str, *arguments: str) -> subprocess.Popen:
        """A playbook that goes on; it has just said what this pattern finds."""
        pattern, deadline = re.compile(come_to, re.DOTALL), time.monotonic() + 2400
        with LOG.open("w") as log:
            run = subprocess.Popen(
                self.play(name, *arguments),
                cwd=ROOT,
                env=self.env,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        while not pattern.search(said := LOG.read_text(errors="replace")):
            if time.monotonic() > deadline:
                os.killpg(run.pid, signal.SIGKILL)
            assert run.poll() is None, f"{name} ended before it came to {come_to}: {said[-4000:]}"
            time.sleep(0.1)
        return run

    def killed(self, come_to: str, name: str, *arguments: str, after: float = 0) -> None:
        """The same, and SIGKILL so many seconds later."""
        run = self.begun(come_to, name, *arguments)
        time.sleep(after)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()

    def create(self, *hosts: str) -> None:
        made = self.playbook("lab/create.yml", "--limit", ",".join(hosts))
        assert made.status == 0, made.tail()

    def remove(self, host: str) -> None:
        """Lose a host, disks and all, if there is one."""
        if f"{self.name}-{host}" in self.docker("ps", "--all", "--format", "{{.Names}}").split():
            self.docker("rm", "--force", "--volumes", f"{self.name}-{host}")

    @contextmanager
    def stranger(self):
        """A host in the lab's network that is nobody's: the name of its container and its address."""
        name, address = f"{self.name}-outside", f"{self.address(self.hosts[0]).rpartition('.')[0]}.250"
        self.remove("outside")
        place = ("--network", f"mainstay-{self.name}", "--ip", address)
        image = f"mainstay-host:{self.env['RELEASE']}"
        self.docker("run", "--detach", "--name", name, *place, image, "sleep", "infinity")
        try:
            yield name, address
        finally:
            self.remove("outside")

    def shell(self, host: str, command: str, check: bool = True, stdin: str | None = None) -> str:
        """Run a command in a host as root, past ssh: the tests must see what the firewall hides."""
        done = subprocess.run(
            ["docker", "exec", "-i", f"{self.name}-{host}", "bash", "-c", command],
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert not check or done.returncode == 0, f"{host}: {command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def docker(self, *command: str) -> str:
        return subprocess.run(["docker", *command], capture_output=True, text=True, check=True, timeout=180).stdout

    def vault(self) -> dict:
        """Read past the log, which would keep secrets in the clear."""
        command = ["ansible-vault", "view", str(self.inventory / "group_vars/all/vault.yml")]
        viewed = subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, check=True)
        return yaml.safe_load(viewed.stdout)

    def secrets(self) -> dict[str, str]:
        return self.vault()["platform_secrets"]

    def address(self, host: str) -> str:
        return re.search(rf"\b{host}: \{{ansible_host: ([0-9.]+)", (self.inventory / "hosts.yml").read_text())[1]

    def application(self, host: str = "app1") -> list[str]:
        """The words before a command that runs where the application does, with its settings."""
        return ["docker", "exec", "-i", f"{self.name}-{host}", "docker", "exec", "-i", "api-1"]

    redis_name = "apg-redis-master"
    engine = os.environ.get("ENGINE", "redis")

    @property
    def caches(self) -> list[str]:
        return [host for host in self.hosts if host.startswith("cache")]

    @property
    def backup_host(self) -> str:
        return "one" if self.name == "small" else "ops1"

    def settings(self, name: str) -> dict:
        return yaml.safe_load((self.inventory / "group_vars/all" / name).read_text())

    @property
    def edge_address(self) -> str:
        return self.settings("lab.yml")["platform_edge_address"].split("/")[0]

    @property
    def edge_name(self) -> str:
        return self.settings("apg/platform.yml")["platform_edge_names"][0]

    @property
    def hosts(self) -> list[str]:
        found = yaml.safe_load((self.inventory / "hosts.yml").read_text())
        return sorted(set(re.findall(r"'?(\w+)'?: \{'ansible_host'", str(found))))


def running(lab: Lab, host: str) -> bool:
    return lab.docker("inspect", "--format", "{{.State.Running}}", f"{lab.name}-{host}").strip() == "true"


def cluster(lab: Lab) -> list[dict]:
    """The members of the PostgreSQL cluster as Patroni lists them, asked of a database host that runs."""
    host = next(host for host in lab.hosts if host.startswith("db") and running(lab, host))
    return json.loads(lab.shell(host, "patronictl -c /etc/patroni/config.yml list -f json"))


def primary(lab: Lab) -> str:
    return next(member["Member"] for member in cluster(lab) if member["Role"] == "Leader")


def replica(lab: Lab) -> str:
    return next(member["Member"] for member in cluster(lab) if member["Role"] != "Leader")


def sql(lab: Lab, statements: str, host: str | None = None, check: bool = True) -> str:
    """The answer of the application's database on the primary, or on another host."""
    return lab.shell(host or primary(lab), PSQL, check=check, stdin=statements)


def synchronous(lab: Lab) -> str:
    return next((member["Member"] for member in cluster(lab) if member["Role"] == "Sync Standby"), "")


def make_synchronous(lab: Lab, host: str) -> None:
    """Have Patroni choose this replica, which alone may take over then: others that it chooses stop for a moment."""
    stopped, deadline = [], time.monotonic() + 90
    try:
        while (chosen := synchronous(lab)) != host:
            assert time.monotonic() < deadline, f"{host} does not become synchronous: {cluster(lab)}"
            if chosen:
                stopped.append(chosen)
                lab.shell(chosen, "systemctl stop patroni")
            time.sleep(1)
    finally:
        for each in stopped:
            lab.shell(each, "systemctl start patroni")
    while not all(each["State"] in ("running", "streaming") for each in cluster(lab)):
        assert time.monotonic() < deadline, cluster(lab)
        time.sleep(1)


def redis_cli(lab: Lab, host: str, *words: str, port: int = 6379) -> str:
    """What the server or the Sentinel of a host answers to its operator, also when nobody else reaches it."""
    tls = "--tls --cacert /etc/mainstay/tls/ca.crt"
    return lab.shell(
        host, f"set -a; . /etc/{lab.engine}/admin.env; {lab.engine}-cli --user admin {tls} -p {port} {' '.join(words)}"
    )


def redis_master(lab: Lab) -> str:
    """The host that most of the living Sentinels name."""
    question = ("sentinel", "get-master-addr-by-name", lab.redis_name)
    hosts = [host for host in lab.caches if running(lab, host)]
    answers = [redis_cli(lab, host, *question, port=26379).split()[0] for host in hosts]
    named = Counter(answers).most_common(1)[0][0]
    return next(host for host in lab.caches if lab.address(host) == named)


class Scenario(Lab):
    """The hosts of a molecule scenario, all of them Redis hosts; what stands for a site are its roles."""

    playbooks = {"hosts": "molecule/shared/prepare.yml", "site": "molecule/shared/converge.yml"}

    def __init__(self, scenario: str, release: str):
        super().__init__(f"molecule-{scenario}", release)
        self.redis_name = scenario
        self.inventory = Path(os.environ.get("MOLECULE_INVENTORY_FILE", "")).parent
        # A scenario has no vault, and Ansible refuses a file that is not there.
        del self.env["ANSIBLE_VAULT_PASSWORD_FILE"]
        folder = ROOT / "molecule" / scenario / "molecule.yml"
        self.addresses = self.addresses_of(yaml.safe_load(folder.read_text())["provisioner"]["inventory"]["hosts"])

    @staticmethod
    def addresses_of(inventory: dict) -> dict[str, str]:
        hosts = inventory["all"]["children"]["redis"]["hosts"]
        return {host: variables["ansible_host"] for host, variables in hosts.items()}

    @property
    def hosts(self) -> list[str]:
        return list(self.addresses)

    caches = hosts

    def address(self, host: str) -> str:
        return self.addresses[host]

    def play(self, name: str, *arguments: str) -> list[str]:
        return super().play(self.playbooks.get(name, name), *arguments)

    def secrets(self) -> dict[str, str]:
        seed = (self.state / "seed").read_text().strip()
        return {name: hashlib.sha256(f"{seed}{name}".encode()).hexdigest() for name in ("redis_app",)}

    def application(self, _host: str = "") -> list[str]:
        """No application runs here: its settings on a host that no drill breaks, and the entry of that host."""
        password = self.secrets()["redis_app"]
        master = redis_master(self)
        settings = {
            "REDIS_URL": f"rediss://app:{password}@{self.address(master)}:6379/0",
            "REDIS_SENTINELS": ",".join(f"{address}:26379" for address in self.addresses.values()),
            "REDIS_MASTER_NAME": self.redis_name,
            "REDIS_SENTINEL_USERNAME": "app",
            "REDIS_SENTINEL_PASSWORD": password,
            "EDGE_URL": "https://localhost",
        }
        return self.client(next(host for host in self.hosts if host != master), settings)

    def client(self, host: str, settings: dict[str, str]) -> list[str]:
        """The words before a command that runs on this host with an application's settings."""
        settings = {**settings, "REDIS_CA": "/etc/mainstay/tls/ca.crt"}
        given = [word for name, value in settings.items() for word in ("-e", f"{name}={value}")]
        return ["docker", "exec", "-i", *given, f"{self.name}-{host}"]


class ClusterScenario(Scenario):
    """The same with a cluster of Redis. The hosts of another inventory count while that is the overlay."""

    def __init__(self, scenario: str, release: str):
        super().__init__(scenario, release)
        self.more = ROOT / "molecule" / scenario / "inventory" / "more_hosts.yml"
        self.added = self.addresses_of(yaml.safe_load(self.more.read_text()))

    @property
    def hosts(self) -> list[str]:
        return [*self.addresses, *(self.added if self.overlay else ())]

    def address(self, host: str) -> str:
        return (self.addresses | self.added)[host]

    @property
    def client_host(self) -> str:
        """No drill breaks it."""
        return self.hosts[0]

    def application(self, _host: str = "") -> list[str]:
        password = self.secrets()["redis_app"]
        settings = {
            "REDIS_URL": f"rediss://app:{password}@{self.address(self.client_host)}:6379/0",
            "REDIS_NODES": ",".join(f"{address}:6379" for address in self.addresses.values()),
        }
        return self.client(self.client_host, settings)
