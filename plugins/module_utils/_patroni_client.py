# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads Patroni's REST interface. Private to this collection."""

from __future__ import annotations

import http.client
import json

from ansible_collections.mainstay.platform.plugins.module_utils._health_client import fetch, network_error


def get_json(url, params):
    """(document, error) of one GET; the status does not matter, as Patroni answers 503 with a body too."""
    try:
        answer = fetch(dict(params, url=url, method="GET"))
        return json.loads(answer["text"]), ""
    except (OSError, http.client.HTTPException) as error:
        return None, network_error(error)
    except ValueError:
        return None, "an answer that is not JSON"


def read_cluster(urls, params, get=get_json):
    """What every Patroni says of the cluster, and what the leader says of its replicas.

    Gives {views: [{url, error, cluster}], replication: [...] or None}. `replication` comes from the leader that
    the first answering view names.
    """
    views = []
    for url in urls:
        cluster, error = get(url.rstrip("/") + "/cluster", params)
        if not error and "members" not in cluster:
            cluster, error = None, "an answer without members"
        views.append({"url": url, "error": error, "cluster": cluster})
    replication = None
    for leader in (item for view in views if view["cluster"] for item in view["cluster"]["members"]):
        if leader.get("role") in ("leader", "standby_leader") and leader.get("api_url"):
            status, _error = get(leader["api_url"], params)
            replication = (status or {}).get("replication", []) if status else None
            break
    return {"views": views, "replication": replication}
