# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks the nodes of a Redis cluster, and does single steps to it. Private to this collection."""

from __future__ import annotations

import contextlib
import fcntl
import re
import time

from ansible_collections.mainstay.platform.plugins.module_utils import _redis_cluster as cluster
from ansible_collections.mainstay.platform.plugins.module_utils._endpoint import split_endpoint
from ansible_collections.mainstay.platform.plugins.module_utils._redis_argspec import server_options
from ansible_collections.mainstay.platform.plugins.module_utils._redis_client import RedisClient, RedisError
from ansible_collections.mainstay.platform.plugins.module_utils._redis_reader import parse_info, server_row

PAUSE = 0.25  # seconds between two looks
AGAIN = 6  # seconds after which nodes have given up MEET and FAILOVER, by themselves and without a word
LOCK = "/run/lock/mainstay-redis-cluster"
REDIRECTS = 5
NOISE = re.compile(r"\x1b\[[0-9;]*m|#+")  # colours, and a mark for each slot that moved


def read_node(endpoint, options):
    """What a node says of itself and of the cluster, as one row, also when it does not answer."""
    try:
        with RedisClient(endpoint, options) as client:
            info = parse_info(client.call("INFO"))
            row = dict(server_row(endpoint, info), enabled=info.get("cluster_enabled") == "1", id="", state="", view={})
            if not row["enabled"]:
                return row
            row["view"] = cluster.parse_nodes(client.call("CLUSTER", "NODES"))
            row["id"] = client.call("CLUSTER", "MYID")
            row["state"] = parse_info(client.call("CLUSTER", "INFO"))["cluster_state"]
            return row
    except RedisError as error:
        return {"server": endpoint, "reachable": False, "error": str(error), "kind": error.kind, "enabled": False}


def wanted_of(params):
    return {key: params[key] for key in ("members", "leaving", "replicas", "imbalance")}


def read_all(params):
    """The rows of all members, and of those that leave."""
    options = server_options(params)
    return [read_node(endpoint, options) for endpoint in params["members"] + params["leaving"]]


def look(params):
    """(rows, cluster, problems) as they are now."""
    rows = read_all(params)
    return (rows, *cluster.describe(rows, wanted_of(params)))


def look_ahead(params):
    """The same as a dry run sees it: a server that refuses and that no node knows is not built yet, and will be new."""
    rows = read_all(params)
    known = {node["server"] for row in rows if row["reachable"] for node in row["view"].values()}
    new = [row for row in rows if row["kind"] == "refused" and row["server"] in params["members"]]
    new = [row for row in new if row["server"] not in known]
    rows = [row for row in rows if row not in new]
    found, problems = cluster.describe(rows, wanted_of(params))
    found["nodes"].update({row["server"]: cluster.new_node("") for row in new})
    return rows, found, problems


def look_until(params, good, look=look, again=None):
    """The same, once `good(rows, cluster, problems)` holds or the deadline is over; `again` takes them meanwhile."""
    end, due = time.monotonic() + params["deadline"], time.monotonic() + AGAIN
    while True:
        found = look(params)
        if good(*found) or time.monotonic() > end:
            return found
        if again and time.monotonic() >= due:
            again(*found)
            due = time.monotonic() + AGAIN
        time.sleep(PAUSE)


@contextlib.contextmanager
def alone():
    """Nobody else on this host moves slots: a run that lost its controller may still be at it."""
    with open(LOCK, "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"slots: found that another run moves some ({LOCK} is held); expected none; wait for it to end"
            ) from error
        yield


def tell(params, server, *words):
    """The reply of one server to one command."""
    with RedisClient(server, server_options(params)) as client:
        return client.call(*words)


class Steps:
    """Does the steps of a plan. `run` runs a program with an environment and gives (status, stdout, stderr)."""

    def __init__(self, params, run):
        self.params, self.run = params, run

    def do(self, step, rows, found):
        """One step; it returns when the nodes were told, which is before they have agreed."""
        getattr(self, "_" + step["do"])(step, rows, found)

    def _call(self, server, *words):
        return tell(self.params, server, *words)

    def _meet(self, step, _rows, _found):
        self._call(step["other"], "CLUSTER", "MEET", *split_endpoint(step["server"]))

    def _assign(self, step, _rows, _found):
        bounds = [bound for word in step["slots"].split() for bound in (word.split("-")[0], word.split("-")[-1])]
        self._call(step["server"], "CLUSTER", "ADDSLOTSRANGE", *bounds)

    def _follow(self, step, _rows, found):
        self._call(step["server"], "CLUSTER", "REPLICATE", found["nodes"][step["other"]]["id"])

    def _promote(self, step, _rows, _found):
        self._call(step["server"], "CLUSTER", "FAILOVER")

    def _forget(self, step, rows, _found):
        """Everybody within a minute, or those that were told first would hear of it again. Then it forgets them."""
        others = [row for row in rows if row["reachable"] and row["id"] != step["id"] and step["id"] in row["view"]]
        for row in others:
            self._call(row["server"], "CLUSTER", "FORGET", step["id"])
        if any(row["reachable"] and row["id"] == step["id"] for row in rows):
            self._call(step["server"], "CLUSTER", "RESET", "HARD")  # refused while it is a master with keys

    def _fix(self, step, _rows, _found):
        self._cli("fix", step["server"], "--cluster-yes")

    def _drain(self, step, _rows, found):
        weight = f"{found['nodes'][step['server']]['id']}=0"
        self._rebalance(step, "--cluster-weight", weight)

    def _balance(self, step, _rows, _found):
        self._rebalance(step, "--cluster-use-empty-masters")

    def _rebalance(self, step, *words):
        # A threshold of 0 means to redis-cli that nothing has to move.
        threshold = str(max(self.params["imbalance"], 1))
        self._cli("rebalance", step["server"], "--cluster-threshold", threshold, *words)

    def _cli(self, command, server, *words):
        params = self.params
        argv = [params["cli"], "--no-auth-warning", "--user", params["user"]]
        if params["tls"]:
            argv.append("--tls")
            files = (("--cacert", "ca_path"), ("--cert", "cert_path"), ("--key", "key_path"))
            argv += [word for option, key in files if params[key] for word in (option, params[key])]
        argv += ["--cluster", command, server, *words]
        # The password is in its environment only.
        with alone():
            status, out, err = self.run(argv, environ_update={"REDISCLI_AUTH": params["password"] or ""})
        if status != 0:
            lines = [NOISE.sub("", line).strip() for line in (out + err).splitlines()]
            said = " | ".join([line for line in lines if line][-6:])
            raise ValueError(
                f"{params['cli']} --cluster {command}: found it ended with {status} ({said}); expected 0; run this "
                "again when the nodes answer each other, which finishes the move"
            )


def ask(start, words, params):
    """The reply to one command about one key, wherever its slot is, as a client of clusters finds it."""
    server = start
    for _redirect in range(REDIRECTS):
        try:
            return tell(params, server, *words)
        except RedisError as error:
            if not str(error).startswith("MOVED "):
                raise
            server = str(error).split()[2]
    raise RedisError("reply", f"{words[0]} from {start}: found {REDIRECTS} redirections, the last to {server}")
