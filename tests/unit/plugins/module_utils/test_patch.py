# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils import _patch

SIMULATION = """Reading package lists...
The following packages have been kept back:
  libfoo1 libbar2
  libbaz3
The following packages will be upgraded:
  patroni
Remv old-thing [1.0-1]
Inst patroni [4.0.4-1] (4.0.4-2 Debian:13.2/stable [all])
Inst linux-image-6.12.57 (6.12.57-1 Debian-Security:13/stable-security [amd64]) []
Inst libc6:i386 [2.41-1] (2.41-2 Debian:13.2/stable [i386]) [libc6:amd64 ]
Conf patroni (4.0.4-2 Debian:13.2/stable [all])
"""


def test_what_apt_would_do_is_read():
    found = _patch.simulated(SIMULATION)
    assert found["upgrades"] == [
        {"name": "patroni", "from": "4.0.4-1", "to": "4.0.4-2"},
        {"name": "linux-image-6.12.57", "from": "", "to": "6.12.57-1"},
        {"name": "libc6:i386", "from": "2.41-1", "to": "2.41-2"},
    ]
    assert found["removed"] == ["old-thing"]
    assert found["kept"] == ["libfoo1", "libbar2", "libbaz3"]


def test_what_runs_with_replaced_files_is_read_and_some_is_spared():
    units = _patch.stale("NEEDRESTART-VER: 3.8\nNEEDRESTART-SVC: ssh.service\nNEEDRESTART-SVC: dbus.service\n")
    assert _patch.apart(units, ["dbus", "bus"]) == (["ssh.service"], ["dbus.service"])
    assert _patch.stale("NEEDRESTART-VER: 3.8\nNEEDRESTART-KSTA: 3\n") == []


SHOWN = """Id=ssh.service
RefuseManualStop=no
ExecMainStartTimestamp=Sat 2026-11-21 10:00:10.000000 UTC

Id=patroni.service
RefuseManualStop=no
ExecMainStartTimestamp=Sat 2026-11-21 09:00:00.000000 UTC

Id=auditd.service
RefuseManualStop=yes
ExecMainStartTimestamp=Sat 2026-11-21 09:00:00.000000 UTC
"""


def test_a_service_that_started_since_the_upgrade_has_only_old_sessions():
    upgraded = _patch.moment("Sat 2026-11-21 10:00:00.000000 UTC")
    assert _patch.asked(SHOWN, upgraded) == (["patroni.service"], ["auditd.service"])


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("0::/system.slice/patroni.service\n", "patroni.service"),
        ("0::/system.slice/system-getty.slice/getty@tty1.service\n", "getty@tty1.service"),
        ("9:name=systemd:/system.slice/ssh.service\n8:pids:/\n0::/\n", "ssh.service"),
        ("0::/docker/0123/system.slice/etcd.service\n", "etcd.service"),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", ""),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n", ""),
        ("0::/system.slice/docker-0123.scope\n", ""),
        ("", ""),
    ],
)
def test_a_process_belongs_to_a_unit(cgroup, unit):
    assert _patch.unit_of(cgroup) == unit


def test_a_service_uses_what_it_has_loaded_and_was_started_with():
    maps = (
        "55d0-55d1 r-xp 00000000 fe:01 12 /usr/sbin/pgbouncer\n"
        "7f00-7f01 r--p 00000000 fe:01 13 /usr/share/locale/data\n"
        "7f01-7f02 r-xp 00000000 fe:01 14 /usr/lib/libssl.so.3 (deleted)\n"
        "7ffd-7ffe r-xp 00000000 00:00 0 [vdso]\n"
    )
    assert _patch.mapped(maps) == {"/usr/sbin/pgbouncer", "/usr/lib/libssl.so.3"}
    assert _patch.named("/usr/bin/python3\0/usr/bin/patroni\0-c\0/etc/x.yml\0/too/late\0") == {
        "/usr/bin/python3",
        "/usr/bin/patroni",
        "/etc/x.yml",
    }
    running = [("a.service", {"/lib/x", "/bin/a"}), ("b.service", {"/bin/b"}), ("", {"/lib/x"})]
    assert _patch.using(running, {"/lib/x"}) == ["a.service"]


def test_a_directory_that_is_a_link_is_followed_once():
    asked = []

    def resolve(path):
        asked.append(path)
        return path.replace("/lib", "/usr/lib", 1)

    assert _patch.real(["/lib/a", "/lib/b"], resolve) == {"/usr/lib/a", "/usr/lib/b"}
    assert asked == ["/lib"]


def test_everything_is_said_in_one_line():
    nothing = dict.fromkeys(("upgrades", "removed", "kept", "expected", "services", "left", "reboot_packages"), [])
    assert _patch.evidence({**nothing, "reboot": False}) == "nothing to upgrade, to restart or to boot"
    said = _patch.evidence(
        {
            **nothing,
            "upgrades": [{"name": "a", "from": "1", "to": "2"}, {"name": "b", "from": "", "to": "1"}],
            "services": ["x.service"],
            "reboot": True,
        }
    )
    assert said == (
        "to upgrade: a 1 -> 2, b none -> 1; runs on with replaced files: x.service; a reboot is wanted by the host"
    )
