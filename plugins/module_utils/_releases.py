# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which release a host is to run, which it goes back to, and what is remembered. Pure; private to this collection."""

from __future__ import annotations

from ansible_collections.mainstay.platform.plugins.module_utils._services import MARK, fingerprint, merged

# A release is begun, then it is live or has failed; one that a rollback has left was live before.
STARTED, LIVE, FAILED, LEFT = "started", "live", "failed", "left"
# What is read of every record.
FACTS = {"release": str, "result": str, "images": dict, "instances": list}


def tag(image):
    """The tag of an image, or the beginning of its digest."""
    name, _at, digest = str(image).partition("@")
    return digest.rpartition(":")[2][:12] if digest else name.rpartition("/")[2].partition(":")[2]


def release_name(services, defaults, images):
    """The tags of its images, and a mark that changes with anything but the value of a secret."""
    complete = [merged(service, defaults) for service in services]
    tags = list(dict.fromkeys(tag(service["image"]) for service in complete))
    return f"{'+'.join(tags) or 'nothing'}-{fingerprint([complete, images])[:8]}"


def unlike_records(found):
    """What a file holds instead of records, in words; empty when it holds them, or none."""
    if not isinstance(found, list):
        return f"a {type(found).__name__} instead of a list"
    for number, record in enumerate(found, start=1):
        known = record if isinstance(record, dict) else {}
        lacks = [name for name, kind in FACTS.items() if not isinstance(known.get(name), kind)]
        if lacks:
            return f"record {number} without {', '.join(lacks)}"
    return ""


def last(records, **wanted):
    """The newest record with these values, or an empty one."""
    return next((item for item in reversed(records) if all(item.get(key) == wanted[key] for key in wanted)), {})


def named(records, name):
    """The newest record of a release that was live, by its name or by the tags of its images."""
    lived = [record for record in records if record["result"] in (LIVE, LEFT)]
    return next((record for record in reversed(lived) if name in (record["release"], tags_of(record))), {})


def tags_of(record):
    return record["release"].rpartition("-")[0]


def plan(records, wanted, act, to=""):
    """What a host is to run, what it goes back to when that is bad, and why nothing can be done.

    The site keeps what is live when the inventory names a release that was backed out or left: only a deployment,
    or another inventory, brings it again.
    """
    live = last(records, result=LIVE)
    decision = {"release": wanted, "record": {}, "live": live.get("release", ""), "problem": ""}
    if act == "rollback":
        record = named(records, to) if to else former(records, live)
        if not record:
            kept = ", ".join(dict.fromkeys(item["release"] for item in records if item["result"] in (LIVE, LEFT)))
            decision["problem"] = (
                f"app_rollback_to: found no release {to or 'before ' + (decision['live'] or 'the first')}, "
                f"expected one of {kept or '(none)'}; deploy it instead"
            )
        decision.update(record=record, release=record.get("release", ""))
    elif act == "site" and live and last(records, release=wanted).get("result") in (FAILED, LEFT):
        decision.update(record=live, release=live["release"])
    other = decision["live"] != decision["release"]
    killed = act == "rollback" and newest(records).get("result") == STARTED
    return {**decision, "previous": live if other else {}, "rolls": other or killed}


def begun(containers, wanted, live):
    """Whether a host has begun with a release: a container is as that wants it, and not as the live one does.

    Containers as the engine lists them; releases with images and sealed instances, as they are remembered.
    """

    def made(release):
        images = release.get("images") or {}
        instances = release.get("instances") or []
        return {(item["container"]["labels"][MARK], images.get(item["image"])) for item in instances}

    there = {((item.get("Labels") or {}).get(MARK), item.get("ImageID")) for item in containers}
    return bool(there & (made(wanted) - made(live)))


def conflicts(plans, hosts, strategy):
    """Say why the hosts of a play cannot go together, one sentence each.

    Takes the plan of each host of the play, and the names of all hosts of the application.
    """
    ways = {}
    for host, found in plans.items():
        ways.setdefault(found["release"], []).append(host)
    if len(ways) > 1:
        said = " or ".join(f"{release} ({', '.join(names)})" for release, names in ways.items())
        yield (
            f"found hosts that would go to {said}, expected one release for all; name it: rollback.yml with "
            "-e app_rollback_to=NAME, or deploy.yml with it in the inventory"
        )
    rolling = [found for found in plans.values() if found["rolls"]]
    yield from history_conflicts(plans, [found for found in rolling if found["live"]])
    if rolling:
        yield from limit_conflicts(plans, hosts, strategy)


def history_conflicts(plans, leaving):
    new = [host for host, found in plans.items() if not found["live"]]
    if new and leaving:
        live = leaving[0]["live"]
        yield (
            f"found {', '.join(new)} without a release while the others leave {live}, expected hosts that can go back "
            f"together; run app.yml first, with {live} in the inventory"
        )


def limit_conflicts(plans, hosts, strategy):
    absent = [host for host in hosts if host not in plans]
    if absent and absent[0] == hosts[0]:
        yield (
            f"found a run without {absent[0]}, expected the first host of the application, which migrates and is "
            "asked whether the whole works; run without --limit, or take it out of the inventory"
        )
    if absent and strategy == "blue_green":
        yield (
            f"app_strategy: found blue_green and a run without {', '.join(absent)}, expected every host of the "
            "application: clients go over everywhere at once; run without --limit, or with -e app_strategy=rolling"
        )


def newest(records):
    return records[-1] if records else {}


def former(records, live):
    """Where a rollback goes without a name: out of a killed run to what is live, and on with a killed rollback."""
    begun = newest(records) if newest(records).get("result") == STARTED else {}
    if begun and live:
        return named(records, begun["release"]) if begun.get("act") == "rollback" else live
    return last([record for record in records if record["release"] != live.get("release")], result=LIVE)


def recorded(records, entry, keep, left=""):
    """The records after an act on a release; the same ones when they say so already."""
    live = last(records, result=LIVE).get("release")
    stays = entry["result"] == LIVE and (bool(left) or entry["release"] == live)
    changed = [{**item, "result": outcome(item, entry, left, stays)} for item in records]
    latest = newest(changed)
    if latest.get("release") == entry["release"] and latest.get("result") == STARTED != entry["result"]:
        return kept([*changed[:-1], entry], keep)
    if any(all(item.get(key) == entry[key] for key in FACTS) for item in (latest, last(changed, result=LIVE))):
        return kept(changed, keep)
    # What a release that is on its way will push out may still be gone back to.
    return [*changed, entry] if entry["result"] == STARTED else kept([*changed, entry], keep)


def outcome(item, entry, left, stays):
    """What has come of a record by an act: a rollback leaves what was live, and what a killed run has begun failed."""
    if item["result"] == STARTED and item["release"] != entry["release"] and stays:
        return FAILED
    return LEFT if item["result"] == LIVE and item["release"] == left != entry["release"] else item["result"]


def kept(records, keep):
    """The records of the newest releases that lived, of the live one and of the one before it in any case.

    Of those that never lived as many: they push nobody out.
    """
    names = list(dict.fromkeys(record["release"] for record in reversed(records)))
    lived = [
        name for name in names if any(item["result"] in (LIVE, LEFT) for item in records if item["release"] == name)
    ]
    live = last(records, result=LIVE).get("release")
    before = last([record for record in records if record["release"] != live], result=LIVE).get("release")
    most = max(int(keep), 2)
    wanted = {*lived[:most], *[name for name in names if name not in lived][:most], live, before}
    return [record for record in records if record["release"] in wanted]


def forgotten(before, after):
    """The ids of images that no record names any more."""
    needed = {identity for record in after for identity in record["images"].values()}
    there = [identity for record in before for identity in record["images"].values()]
    return [identity for identity in dict.fromkeys(there) if identity not in needed]
