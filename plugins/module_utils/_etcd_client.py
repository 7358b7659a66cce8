# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Speaks to members of etcd by the JSON form of their API. Private to this collection."""

from __future__ import annotations

import http.client
import json

from ansible_collections.mainstay.platform.plugins.module_utils._etcd import is_healthy, read_members
from ansible_collections.mainstay.platform.plugins.module_utils._health_client import fetch, network_error


class Unanswered(Exception):
    """No member gave the answer."""


def call(url, path, body, params):
    """The document of one call; an error of etcd is raised with its words."""
    try:
        answer = fetch(dict(params, url=f"{url}/v3/{path}", method="POST", body=json.dumps(body)))
        document = json.loads(answer["text"])
    except (OSError, http.client.HTTPException) as error:
        raise Unanswered(network_error(error)) from error
    except ValueError as error:
        raise Unanswered("an answer that is not JSON") from error
    if answer["status"] != 200:
        raise Unanswered(str(document.get("error") or document.get("message") or f"status {answer['status']}"))
    return document


def first(urls, path, body, params, ask=call):
    """The answer of the first member that gives one; a learner refuses most questions."""
    problems = {}
    for url in urls:
        try:
            return ask(url, path, body, params)
        except Unanswered as error:
            problems[url] = str(error)
    found = ", ".join(f"{text} at {url}" for url, text in problems.items()) or "no address"
    raise Unanswered(
        f"etcd, {path}: found {found}; expected one member to do it; start the members, "
        "and read journalctl -u etcd there"
    )


def look(params, ask=call):
    """The cluster as {members, status by id, healthy ids}, asked of every member that is registered."""
    members = read_members(first(params["endpoints"], "cluster/member/list", {}, params, ask))
    status = {}
    for item in members:
        try:
            status[item["id"]] = first(item["client_urls"], "maintenance/status", {}, params, ask)
        except Unanswered:
            continue
    return {
        "members": members,
        "status": status,
        "healthy": [key for key, value in status.items() if is_healthy(value)],
    }


def able_urls(seen, without=None):
    """Addresses of the healthy members, but for one."""
    return [
        url
        for item in seen["members"]
        if item["id"] in seen["healthy"] and item["id"] != without
        for url in item["client_urls"]
    ]
