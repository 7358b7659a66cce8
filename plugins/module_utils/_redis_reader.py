# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what servers and Sentinels say of themselves into plain rows. Private to this collection."""

from __future__ import annotations

from ansible_collections.mainstay.platform.plugins.module_utils._endpoint import join_endpoint
from ansible_collections.mainstay.platform.plugins.module_utils._redis_argspec import sentinel_options, server_options
from ansible_collections.mainstay.platform.plugins.module_utils._redis_client import RedisClient, RedisError


def parse_info(text):
    """The lines key:value of INFO as a dict of strings."""
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line and not line.startswith("#"))
    return {key: value.strip() for key, value in pairs}


def parse_fields(text):
    """ "a=1,b=2", as INFO writes replicas and key spaces, as a dict of strings."""
    return dict(item.split("=", 1) for item in text.split(",") if "=" in item)


def server_row(endpoint, info):
    """What INFO says about replication and data, as one row."""
    role = info.get("role")
    row = {
        "server": endpoint,
        "reachable": True,
        "error": "",
        "kind": "loading" if info.get("loading") == "1" else "",
        "role": "replica" if role == "slave" else role,
        "keys": sum(
            int(parse_fields(value)["keys"])
            for key, value in info.items()
            if key.startswith("db") and key[2:].isdigit()
        ),
        "offset": int(info.get("slave_repl_offset" if role == "slave" else "master_repl_offset", 0)),
        "version": info.get("redis_version", ""),
        "master": "",
        "link": "",
        "replicas": [],
    }
    if role == "slave":
        row["master"] = join_endpoint(info.get("master_host", ""), info.get("master_port", ""))
        row["link"] = info.get("master_link_status", "")
    for number in range(int(info.get("connected_slaves", 0))):
        fields = parse_fields(info.get(f"slave{number}", ""))
        row["replicas"].append(
            {
                "replica": join_endpoint(fields.get("ip", ""), fields.get("port", "")),
                "state": fields.get("state", ""),
                "offset": int(fields.get("offset", 0)),
                "lag": int(fields.get("lag", 0)),
            }
        )
    return row


def sentinel_row(endpoint, fields, quorum):
    """What a Sentinel says about one master, as one row; `fields` is None when it does not know the name."""
    row = {
        "sentinel": endpoint,
        "reachable": True,
        "error": "",
        "kind": "",
        "master": "",
        "flags": "",
        "quorum": "",
        "sentinels": 0,
        "replicas": 0,
    }
    if fields is None:
        return row
    row["master"] = join_endpoint(fields["ip"], fields["port"])
    row["flags"] = fields.get("flags", "")
    row["sentinels"] = int(fields.get("num-other-sentinels", 0)) + 1
    row["replicas"] = int(fields.get("num-slaves", 0))
    row["quorum"] = quorum
    return row


def read_server(endpoint, options, connect=RedisClient):
    """The row of a server, also when it does not answer."""
    try:
        with connect(endpoint, options) as client:
            return server_row(endpoint, parse_info(client.call("INFO")))
    except RedisError as error:
        return {"server": endpoint, "reachable": False, "error": str(error), "kind": error.kind}


def read_sentinel(endpoint, name, options, connect=RedisClient):
    """The row of a Sentinel, also when it does not answer."""
    try:
        with connect(endpoint, options) as client:
            try:
                words = client.call("SENTINEL", "MASTER", name)
            except RedisError as error:
                if "No such master" not in str(error):
                    raise
                return sentinel_row(endpoint, None, "")
            try:
                quorum = client.call("SENTINEL", "CKQUORUM", name)
            except RedisError as error:
                quorum = str(error)
            return sentinel_row(endpoint, dict(zip(words[::2], words[1::2], strict=True)), quorum)
    except RedisError as error:
        return {"sentinel": endpoint, "reachable": False, "error": str(error), "kind": error.kind}


def read_group(params):
    """The rows of all servers and of all Sentinels of a group."""
    servers = [read_server(endpoint, server_options(params)) for endpoint in params["servers"]]
    sentinels = [read_sentinel(endpoint, params["name"], sentinel_options(params)) for endpoint in params["sentinels"]]
    return servers, sentinels
