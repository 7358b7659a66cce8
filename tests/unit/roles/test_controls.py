# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# This file is longer than others because each control that has lied once keeps its test.
"""The data file of the controls is whole, and everybody reads it."""

from __future__ import annotations

import importlib.util
import re
import subprocess

import jinja2.nativetypes
import pytest
from ansible.plugins.filter.core import dict_to_list_of_dict_key_value_elements, flatten
from repository import ROOT, load

SPEC = importlib.util.spec_from_file_location("controls_table", ROOT / "tests" / "controls.py")
TABLE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(TABLE)
DATA = TABLE.data()
CONTROLS = DATA["__hardening_controls"]
IDS = [control["id"] for control in CONTROLS]
KEYS = {"id", "subsystem", "level", "reason", "standards", "ask"}
# Expressions become a word, so that a shell can read what is around them.
EXPRESSION = re.compile(r"\{\{.*?\}\}", re.S)


def test_ids_are_unique():
    assert sorted(IDS) == sorted(set(IDS))


@pytest.mark.parametrize("control", CONTROLS, ids=IDS)
def test_a_control_says_all_that_it_must(control):
    assert set(control) >= KEYS and set(control) <= KEYS | {"needs", "fix", "guarded"}
    assert control["level"] in DATA["__hardening_levels"]
    assert control["subsystem"] in DATA["__hardening_subsystems"]
    assert set(control.get("needs", [])) <= set(DATA["__hardening_needs"])
    assert control["standards"] and all(
        re.match(r"CIS (Controls )?\d|ANSSI R\d", name) for name in control["standards"]
    )
    assert control["reason"].endswith(".")


def test_every_need_and_subsystem_is_used():
    assert {need for control in CONTROLS for need in control.get("needs", [])} == set(DATA["__hardening_needs"])
    assert {control["subsystem"] for control in CONTROLS} == set(DATA["__hardening_subsystems"])


@pytest.mark.parametrize("control", CONTROLS, ids=IDS)
def test_questions_and_fixes_are_shell(control):
    for script in (control["ask"], control.get("fix", ":")):
        done = subprocess.run(["sh", "-n"], input=EXPRESSION.sub("word", script), text=True, capture_output=True)
        assert done.returncode == 0, done.stderr


def test_templates_and_files_speak_of_known_controls():
    named = {file["control"] for file in DATA["__hardening_files"] if "control" in file}
    for path in (ROOT / "roles" / "hardening" / "templates").rglob("*.j2"):
        named |= set(re.findall(r"'([a-z-]+)' in __hardening_on", path.read_text()))
    assert named <= set(IDS)


def test_every_template_is_written_somewhere():
    folder = ROOT / "roles" / "hardening" / "templates"
    there = {str(path.relative_to(folder)) for path in folder.rglob("*.j2")}
    assert {file["template"] for file in DATA["__hardening_files"]} == there


def test_doors_are_guarded():
    """What decides who comes in is changed with the old state ready to return."""
    doors = re.compile(r"^/etc/(ssh/sshd|pam\.d|security/(faillock|pwquality)|sudoers)|pam-configs")
    assert not [
        file["path"] for file in DATA["__hardening_files"] if doors.match(str(file["path"])) and not file.get("guarded")
    ]
    fixes = re.compile(r"pam-auth-update|/etc/pam\.d/|/usr/bin/sudo\b")
    assert not [
        control["id"] for control in CONTROLS if fixes.search(control.get("fix", "")) and not control.get("guarded")
    ]


def test_the_page_is_in_step():
    assert TABLE.PAGE.read_text() == TABLE.page(), "run tests/controls.py"


SET = """
a='x'; printf 'PASS_MAX_DAYS\\t99999\\n# PASS_MIN_DAYS is this\\n' >f
has f 'PASS_MAX_DAYS 365' && exit 9
set_lines f 'PASS_MAX_DAYS 365' 'PASS_MIN_DAYS 1'
has f 'PASS_MAX_DAYS 365' 'PASS_MIN_DAYS 1' '# PASS_MIN_DAYS is this' || exit 8
chmod 0644 f; modes 0600 - f && exit 7
set_modes 0600 - f; modes 0600 - f || exit 6
[ "$(stat -c %a f)" = 600 ] || exit 5
chmod 0400 f; set_modes 0600 - f; [ "$(stat -c %a f)" = 400 ] || exit 4
modes 0600 - missing || exit 3
mkdir d; chmod 2755 d; set_modes 0750 - d; [ "$(stat -c %a d)" = 750 ] || exit 10
echo x | none found && exit 2
: | none found
"""


def test_the_helpers_do_what_they_say(tmp_path):
    helpers = EXPRESSION.sub("-", DATA["__hardening_helpers"])
    done = subprocess.run(["sh"], input=helpers + SET, text=True, capture_output=True, cwd=tmp_path)
    assert done.returncode == 0, done


def asked(script, place, files):
    """What a script says with the helpers, whose operator is `ansible`, over files of our own."""
    text = DATA["__hardening_helpers"] + script
    for path, content in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(content)
    for top in {path.split("/", 1)[0] for path in files}:
        text = text.replace(f"/{top}/", f"{place}/{top}/")
    text = re.sub(r"\{\{[^}]*hardening_operators[^}]*\}\}", "ansible", text)
    return subprocess.run(["sh"], input=EXPRESSION.sub("-", text), text=True, capture_output=True, check=False)


def control(name):
    return next(control for control in CONTROLS if control["id"] == name)


def test_an_operator_keeps_its_shell(tmp_path):
    lines = [f"{name}:x:{number}:1::/:/bin/sh" for name, number in (("ansible", 900), ("old", 901), ("ann", 1000))]
    assert asked("unused", tmp_path, {"etc/passwd": "\n".join(lines) + "\n"}).stdout == "old\n"


@pytest.mark.parametrize(
    ("fields", "said"), [("0:365:7::", "ansible\n"), ("0::7:30:", "ansible\n"), ("0::7::", ""), ("0:-1:7:-1:", "")]
)
def test_the_account_of_an_operator_does_not_age(tmp_path, fields, said):
    shadow = f"ansible:!:20000:{fields}:\nann:!:20000:0:365:7:30::\n"
    assert asked("ageing", tmp_path, {"etc/shadow": shadow}).stdout == said
    for name in ("login-ageing", "accounts-inactive"):
        assert "ageing | none" in control(name)["ask"] and "chage -M -1 -I -1" in control(name)["fix"]


@pytest.mark.parametrize("wide", [".", ".ansible", ".bashrc"])
def test_one_wide_mode_in_any_home_is_told_and_mended(tmp_path, wide):
    for name in ("ann", "bob"):
        (tmp_path / name / ".ansible").mkdir(parents=True, mode=0o700)
        (tmp_path / name / ".bashrc").write_text("")
        (tmp_path / name / ".bashrc").chmod(0o600)
        (tmp_path / name).chmod(0o700)
    passwd = {"etc/passwd": "".join(f"{name}:x:1000:1000::{tmp_path}/{name}:/bin/sh\n" for name in ("ann", "bob"))}
    ask, fix = control("home-modes")["ask"], control("home-modes")["fix"]
    assert asked(ask, tmp_path, passwd).returncode == 0
    (tmp_path / "ann" / wide).chmod(0o755)
    found = asked(ask, tmp_path, passwd)
    assert found.returncode == 1 and f"{tmp_path}/ann" in found.stdout
    assert asked(f"{fix}\n{ask}", tmp_path, passwd).returncode == 0


def test_a_link_in_a_home_leads_no_change_elsewhere(tmp_path):
    (tmp_path / "ann").mkdir(mode=0o700)
    (tmp_path / "place").mkdir()
    (tmp_path / "place").chmod(0o755)
    (tmp_path / "ann" / ".ansible").symlink_to(tmp_path / "place")
    passwd = {"etc/passwd": f"ann:x:1000:1000::{tmp_path}/ann:/bin/sh\n"}
    done = asked(f"{control('home-modes')['fix']}\n{control('home-modes')['ask']}", tmp_path, passwd)
    assert done.returncode == 0, done
    assert (tmp_path / "place").stat().st_mode & 0o777 == 0o755


def test_a_home_that_is_a_link_is_judged_where_it_leads(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real").chmod(0o755)
    (tmp_path / "ann").symlink_to(tmp_path / "real")
    passwd = {"etc/passwd": f"ann:x:1000:1000::{tmp_path}/ann:/bin/sh\n"}
    ask, fix = control("home-modes")["ask"], control("home-modes")["fix"]
    assert asked(ask, tmp_path, passwd).returncode == 1
    assert asked(f"{fix}\n{ask}", tmp_path, passwd).returncode == 0


@pytest.mark.parametrize(("mode", "status"), [("enforce", 0), ("complain", 1)])
def test_only_processes_that_are_not_confined_count(tmp_path, mode, status):
    place = {"proc/7/attr/current": f"/usr/bin/one ({mode})\n", "proc/8/attr/current": "unconfined\n"}
    script = control("apparmor")["ask"].replace("aa-status --enabled", "true")
    found = asked("systemctl() { :; }\n" + script, tmp_path, place)
    assert found.returncode == status, found
    assert ("/usr/bin/one" in found.stdout) == bool(status)


def test_logs_are_cut_daily_and_kept_as_long(tmp_path):
    ask, fix = control("logs-daily")["ask"], control("logs-daily")["fix"]
    before = "# rotate log files weekly\nweekly\n\nrotate 4\n"
    assert asked(ask, tmp_path, {"etc/logrotate.conf": before}).returncode == 1
    done = asked(f"{fix}\n{fix}\n{ask}", tmp_path, {"etc/logrotate.conf": before})
    assert done.returncode == 0, done
    after = (tmp_path / "etc/logrotate.conf").read_text()
    assert "weekly" not in after and after.splitlines().count("daily") == 1 and "rotate 28\n" in after


def test_an_operator_s_own_schedule_of_logs_is_told_and_stays(tmp_path):
    ask, fix = control("logs-daily")["ask"], control("logs-daily")["fix"]
    done = asked(f"{fix}\n{ask}", tmp_path, {"etc/logrotate.conf": "monthly\nrotate 12\n"})
    assert done.returncode == 1 and "not daily" in done.stdout
    assert (tmp_path / "etc/logrotate.conf").read_text() == "monthly\nrotate 12\n"


def test_a_rule_of_usb_has_one_condition_of_interfaces():
    """USBGuard does not read a rule with two."""
    rules = (ROOT / "roles/hardening/templates/usbguard-rules.conf.j2").read_text().splitlines()
    assert [line.count("with-interface") for line in rules if line[:1] not in "#{"] == [1, 1, 1]


def test_files_that_may_be_an_operator_s_own_stay():
    ours = re.compile(r"mainstay")
    assert not [
        file["path"]
        for file in DATA["__hardening_files"]
        if "control" in file and not file.get("kept") and not ours.search(file["path"])
    ]


def test_needs_are_asked_without_a_change():
    assert not [name for name, need in DATA["__hardening_needs"].items() if "accton" in need["ask"]]


PACKAGES = load(ROOT / "roles/platform/defaults/main/packages.yml")


def installed(**given):
    """The packages of the role with these inputs."""
    environment = jinja2.nativetypes.NativeEnvironment()
    environment.filters |= {"dict2items": dict_to_list_of_dict_key_value_elements, "flatten": flatten}
    rendered = environment.from_string(PACKAGES["platform_packages"]["hardening"])
    return rendered.render({**PACKAGES, "platform_hardening_level": "baseline", **given})


@pytest.mark.parametrize("level", ["baseline", "strict"])
def test_packages_belong_to_controls_of_their_level(level):
    of_level = {control["id"] for control in CONTROLS if control["level"] == level}
    assert set(PACKAGES[f"__platform_packages_{level}_controls"]) <= of_level


@pytest.mark.parametrize(
    ("control", "package"),
    [
        ("bans", "fail2ban"),
        ("clock", "chrony"),
        ("upgrades-security", "unattended-upgrades"),
        ("accounting-processes", "acct"),
        ("usb-devices", "usbguard"),
        ("accounting-load", "sysstat"),
    ],
)
def test_a_control_that_is_off_brings_no_package(control, package):
    """Its service would start at the next boot."""
    assert package in installed(hardening_level="strict")
    assert package not in installed(hardening_level="strict", hardening_controls_off=[control])


def test_one_strict_control_brings_no_package_of_another():
    assert set(installed(hardening_controls_on=["integrity"])) - set(installed()) == {
        *["aide", "chkrootkit", "binutils", "procps", "debsums"]
    }


def test_controls_that_use_packages_have_them():
    assert set(PACKAGES["__platform_packages_strict_controls"]) <= set(IDS)
    for given, there in (
        ({}, False),
        ({"hardening_controls_on": ["sudo-strict"]}, False),
        ({"hardening_controls_on": ["integrity"]}, True),
        ({"hardening_level": "strict"}, True),
        ({"platform_hardening_level": "strict"}, True),
        ({"platform_hardening_level": "strict", "hardening_level": "baseline"}, False),
    ):
        found = installed(**given)
        assert ("aide" in found) == there, given


MODPROBE = 'modprobe() { echo "$MODPROBE" | grep -- "$3"; }\n'


@pytest.mark.parametrize(
    ("would", "runs", "said"),
    [
        ("install /bin/false usb-storage", "ext4 1 0", ""),
        ("insmod /lib/modules/usb-storage.ko", "ext4 1 0", "not shut: insmod /lib/modules/usb-storage.ko\n"),
        ("", "usb_storage 8 0 - Live", "not shut: usb-storage runs until modprobe -r or a boot\n"),
        ("", "usb_storage_other 8 0 - Live", ""),
    ],
)
def test_a_module_that_runs_already_is_not_shut(tmp_path, would, runs, said):
    for name in ("modules-file-systems", "modules-network", "modules-devices"):
        assert control(name)["ask"].startswith("shut ") and control(name)["needs"] == ["own-kernel"]
    script = f"MODPROBE='{would}'\n{MODPROBE}{control('modules-devices')['ask']}"
    done = asked(script, tmp_path, {"proc/modules": f"{runs}\n"})
    assert (done.returncode, done.stdout) == (bool(said), said), done


DEBIAN = 'module(load="imuxsock")\nmodule(load="imklog")   # kernel\n*.* @@siem.example.org\n'


@pytest.mark.parametrize(
    "loaded", [DEBIAN, 'module(load="imklog" permitnonkernelfacility="on")\n', "$ModLoad imklog\n"]
)
def test_a_container_leaves_the_kernel_s_messages(tmp_path, loaded):
    ask, fix = control("logs-own")["ask"], control("logs-own")["fix"]
    place = {"etc/rsyslog.conf": loaded}
    assert asked(ask, tmp_path, place).returncode == 1
    assert asked(f"{fix}\n{fix}\n{ask}", tmp_path, place).returncode == 0
    kept = (tmp_path / "etc/rsyslog.conf").read_text()
    assert [line.lstrip("#") for line in kept.splitlines()] == loaded.splitlines()
    assert kept.count("#") == loaded.count("#") + 1


def test_an_operator_s_rsyslog_conf_is_not_written():
    """It may forward all to another host."""
    assert "/etc/rsyslog.conf" not in [file["path"] for file in DATA["__hardening_files"]]


def test_modes_of_the_doors_are_set_before_their_services_start_again():
    """After them, a mode on a file of ssh asks for a restart that nobody makes."""
    tasks = [str(task) for task in load(ROOT / "roles/hardening/tasks/configure.yml")]
    first, last = (
        next(number for number, task in enumerate(tasks) if word in task)
        for word in ("__hardening_questions_open", "mainstay.platform.guarded")
    )
    assert first < last


def test_a_package_that_others_depend_on_stays():
    fix = control("packages-legacy")["fix"]
    assert "dpkg --purge " in fix and not re.search(r"apt-get[^&]*(purge|remove)", fix)


def test_the_group_is_there_before_a_file_names_it():
    named = [name for task in load(ROOT / "roles/hardening/tasks/configure.yml") for name in task]
    assert named.index("ansible.builtin.group") < named.index("mainstay.platform.file_bundle")
