# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What clients saw of servers, by HAProxy's counters. Pure; private to this collection."""

from __future__ import annotations

from ansible_collections.mainstay.platform.plugins.module_utils._haproxy import statistics

# What is counted since the process began, and what tells the present: milliseconds and health.
COUNTERS = ("req_tot", "hrsp_5xx", "econ", "eresp", "wretr")
PRESENT = ("rtime", "ttime")
# HAProxy's times are means of so many answers; later ones replace the earlier, little by little.
SAMPLES = 512


def counters(stats, backends):
    """The numbers of some backends, from the answer to `show stat`: {backend/server: {...}}, and {backend: {...}}.

    What a backend has answered includes what HAProxy said in place of a server.
    """
    found = {}
    for row in statistics(stats):
        if row.get("pxname") in backends and row.get("svname") != "FRONTEND":
            numbers = {key: int(row.get(key) or 0) for key in (*COUNTERS, *PRESENT)}
            numbers["up"] = (row.get("status") or "").startswith("UP")
            name = row["pxname"] if row["svname"] == "BACKEND" else f"{row['pxname']}/{row['svname']}"
            found[name] = numbers
    return found


def without_any(found, lists):
    """Those of some lists of servers of which none gets clients: each is down, drained or in maintenance."""
    return [names for names in lists if not any(found.get(name, {}).get("up") for name in names)]


def nobody_left(names, gone):
    """The refusal where none of some servers serves while others are gone."""
    return (
        f"found none of {', '.join(names)} up, expected one to serve while {gone}; read their health. "
        "app_interruption goes without them"
    )


def grown(before, after):
    """What was counted in between. A process that was replaced has begun again from nothing."""
    anew = any(after[key] < before.get(key, 0) for key in COUNTERS)
    start = {} if anew else before
    return {key: after[key] - start.get(key, 0) for key in COUNTERS}, start


def response_time(before, after, requests):
    """The mean milliseconds of the answers in between: what they have added to a mean that forgets slowly."""
    if not requests:
        return 0.0
    total = after["req_tot"]
    kept = (1 - 1 / SAMPLES) ** requests if total > SAMPLES else (total - requests) / total
    return max(0.0, (after["rtime"] - before.get("rtime", 0) * kept) / (1 - kept))


def failures(counted):
    """Requests that clients saw fail at a server."""
    return counted["hrsp_5xx"] + counted["econ"] + counted["eresp"]


def unserved(before, after, backend):
    """Requests that HAProxy answered with an error itself between two looks, for no server was there to fail."""
    if backend not in after:
        return 0
    whole, _start = grown(before.get(backend, {}), after[backend])
    servers = [name for name in after if name.startswith(f"{backend}/")]
    own = sum(failures(grown(before.get(name, {}), after[name])[0]) for name in servers)
    return max(0, whole["hrsp_5xx"] - own)


def seen(before, after, servers):
    """Requests, errors and the mean of answers of servers, over all edges between two looks.

    A request that found no server in their backends is one of theirs.
    """
    servers = [name for name in servers if "/" in name]
    requests = errors = retries = nowhere = 0
    weighed = 0.0
    for edge, numbers in after.items():
        for backend in {name.partition("/")[0] for name in servers}:
            nowhere += unserved(before.get(edge, {}), numbers, backend)
        for name in servers:
            if name not in numbers:
                continue
            counted, start = grown(before.get(edge, {}).get(name, {}), numbers[name])
            errors += failures(counted)
            requests += counted["req_tot"] + counted["econ"] + counted["eresp"]
            retries += counted["wretr"]
            weighed += response_time(start, numbers[name], counted["req_tot"]) * counted["req_tot"]
    return {
        "requests": requests + nowhere,
        "errors": errors + nowhere,
        "unserved": nowhere,
        "retries": retries,
        "response_ms": round(weighed / requests) if requests else 0,
    }


def judge(found, budget, response_ms, requests, owner="app", interruption=False):
    """(good, sentence) about what clients saw. Few requests are judged as if they were as many as can be judged.

    The limits are inputs of the role that owns them. With an interruption that was accepted, requests that found no
    server are said and not held against it.
    """
    said = f"{found['errors']} of {found['requests']} requests failed"
    said += f" ({found['unserved']} found no server)" if found["unserved"] else ""
    said += f", {found['response_ms']} ms mean"
    allowed = float(budget) * max(found["requests"], int(requests))
    if found["errors"] - (found["unserved"] if interruption else 0) > allowed:
        allowed = f"{float(budget) * 100:g} %"
        return False, f"clients: found {said}; expected at most {allowed} to fail ({owner}_error_budget)"
    if response_ms and found["requests"] >= int(requests) and found["response_ms"] > float(response_ms):
        return False, f"clients: found {said}; expected at most {response_ms} ms ({owner}_response_ms)"
    return True, said
