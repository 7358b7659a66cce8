# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# This file is longer than others because it has what servers of several releases do to their files and users.
from __future__ import annotations

import os
import shutil
from types import SimpleNamespace

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils._redis_client import RedisError
from ansible_collections.mainstay.platform.plugins.module_utils._redis_settings import Instance

DEFAULTS = {
    "kind": "server",
    "settings": {},
    "secrets": {},
    "acl_path": None,
    "acl": "",
    "certificate_path": None,
    "name": None,
    "monitor": None,
    "quorum": 2,
    "previous_password_path": None,
    "mode": "apply",
    "user": "admin",
    "password": "new",
}


class Fake:
    """A server or Sentinel that answers as it is told, and remembers what it was asked."""

    def __init__(self, live=(), fixed=(), listens=True, password="new", error=None, users=(), info=""):
        self.live = dict(live)
        self.fixed, self.listens, self.password, self.error = fixed, listens, password, error
        self.asked = []
        self.users, self.info = users, info
        self.sock = None

    def __call__(self, endpoint, options):
        if self.error:
            raise self.error
        if not self.listens:
            raise RedisError("refused", "connection refused")
        if options["password"] != self.password:
            raise RedisError("auth", "WRONGPASS")
        return self

    def __enter__(self):
        return self

    def close(self):
        pass

    def call(self, *words):
        self.asked.append(" ".join(map(str, words)))
        if words[:2] == ("CONFIG", "GET"):
            return [words[2], self.live[words[2]]] if words[2] in self.live else []
        if words[:2] == ("CONFIG", "SET") and words[2] in self.fixed:
            raise RedisError("reply", "ERR CONFIG SET failed - can't set immutable config")
        if words[:2] == ("ACL", "LIST"):
            return list(self.users)
        return self.info if words[0] == "INFO" else "OK"

    def changes(self):
        return [text for text in self.asked if " SET " in text or "MONITOR" in text or "REMOVE" in text]


@pytest.fixture
def reconcile(tmp_path):
    """Run an instance over a file; gives the result and leaves the file in `reconcile.path`."""

    def run(text, fake, check_mode=False, **params):
        run.path = tmp_path / "redis.conf"
        run.path.write_text(text)
        module = SimpleNamespace(
            params={**DEFAULTS, "path": str(run.path), **params},
            check_mode=check_mode,
            tmpdir=str(tmp_path),
            atomic_move=lambda source, target, **_options: shutil.move(source, target),
        )
        return Instance(module, connect=fake).reconcile()

    return run


def test_a_stopped_server_gets_its_file_and_keeps_its_master(reconcile):
    result = reconcile("port 0\nreplicaof 192.0.2.2 6379\n", Fake(listens=False), settings={"maxmemory": "1mb"})
    assert (result["changed"], result["running"]) == (True, False)
    assert reconcile.path.read_text() == "port 0\nreplicaof 192.0.2.2 6379\nmaxmemory 1mb\n"


def test_a_running_server_takes_what_it_can_and_names_what_it_cannot(reconcile):
    fake = Fake({"maxmemory": "0", "io-threads": "1"}, fixed=["io-threads"])
    result = reconcile("maxmemory 0\nio-threads 1\n", fake, settings={"maxmemory": "1mb", "io-threads": 4})
    assert result["restart_required"] == ["io-threads"]
    assert result["differences"] == [
        "maxmemory: found 0, expected 1048576",
        "io-threads: found 1, expected 4",
    ]
    assert "CONFIG SET maxmemory 1mb" in fake.asked and "CONFIG REWRITE" in fake.asked
    assert "io-threads 1" in reconcile.path.read_text()


@pytest.mark.parametrize("options", [{"mode": "check"}, {"check_mode": True}, {"mode": "stopped"}])
def test_who_only_looks_changes_nothing(reconcile, options):
    fake = Fake({"maxmemory": "0"})
    reconcile("maxmemory 0\n", fake, settings={"maxmemory": "1mb"}, **options)
    assert fake.changes() == [] and reconcile.path.read_text() == "maxmemory 0\n"


def test_a_server_that_is_right_is_left_alone(reconcile):
    fake = Fake({"maxmemory": "1048576"})
    result = reconcile("maxmemory 1mb\n", fake, settings={"maxmemory": "1mb"})
    assert not result["changed"] and not result["differences"] and fake.changes() == []


def test_a_file_that_lags_behind_is_written_by_the_server(reconcile):
    fake = Fake({"maxmemory": "1048576"})
    reconcile("maxmemory 5mb\n", fake, settings={"maxmemory": "1mb"})
    assert "CONFIG REWRITE" in fake.asked


@pytest.mark.parametrize(("snapshot", "log"), [(True, "appendonly no"), (False, "appendonly yes")])
def test_a_stopped_server_with_a_snapshot_does_not_start_empty(reconcile, tmp_path, snapshot, log):
    if snapshot:
        (tmp_path / "dump.rdb").touch()
    text = f"dir {tmp_path}\nappendonly no\n"
    reconcile(text, Fake(listens=False), settings={"appendonly": True, "maxmemory": "1mb"})
    assert log in reconcile.path.read_text().splitlines() and "maxmemory 1mb" in reconcile.path.read_text()
    fake = Fake({"appendonly": "no", "maxmemory": "1mb"})
    reconcile(text, fake, settings={"appendonly": True})
    assert "CONFIG SET appendonly yes" in fake.asked, "it runs, and writes its data to the log"


MASTER = "role:master\nconnected_slaves:2\n"
REPLICA = "role:slave\nmaster_host:192.0.2.2\nmaster_port:6379\nmaster_link_status:up\n"


@pytest.mark.parametrize(
    ("text", "info", "difference"),
    [
        ("replicaof 192.0.2.2 6379\n", MASTER, "role in the file: found replicaof 192.0.2.2 6379, expected a master"),
        ("port 0\n", REPLICA, "role in the file: found a master, expected replicaof 192.0.2.2 6379"),
        (
            "replicaof 192.0.2.9 6379\n",
            REPLICA,
            "role in the file: found replicaof 192.0.2.9 6379, expected replicaof 192.0.2.2 6379",
        ),
        ("replicaof 192.0.2.2 6379\n", REPLICA, None),
        ("slaveof 192.0.2.2 6379\n", REPLICA, None),
        ("port 0\n", MASTER, None),
        ("port 0\n", REPLICA + "cluster_enabled:1\n", None),
    ],
)
def test_a_file_that_would_bring_another_role_back_is_written_again(reconcile, text, info, difference):
    for mode, rewrites in (("check", False), ("apply", bool(difference))):
        fake = Fake(info=info)
        assert reconcile(text, fake, mode=mode)["differences"] == ([difference] if difference else [])
        assert ("CONFIG REWRITE" in fake.asked) is rewrites


def test_secret_values_are_not_named(reconcile):
    result = reconcile("", Fake({"masterauth": "old"}), mode="check", secrets={"masterauth": "topsecret"})
    assert result["differences"] == ["masterauth: found another value"]


def test_the_previous_password_opens_when_the_new_one_does_not(reconcile, tmp_path):
    (tmp_path / "admin.env").write_text("REDISCLI_AUTH=old\n")
    fake = Fake({"maxmemory": "0"}, password="old")
    result = reconcile("", fake, settings={"maxmemory": 1}, previous_password_path=os.fspath(tmp_path / "admin.env"))
    assert result["running"] and "CONFIG SET maxmemory 1" in fake.asked


def test_new_passwords_come_in_beside_the_old_ones(reconcile, tmp_path):
    (tmp_path / "admin.env").write_text("REDISCLI_AUTH=old\n")
    fake = Fake(password="old", users=["user app on #aa ~* +@all", "user gone on #cc"])
    acl = "user default off\nuser app on #bb ~* +@all\nuser fresh on #dd\n"
    options = {"mode": "stopped", "acl": acl, "previous_password_path": os.fspath(tmp_path / "admin.env")}
    assert reconcile("", fake, **options)["changed"]
    assert [text for text in fake.asked if "SETUSER" in text] == ["ACL SETUSER app #bb"]
    assert not reconcile("", Fake(users=["user app on #bb"]), **options)["changed"]


def test_a_new_password_is_let_in_also_when_the_present_one_opens(reconcile):
    fake = Fake(users=["user app on #aa ~*"])
    assert reconcile("", fake, mode="stopped", acl="user app on #aa #bb ~*\n")["changed"]
    assert "ACL SETUSER app #bb" in fake.asked


def test_passwords_alone_close_no_connection(reconcile, tmp_path):
    fake = Fake(users=["user app on #aa #bb ~* +get", "user edge on #cc +ping"])
    acl = "user app on #bb ~* +get\nuser edge on #cc +ping\n"
    assert reconcile("", fake, acl=acl, acl_path=os.fspath(tmp_path / "users.acl"))["changed"]
    assert [text for text in fake.asked if text.startswith(("ACL SETUSER", "ACL LOAD"))] == ["ACL SETUSER app !aa"]
    fake = Fake(users=["user app on #aa ~a* +get", "user edge on #cc +ping"])
    reconcile("", fake, acl=acl, acl_path=os.fspath(tmp_path / "users.acl"))
    assert "ACL LOAD" in fake.asked


def test_rules_that_a_server_refuses_leave_the_file_with_which_it_starts(reconcile, tmp_path):
    class Refuses(Fake):
        def call(self, *words):
            if words[:2] == ("ACL", "LOAD"):
                raise RedisError("reply", "ERR /etc/redis/users.acl:1: Unknown command or category name in ACL")
            return super().call(*words)

    path = tmp_path / "users.acl"
    path.write_text("user app on #aa +get\n")
    with pytest.raises(ValueError, match="Unknown command.*the former ones stay"):
        reconcile("", Refuses(users=["user app on #aa +get"]), acl="user app on #aa +@al\n", acl_path=os.fspath(path))
    assert path.read_text() == "user app on #aa +get\n"


def test_a_server_without_data_says_so(reconcile, tmp_path):
    text = f"dir {tmp_path}\ndbfilename a.rdb\n"
    assert reconcile(text, Fake(listens=False))["empty"]
    (tmp_path / "appendonlydir").mkdir()
    assert not reconcile(text, Fake(listens=False))["empty"]


@pytest.mark.parametrize(("kind", "named"), [("auth", "users"), ("tls", "certificate")])
def test_who_cannot_be_talked_to_needs_a_restart(reconcile, kind, named):
    result = reconcile("", Fake(error=RedisError(kind, "no")), settings={"maxmemory": 1})
    assert (result["running"], result["restart_required"], result["changed"]) == (True, [named], False)


def test_an_unknown_setting_is_refused(reconcile):
    with pytest.raises(ValueError, match="does not know it"):
        reconcile("", Fake(), settings={"maxmemroy": "1mb"})


def test_a_running_sentinel_is_told_its_master_once(reconcile):
    settings = {"down-after-milliseconds": 5000, "sentinel announce-ip": "192.0.2.1", "loglevel": "notice"}
    options = {"kind": "sentinel", "name": "m", "monitor": "192.0.2.9:6379", "settings": settings}
    fake = Fake()
    result = reconcile("sentinel monitor mymaster 127.0.0.1 6379 2\n", fake, **options)
    assert fake.changes() == [
        "SENTINEL REMOVE mymaster",
        "SENTINEL MONITOR m 192.0.2.9 6379 2",
        "SENTINEL CONFIG SET announce-ip 192.0.2.1",
        "SENTINEL SET m down-after-milliseconds 5000",
    ]
    assert result["restart_required"] == ["loglevel"]


def test_a_sentinel_that_knows_its_master_keeps_it(reconcile):
    options = {"kind": "sentinel", "name": "m", "monitor": "192.0.2.9:6379", "quorum": 3}
    fake = Fake()
    result = reconcile("sentinel monitor m 192.0.2.2 6379 2\n", fake, **options)
    assert fake.changes() == ["SENTINEL SET m quorum 3"]
    assert result["monitor"] == "192.0.2.2:6379"
