# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# This file is longer than others because it holds what two servers of two releases rewrite in their files.
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings a Redis server or a Sentinel to its settings: the conversation with it and its file.

Private to this collection.
"""

from __future__ import annotations

import functools
import os
import ssl
import tempfile

from ansible_collections.mainstay.platform.plugins.module_utils import _redis_config as config
from ansible_collections.mainstay.platform.plugins.module_utils._endpoint import join_endpoint, split_endpoint
from ansible_collections.mainstay.platform.plugins.module_utils._redis_client import RedisClient, RedisError
from ansible_collections.mainstay.platform.plugins.module_utils._redis_reader import parse_info

DEFAULT_PORTS = {"server": "6379", "sentinel": "26379"}
# What Redis answers about a setting that it reads at its start only.
FIXED = ("immutable", "protected config")
# Options that SENTINEL CONFIG SET knows.
SENTINEL_OWN = (
    "sentinel-user",
    "sentinel-pass",
    "announce-ip",
    "announce-port",
    "resolve-hostnames",
    "announce-hostnames",
)


class Instance:
    """One server or Sentinel of this host."""

    def __init__(self, module, connect=RedisClient):
        self.module = module
        self.params = module.params
        self.connect = connect
        self.may_change = self.params["mode"] != "check" and not module.check_mode
        self.differences = []
        self.restart = []
        self.info = {}
        self.former_users = ""

    def reconcile(self):
        """Compare, change what may be changed, and say what was found."""
        client = self._open()
        changed = False
        try:
            if client is None and not self.restart:
                changed = self._users_file()
                changed = self._reconcile_file() or changed
            elif client is not None and self.params["mode"] == "stopped":
                changed = self._new_passwords(client)
            elif client is not None:
                self.info = parse_info(client.call("INFO"))
                changed = self._reconcile_live(client)
        finally:
            if client is not None:
                client.close()
        monitor = config.watched(config.parse(self._text())).get(self.params["name"], "")
        return {
            "changed": changed and self.params["mode"] != "check",
            "running": client is not None or bool(self.restart),
            "answers": client is not None,
            "empty": self._empty(),
            "differences": self.differences,
            "restart_required": self.restart,
            "info": self.info,
            "monitor": join_endpoint(*monitor.split()[:2]) if monitor else "",
        }

    def _text(self):
        with open(self.params["path"], encoding="utf-8") as stream:
            return stream.read()

    def _settings(self):
        return dict(self.params["settings"], **self.params["secrets"])

    def _note(self, key, found, wanted):
        secret = key in self.params["secrets"] or key.rsplit(" ", 1)[0].endswith("-pass")
        words = (
            "found another value"
            if secret
            else f"found {config.canonical(key, found) if found is not None else 'nothing'}"
        )
        self.differences.append(f"{key}: {words}" + ("" if secret else f", expected {config.canonical(key, wanted)}"))

    # Connection: the file says where the running instance listens, for the instance itself keeps it up to date.

    def _open(self):
        """A connection, or None when nothing listens or the instance cannot be talked to before it was restarted."""
        found = config.parse(self._text())
        tls = found.get("tls-port", ["0"])[-1] != "0"
        port = found["tls-port"][-1] if tls else found.get("port", [DEFAULT_PORTS[self.params["kind"]]])[-1]
        options = dict(self.params, tls=tls)
        try:
            return self._open_with(f"127.0.0.1:{port}", options)
        except RedisError as error:
            if error.kind == "refused":
                return None
            if error.kind not in ("tls", "auth"):
                raise
            self.differences.append(f"connection: {error}")
            self.restart.append("certificate" if error.kind == "tls" else "users")
            return None

    def _open_with(self, endpoint, options):
        try:
            client = self.connect(endpoint, options).__enter__()
            client.call("ACL", "WHOAMI")  # PING is refused when snapshots fail
            return client
        except RedisError as error:
            previous = self._previous_password()
            if error.kind != "auth" or not previous or previous == options["password"]:
                raise
            return self.connect(endpoint, dict(options, password=previous)).__enter__()

    def _previous_password(self):
        path = self.params["previous_password_path"]
        if not path or not os.path.exists(path):
            return None
        with open(path, encoding="utf-8") as stream:
            return stream.readline().rstrip("\n").partition("=")[2]

    # A stopped instance: its file is ours to merge.

    def _wanted(self, found):
        if self.params["kind"] == "server":
            return self._settings()
        known = config.watched(found).get(self.params["name"], "").split()[:2]
        monitor = known or (list(split_endpoint(self.params["monitor"])) if self.params["monitor"] else [])
        return config.sentinel_wanted(
            self.params["name"], " ".join(map(str, monitor)), self.params["quorum"], self._settings()
        )

    def _reconcile_file(self):
        text = self._text()
        kept = config.forget_others(text, self.params["name"]) if self.params["kind"] == "sentinel" else text
        found = config.parse(kept)
        wanted = self._wanted(found)
        if self._only_snapshot(found):
            wanted.pop("appendonly", None)
        for key in config.changed_keys(found, wanted):
            self._note(key, found.get(key), wanted[key])
        merged = config.merge(kept, wanted)
        if merged != text and self.may_change:
            self._write(merged, self.params["path"])
        return merged != text

    def _only_snapshot(self, found):
        """Whether the data are in a snapshot alone. A server that starts with a log reads nothing else.

        Once it runs it takes the log and writes its data there.
        """
        directory, name = found.get("dir", [""])[-1], found.get("dbfilename", ["dump.rdb"])[-1]
        without_log = found.get("appendonly", ["no"])[-1] == "no"
        return self.params["kind"] == "server" and without_log and os.path.exists(os.path.join(directory, name))

    def _empty(self):
        """Whether a server that starts has no data, neither a snapshot nor a log."""
        if self.params["kind"] != "server":
            return False
        found = config.parse(self._text())
        directory = found.get("dir", [""])[-1]
        names = (found.get("dbfilename", ["dump.rdb"])[-1], found.get("appenddirname", ["appendonlydir"])[-1])
        return not any(os.path.exists(os.path.join(directory, name)) for name in names)

    def _write(self, text, path):
        like = os.stat(self.params["path"])
        handle, temporary = tempfile.mkstemp(dir=self.module.tmpdir)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chown(temporary, like.st_uid, like.st_gid)
        os.chmod(temporary, like.st_mode & 0o640)
        self.module.atomic_move(temporary, path, keep_dest_attrs=False)

    # A running instance.

    def _reconcile_live(self, client):
        changed = self._certificate(client)
        if self.params["kind"] == "server":
            changed = self._server_settings(client) or changed
        else:
            changed = self._sentinel_settings(client) or changed
        changed = self._users_file() or changed
        # Last, because Redis 7.0 closes all connections when it loads its users.
        try:
            return self._users(client) or changed
        except RedisError as error:
            if error.kind != "reply":
                raise
            # A server that starts refuses a file that a running one has refused.
            if self.may_change and self.former_users:
                self._write(self.former_users, self.params["acl_path"])
            raise ValueError(f"users: {error}; the former ones stay, correct the rules") from None

    def _server_settings(self, client):
        changed = False
        wanted = self._settings()
        for key, value in wanted.items():
            reply = client.call("CONFIG", "GET", key)
            if not reply:
                raise ValueError(f"setting {key}: this release of Redis does not know it; remove it from the settings")
            if config.same(key, reply[1], value):
                continue
            self._note(key, reply[1], value)
            changed = self._set_server(client, key, value) or changed
        if role := config.other_role(config.parse(self._text()), self.info):
            self.differences.append(role)
        if self.may_change:
            changed = self._rewrite(client, wanted, changed) or changed
        return changed

    def _set_server(self, client, key, value):
        """Whether the running server took the setting, or would."""
        if not self.may_change:
            return True
        try:
            client.call("CONFIG", "SET", key, " ".join(config.as_items(value)))
        except RedisError as error:
            if not any(words in str(error) for words in FIXED):
                raise ValueError(f"setting {key}: {error}") from None
            self.restart.append(key)
            return False
        return True

    def _rewrite(self, client, wanted, changed):
        """Have the server write its file when the file lags behind; whether that changed it."""
        before = config.parse(self._text())
        behind = [key for key in config.changed_keys(before, wanted) if key not in self.restart]
        if not changed and not behind and not config.other_role(before, self.info):
            return False
        client.call("CONFIG", "REWRITE")
        return config.parse(self._text()) != before

    def _sentinel_settings(self, client):
        if self.may_change:
            client.call("SENTINEL", "FLUSHCONFIG")
        text = self._text()
        found = config.parse(text)
        wanted = self._wanted(found)
        changed = False
        for other in config.watched(found):
            if other != self.params["name"]:
                self.differences.append(
                    f"sentinel monitor {other}: found it, expected no other master than {self.params['name']}"
                )
                changed = True
                if self.may_change:
                    client.call("SENTINEL", "REMOVE", other)
        for key in sorted(config.changed_keys(found, wanted), key=lambda key: not key.startswith("sentinel monitor")):
            self._note(key, found.get(key), wanted[key])
            words = self._sentinel_command(key, config.as_items(wanted[key])[0], found)
            if not words:
                self.restart.append(key)
                continue
            changed = True
            if self.may_change:
                client.call("SENTINEL", *words)
        return changed

    def _sentinel_command(self, key, value, found):
        """The words behind SENTINEL that make a setting so, or None when it needs a restart."""
        words = key.split(" ")
        if words[0] != "sentinel":
            return None
        if words[1] == "monitor":
            return (
                ["SET", words[2], "quorum", value.split()[-1]]
                if key in found
                else ["MONITOR", words[2], *value.split()]
            )
        if len(words) == 3:
            return ["SET", words[2], words[1], value]
        return ["CONFIG", "SET", words[1], value] if words[1] in SENTINEL_OWN else None

    def _users_file(self):
        """The ACL file, owned like the configuration; whether it had to change."""
        path, text = self.params["acl_path"], self.params["acl"]
        if not path:
            return False
        found = None
        if os.path.exists(path):
            with open(path, encoding="utf-8") as stream:
                found = stream.read()
        if found == text:
            return False
        self.differences.append("acl file: found other users or rules, or none")
        self.former_users = found or ""
        if self.may_change:
            self._write(text, path)
        return True

    def _users(self, client):
        if not self.params["acl_path"] or "aclfile" in self.restart:
            return False
        wanted = config.parse_users(self.params["acl"])
        live = config.parse_users("\n".join(client.call("ACL", "LIST")))
        members = functools.lru_cache(maxsize=None)(lambda category: tuple(client.call("ACL", "CAT", category)))
        names = config.different_users(wanted, live, members)
        self.differences += [f"user {name}: found other rules than the ACL file's" for name in names]
        passwords = [name for name in names if config.same_rules(name, wanted, live, members)]
        if self.may_change and passwords == names:  # nobody's connection is closed for it
            for name in names:
                client.call("ACL", "SETUSER", name, *config.new_passwords(wanted[name], live[name], drop=True))
        elif self.may_change:
            client.call("ACL", "LOAD")
        return bool(names)

    def _new_passwords(self, client):
        """Beside the old passwords let the new ones in, until every server and Sentinel uses them."""
        changed = False
        live = config.parse_users("\n".join(client.call("ACL", "LIST")))
        for name, rules in config.parse_users(self.params["acl"]).items():
            words = config.new_passwords(rules, live[name]) if name in live else []
            if words and self.may_change:
                client.call("ACL", "SETUSER", name, *words)
            changed = changed or bool(words)
        return changed

    def _certificate(self, client):
        """A server that presents an old certificate reads the files again when any option of TLS changes."""
        path = self.params["certificate_path"]
        if not path or not hasattr(client.sock, "getpeercert"):
            return False
        with open(path, encoding="ascii", errors="replace") as stream:
            first = stream.read().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
        if client.sock.getpeercert(True) == ssl.PEM_cert_to_DER_cert(first[first.index("-----BEGIN") :]):
            return False
        self.differences.append("certificate: found another one than the file's")
        if self.params["kind"] == "sentinel":
            self.restart.append("certificate")
            return False
        if self.may_change:
            seconds = int(client.call("CONFIG", "GET", "tls-session-cache-timeout")[1])
            for value in (seconds + 1, seconds):
                client.call("CONFIG", "SET", "tls-session-cache-timeout", value)
        return True
