"""What the backup host has of the other hosts, on the lab that stands."""

from __future__ import annotations

from tests.lab import Lab

BACKUPS = "/var/backups/mainstay"
OPEN = "openssl enc -d -aes-256-cbc -pbkdf2 -iter 200000 -pass file:/etc/mainstay/backup/files.key -in"
MARK = "/etc/mainstay/kept-when-it-changes"


def newest(lab: Lab, kind: str, host: str) -> str:
    """What the newest archive of a kind holds of a host, a path per line."""
    path = lab.shell(lab.backup_host, f"ls -t {BACKUPS}/{kind}/{host}/*.enc | head -n 1")
    return lab.shell(lab.backup_host, f"{OPEN} {path} | tar -tz")


def test_the_newest_archive_of_an_application_host_has_its_logs(lab: Lab):
    host = "one" if lab.name == "small" else "app1"
    lab.shell(lab.backup_host, "mainstay-backup files")
    assert "var/log/apg-cash/" in newest(lab, "files", host)


def test_audit_logs_are_in_archives_of_their_own(lab: Lab):
    lab.shell(lab.backup_host, "mainstay-backup audit")
    assert "var/log/auth.log" in newest(lab, "audit", lab.backup_host)
    assert "var/log/auth.log" not in newest(lab, "files", lab.backup_host)


def test_configuration_is_kept_when_it_changes(lab: Lab):
    host = "one" if lab.name == "small" else "app1"
    lab.shell(lab.backup_host, "mainstay-backup configuration")
    assert lab.shell(lab.backup_host, "mainstay-backup configuration") == ""
    try:
        lab.shell(host, f"touch {MARK}")
        run = lab.playbook("backup")
        assert run.status == 0, run.tail()
        assert run.changed == {}, run.tail(200)
        assert MARK[1:] in newest(lab, "configuration", host)
    finally:
        lab.shell(host, f"rm {MARK}")
    lab.shell(lab.backup_host, "mainstay-backup configuration")
    assert MARK[1:] not in newest(lab, "configuration", host)
