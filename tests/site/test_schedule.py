"""What the backup host does by itself, on the lab that stands: a full backup from a replica, the drill by cron."""

from __future__ import annotations

import json
import re
import sys
import time

import pytest

from tests.lab import ROOT, Lab, cluster, primary, sql

sys.path.append(str(ROOT / "tests" / "drills"))
import acts  # noqa: E402

REPOSITORY = "/var/backups/mainstay/pgbackrest/archive"
CRON = "/etc/cron.d/mainstay-backup"
ONCE = "/etc/cron.d/mainstay-backup-once"
RESULT = "/var/lib/mainstay/drill.json"
SOON = 130  # seconds in which cron has seen a new file and begun


def test_a_full_backup_is_read_from_a_replica(lab: Lab):
    if len(cluster(lab)) < 2:
        pytest.skip("a replica is needed")
    host, logs = lab.backup_host, "/var/log/pgbackrest/*-backup.log"
    before = int(lab.shell(host, f"cat {logs} | wc -l"))
    took = lab.shell(host, "PGBACKREST_LOG_LEVEL_FILE=detail mainstay-backup take full 2>&1")
    said = lab.shell(host, f"cat {logs} | tail -n +{before + 1}")
    assert "taking it from the primary" not in took
    assert "replay on the standby reached" in said, said
    # Data of tables lie below base; what only the primary has, such as pg_control, lies elsewhere.
    read_from = set(re.findall(r"backup file ([0-9.]+):\S+/base/", said))
    assert read_from, "no file of a table was copied"
    assert lab.address(primary(lab)) not in read_from, read_from


def test_what_a_former_timeline_left_does_not_stop_the_archive(lab: Lab):
    """A segment of one, with other content than the repository has: a primary that crashed may keep one."""
    if len(cluster(lab)) < 2:
        pytest.skip("a replica is needed")
    switched = lab.playbook("switchover")
    assert switched.status == 0, switched.tail()
    host, wal = primary(lab), "$(runuser -u postgres -- psql -XAtc 'show data_directory')/pg_wal"
    sql(lab, "checkpoint; select pg_switch_wal()")
    names = lab.shell(lab.backup_host, f"find {REPOSITORY} -type f -printf '%f\\n'").split()
    timeline = lab.shell(host, f"ls {wal} | grep history | sort | tail -n 1")[:8]
    kept = sorted(match[1] for name in names if (match := re.match(r"([0-9A-F]{24})-", name)))
    name = [each for each in kept if each[:8] < timeline][-1]
    present = sql(lab, "select pg_walfile_name(pg_current_wal_lsn())")
    lab.shell(
        host,
        f"cd {wal} && cp {present} {name} && chown postgres: {name} && touch archive_status/{name}.ready",
    )
    acts.archive(lab)
    assert f"{name} is of a former timeline" in lab.shell(host, "cat $(ls -t /var/log/postgresql/* | head -n 2)")


def result(lab: Lab) -> dict:
    return json.loads(lab.shell(lab.backup_host, f"cat {RESULT} 2>/dev/null || echo '{{}}'"))


def metrics(lab: Lab) -> dict[str, float]:
    """Of the drill, as the node exporter gives them."""
    host = lab.backup_host
    # A host has no curl.
    ask = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
    said = lab.shell(host, f"python3 -c '{ask}' http://{lab.address(host)}:9100/metrics")
    return {name: float(value) for name, value in re.findall(r"^(mainstay_drill_\w+) (\S+)$", said, re.M)}


def test_cron_runs_the_restore_drill(lab: Lab):
    """Its own line, in the next minute instead of next month: its user, environment and shell are what is tried."""
    host, began = lab.backup_host, time.time()
    lines = lab.shell(host, f"cat {CRON}").splitlines()
    (line,) = [line for line in lines if "mainstay-backup drill" in line]
    settings = [line for line in lines if re.match(r"\w+=", line)]
    now = "\n".join([*settings, "* * * * * " + line.split(maxsplit=5)[5]])
    try:
        lab.shell(host, f"install -m 0644 /dev/stdin {ONCE}", stdin=now + "\n")
        while result(lab).get("started", 0) < began:
            assert time.time() < began + SOON, f"cron did not begin within {SOON} s"
            time.sleep(1)
    finally:
        lab.shell(host, f"rm -f {ONCE}")
    while (found := result(lab))["verdict"] == "running":
        assert time.time() < began + 900, found
        time.sleep(2)
    assert found["verdict"] == "pass", found["problems"]
    kept = metrics(lab)
    assert kept["mainstay_drill_last_result"] == 1
    assert kept["mainstay_drill_finished_timestamp_seconds"] == pytest.approx(found["finished"], abs=1)
    assert kept["mainstay_drill_rto_seconds"] == pytest.approx(found["rto_seconds"], abs=0.1)
    assert "restore of" in lab.shell(host, f"journalctl -t mainstay-backup --since @{int(began)} --output cat")
