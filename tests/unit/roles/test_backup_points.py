# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restore points: every backup host knows those of the others, also after one of them is lost and after a restore."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from types import SimpleNamespace

import pytest
from repository import ROOT, load

FILES = ROOT / "roles" / "backup" / "files"
sys.path.insert(0, str(FILES))

from mainstay_backup import database, repository  # noqa: E402
from mainstay_backup.common import Problem  # noqa: E402

DAY = 86400
KNOWN = [{"stop": 1}]


class Cluster:
    """The primary, as the backup hosts meet it: its table of points, or none."""

    def __init__(self):
        self.table, self.reached = {}, True

    @contextlib.contextmanager
    def primary(self, _settings):
        if not self.reached:
            raise Problem("PostgreSQL: found no connection")
        yield self

    def value(self, sql):
        if "to_regclass" in sql:
            return None if self.table is None else repository.TABLE
        answers = {"create_restore_point": "0/5000000", "substr": "00000001", "xmax": "700"}
        return next((answer for word, answer in answers.items() if word in sql), "000000010000000000000004")

    def rows(self, _sql):
        return [{"point": point} for point in self.table.values()]

    def ask(self, sql):
        inserted = re.search(r"insert into \S+ values \('(.*?)', '(.*)'\) on conflict do nothing", sql)
        if inserted:
            self.table.setdefault(inserted[1], repository.json.loads(inserted[2]))
        deleted = re.search(r"delete from \S+ where .* < ([\d.]+)", sql)
        if deleted:
            self.table = {name: item for name, item in self.table.items() if item["time"] >= float(deleted[1])}
        return []


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    cluster = Cluster()
    monkeypatch.setattr(database, "primary", cluster.primary)
    monkeypatch.setattr(repository, "lock", lambda _kind, wait=False: contextlib.nullcontext())
    return cluster


@pytest.fixture
def hosts(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    return [SimpleNamespace(backup_dir=str(tmp_path / name), keep_days=30) for name in ("first", "second")]


def names(host, session=None):
    return [point["name"] for point in repository.points(host, session)]


def test_a_host_that_was_away_knows_the_points_of_one_that_is_lost(cluster, hosts):
    first, second = hosts
    repository.add_point(first, "before_import", "by hand")
    assert names(second) == []
    assert names(second, cluster) == ["before_import"]
    repository.share_points(second, KNOWN)
    cluster.table = {}
    assert names(second) == ["before_import"]


def test_a_name_is_taken_on_every_host(cluster, hosts):
    repository.add_point(hosts[0], "before_import", "by hand")
    with pytest.raises(Problem, match="restore point before_import: found it taken; expected a new name"):
        repository.add_point(hosts[1], "before_import", "by hand")


def test_what_a_restore_takes_from_the_table_is_put_back(cluster, hosts):
    repository.add_point(hosts[0], "before_restore", "by hand")
    cluster.table = {}
    repository.share_points(hosts[0], KNOWN)
    assert list(cluster.table) == ["before_restore"]


def test_a_point_is_made_where_the_table_is_not_there(cluster, hosts, capsys):
    cluster.table = None
    repository.add_point(hosts[0], "early", "by hand")
    repository.share_points(hosts[0], KNOWN)
    assert names(hosts[0]) == ["early"]
    assert "only this host knows early; run the postgresql role" in capsys.readouterr().err


def test_points_before_the_oldest_backup_are_forgotten_here_and_later_everywhere(cluster, hosts):
    repository.add_point(hosts[0], "old", "by hand")
    repository.share_points(hosts[0], [{"stop": time.time() + 1}])
    assert names(hosts[0]) == []
    assert list(cluster.table) == ["old"]  # another repository may still lead to it
    repository.share_points(hosts[0], KNOWN, now=time.time() + 62 * DAY)
    assert cluster.table == {}


def test_the_figures_are_written_while_no_primary_answers(cluster, hosts, monkeypatch, tmp_path, capsys):
    cluster.reached = False
    hosts[0].textfile_dir = str(tmp_path)
    monkeypatch.setattr(repository, "info", lambda _settings: {})
    repository.report(hosts[0])
    assert "mainstay_backup_report_timestamp_seconds" in (tmp_path / "mainstay_repository.prom").read_text()
    assert "restore points of other backup hosts: PostgreSQL: found no connection" in capsys.readouterr().err


def test_the_role_makes_the_table_that_the_program_reads():
    made = load(ROOT / "roles/postgresql/vars/main.yml")["__postgresql_sql_backup_grants"]
    assert f"create table if not exists {repository.TABLE} (name text primary key, point jsonb not null)" in made
    assert f"grant select, insert, delete on {repository.TABLE} to {{{{ platform_postgresql_backup_role }}}}" in made
