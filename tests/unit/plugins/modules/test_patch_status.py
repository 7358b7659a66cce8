# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.modules import patch_status


@pytest.fixture
def host(monkeypatch, tmp_path):
    """A host whose commands answer what `answers` has for their first word; `said` are the commands."""
    here = {"said": [], "answers": {}}

    def run(_module, command, **_options):
        here["said"].append(command)
        return here["answers"].get(command[0], (0, "", ""))

    monkeypatch.setattr(AnsibleModule, "run_command", run)
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_all, **_options: "/usr/sbin/needrestart")
    monkeypatch.setattr(patch_status, "REBOOT", str(tmp_path / "reboot-required"))
    monkeypatch.setattr(patch_status, "DPKG", str(tmp_path))
    monkeypatch.setattr(patch_status, "processes", lambda: [("patroni.service", {"/usr/bin/patroni"})])
    return here


UPGRADE = (0, "Inst patroni [4.0.4-1] (4.0.4-2 Debian:13.2/stable [all])\n", "")


def test_nothing_is_to_do(run_module, host):
    found = run_module("patch_status")
    assert not found["changed"] and not found["reboot"] and found["evidence"].startswith("nothing")
    assert host["said"][0][-2:] == ["upgrade", "--with-new-pkgs"]


def test_what_will_be_restarted_is_told_from_the_files(run_module, host):
    host["answers"] = {"apt-get": UPGRADE, "dpkg-query": (0, "/.\n/usr/bin/patroni\n", "")}
    found = run_module("patch_status", upgrade="dist")
    assert found["expected"] == ["patroni.service"] and found["services"] == []
    assert host["said"][0][-1] == "dist-upgrade"
    assert ["dpkg-query", "--listfiles", "patroni"] in host["said"]


def test_what_is_spared_is_left(run_module, host):
    host["answers"] = {
        "needrestart": (0, "NEEDRESTART-SVC: dbus.service\nNEEDRESTART-SVC: etcd.service\n", ""),
        "systemctl": (0, "Id=etcd.service\nRefuseManualStop=no\nExecMainStartTimestamp=n/a\n", ""),
        "apt-get": UPGRADE,
        "dpkg-query": (0, "/usr/bin/patroni\n", ""),
    }
    found = run_module("patch_status", spare=["dbus", "patroni"])
    assert (found["services"], found["left"], found["expected"]) == (["etcd.service"], ["dbus.service"], [])


def test_only_some_packages_are_looked_at(run_module, host):
    run_module("patch_status", packages=["patroni"])
    assert host["said"][0][-3:] == ["install", "--only-upgrade", "patroni"]


def test_a_wish_for_a_reboot_is_said_with_who_has_it(run_module, host, tmp_path):
    (tmp_path / "reboot-required").touch()
    (tmp_path / "reboot-required.pkgs").write_text("linux-image\nlinux-image\n")
    found = run_module("patch_status")
    assert found["reboot"] and found["reboot_packages"] == ["linux-image"]


def test_a_command_that_fails_is_named(run_module, host):
    host["answers"] = {"apt-get": (100, "", "E: Unable to locate package nobody")}
    found = run_module("patch_status", packages=["nobody"])
    assert found["failed"] and "ended with 100 (E: Unable to locate package nobody); expected" in found["msg"]


def test_processes_of_services_are_found_in_proc(tmp_path):
    for pid, unit in (("7", "a.service"), ("8", "x.scope")):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "cgroup").write_text(f"0::/system.slice/{unit}\n")
        (tmp_path / pid / "cmdline").write_text("/nowhere/run\0")
    (tmp_path / "9").mkdir()  # it ends while it is looked at
    assert list(patch_status.processes(str(tmp_path))) == [("a.service", {"/nowhere/run"})]
