# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role sysctl makes of the kernel's answers: held, wrong, or not to be had here; which keys are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from repository import ROOT, load, render_all

LIMITS = ["DefaultLimitNOFILE", "DefaultLimitNPROC"]
ROUTERS = {"net.ipv6.conf.*.accept_ra": 0, "net.ipv6.conf.default.accept_ra": 0}
IPV6 = {f"net/ipv6/conf/{name}/accept_ra": "0" for name in ("all", "default", "lo", "eth0", "eth0.5", "eth1")}
NO_IPV6 = "IPv6 is switched off, or the kernel is built without it"
CONTAINER = "a container's network lacks it, or may not set it"
# What is wanted, what the kernel has, what else is given; then which keys hold, what is wrong, and what cannot be.
CASES = {
    "values": (
        {"net.core.somaxconn": 65535, "net.ipv4.ip_forward": 0, "net.ipv4.ip_local_port_range": "32768 65535"},
        {"net/core/somaxconn": "128", "net/ipv4/ip_forward": "0", "net/ipv4/ip_local_port_range": "32768\t65535"},
        {"processes": 4096},
        ["DefaultLimitNOFILE", "net.ipv4.ip_forward", "net.ipv4.ip_local_port_range"],
        ["net.core.somaxconn is 128, not 65535", "DefaultLimitNPROC is 4096, not 65535"],
        {},
    ),
    "mistyped keys": (
        {"net.core.somaxcon": 65535, "net.ipv6.conf.all.acept_ra": 0, "net.ipv6.conf.*.acept_ra": 0, "net.ipv66.x": 0},
        IPV6,
        {},
        LIMITS,
        [
            "net.core.somaxcon is missing, not 65535",
            "net.ipv6.conf.*.acept_ra is missing, not 0",
            "net.ipv6.conf.all.acept_ra is missing, not 0",
            "net.ipv66.x is missing, not 0",
        ],
        {},
    ),
    "a kernel without IPv6 and others": (
        {**ROUTERS, "kernel.sysrq": 0, "kernel.yama.ptrace_scope": 1, "kernel.panic": 10},
        {"kernel/panic": "0"},
        {},
        LIMITS,
        ["kernel.panic is 0, not 10"],
        {
            "kernel.sysrq": "the kernel is built without the SysRq key",
            "kernel.yama.ptrace_scope": "the kernel runs without Yama",
            **dict.fromkeys(ROUTERS, NO_IPV6),
        },
    ),
    "every interface, but one that is given by itself": (
        {**ROUTERS, "net.ipv6.conf.eth1.accept_ra": 2},
        {**IPV6, **{f"net/ipv6/conf/{name}/accept_ra": "2" for name in ("eth0", "eth0.5", "eth1")}},
        {},
        [*LIMITS, *(f"net.ipv6.conf.{name}.accept_ra" for name in ("all", "default", "eth1", "lo"))],
        ["net.ipv6.conf.eth0.accept_ra is 2, not 0", "net.ipv6.conf.eth0/5.accept_ra is 2, not 0"],
        {},
    ),
    "a container": (
        {"net.core.somaxconn": 65535, "net.core.netdev_max_backlog": 5000, "vm.swappiness": 10},
        {"net/core/somaxconn": "128", "vm/swappiness": "60"},
        {"sysctl_container": True},
        LIMITS,
        ["net.core.somaxconn is 128, not 65535"],
        {"net.core.netdev_max_backlog": CONTAINER},
    ),
}
REFUSED = ["net/core/somaxconn", "net.core.so maxconn", "net.ipv6.conf.eth*.accept_ra", "sys.core.x", "net"]
GROUPS = ("sysctl_values", "sysctl_hardening", "sysctl_hardening_strict", "sysctl_role_values")


def run_of(tree, wanted, **given):
    values = {**dict.fromkeys(GROUPS, {}), "sysctl_container": False, "sysctl_extra": wanted, **given}
    return "sysctl.yml", {"tree": str(tree), **values}


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What was said of each kernel."""
    trees, runs = {name: tmp_path_factory.mktemp("sys") for name in CASES}, []
    for name, (wanted, files, given, *_expected) in CASES.items():
        for path, value in files.items():
            (trees[name] / path).parent.mkdir(parents=True, exist_ok=True)
            (trees[name] / path).write_text(f"{value}\n")
        runs.append(run_of(trees[name], wanted, **given))
    for done in render_all(runs):
        assert done.returncode == 0, done.stdout + done.stderr
    return {name: json.loads((tree / "said").read_text()) for name, tree in trees.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_kernel_is_judged(said, name):
    *_given, held, wrong, lacking = CASES[name]
    judged = said[name]["judged"]
    assert sorted(judged["wrong"]) == sorted(wrong)
    assert judged["lacking"] == lacking
    assert sorted(judged["held"]) == sorted(held)


def test_what_cannot_be_is_not_applicable_key_by_key(said):
    gates = said["a kernel without IPv6 and others"]["gates"]
    assert [gate["gate"].split()[0] for gate in gates if gate["not_applicable"] == NO_IPV6] == list(ROUTERS)
    assert len(gates) == 4 and said["values"]["gates"] == []


def test_a_kernel_that_lives_is_read(tmp_path):
    """It gives a file in one piece, or nothing but the first character."""
    path = Path("/proc/sys/net/ipv4/ip_local_port_range")
    (tmp_path / "net").symlink_to("/proc/sys/net")
    (done,) = render_all([run_of(tmp_path, {"net.ipv4.ip_local_port_range": path.read_text().strip()})])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "net.ipv4.ip_local_port_range" in json.loads((tmp_path / "said").read_text())["judged"]["held"]


def test_keys_that_are_none_are_refused(tmp_path):
    (done,) = render_all([run_of(tmp_path, dict.fromkeys([*REFUSED, *ROUTERS, "net.ipv4.conf.eth0/5.rp_filter"], 1))])
    said = " ".join(done.stdout.split())
    assert done.returncode != 0 and f"found {', '.join(REFUSED)}; expected keys such as" in said, said


def test_what_ipv6_asks_of_the_interface_is_said_to_every_interface():
    values = load(ROOT / "roles/sysctl/defaults/main.yml")
    assert values["sysctl_hardening"]["net.ipv6.conf.*.accept_redirects"] == 0
    assert values["sysctl_hardening_strict"]["net.ipv6.conf.*.accept_ra"] == 0


def test_they_are_set_by_what_knows_patterns():
    """Not every release's `sysctl -p` does."""
    (task,) = [task for task in load(ROOT / "roles/sysctl/tasks/service.yml") if "argv" in str(task)]
    assert "/usr/lib/systemd/systemd-sysctl {{ __sysctl_file }}" in str(task)
