# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which release a host is to run, which it goes back to, and what is remembered. Pure; private to this collection."""

from __future__ import annotations

from ansible_collections.mainstay.platform.plugins.module_utils._services import fingerprint, merged

# A release is begun, then it is live or has failed; one that a rollback has left was live before.
STARTED, LIVE, FAILED, LEFT = "started", "live", "failed", "left"


def tag(image):
    """The tag of an image, or the beginning of its digest."""
    name, _at, digest = str(image).partition("@")
    return digest.rpartition(":")[2][:12] if digest else name.rpartition("/")[2].partition(":")[2]


def release_name(services, defaults, images):
    """The tags of its images, and a mark that changes with anything but the value of a secret."""
    complete = [merged(service, defaults) for service in services]
    tags = list(dict.fromkeys(tag(service["image"]) for service in complete))
    return f"{'+'.join(tags) or 'nothing'}-{fingerprint([complete, images])[:8]}"


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
        before = [record for record in records if record["release"] != decision["live"]]
        record = named(records, to) if to else last(before, result=LIVE)
        if not record:
            kept = ", ".join(dict.fromkeys(item["release"] for item in records if item["result"] in (LIVE, LEFT)))
            decision["problem"] = (
                f"app_rollback_to: found no release {to or 'before ' + (decision['live'] or 'the first')}, "
                f"expected one of {kept or '(none)'}; deploy it instead"
            )
        decision.update(record=record, release=record.get("release", ""))
    elif act == "site" and live and last(records, release=wanted).get("result") in (FAILED, LEFT):
        decision.update(record=live, release=live["release"])
    previous = live if decision["live"] != decision["release"] else {}
    return {**decision, "previous": previous, "rolls": decision["live"] != decision["release"]}


def recorded(records, entry, keep, left=""):
    """The records after an act on a release; the same ones when they say so already."""
    changed = [{**item, "result": LEFT} if left and same(item, left) else item for item in records]
    newest = changed[-1] if changed else {}
    facts = ("release", "result", "images", "instances")
    if newest.get("release") == entry["release"] and newest.get("result") == STARTED != entry["result"]:
        return kept([*changed[:-1], entry], keep)
    if any(all(item.get(key) == entry[key] for key in facts) for item in (newest, last(changed, result=LIVE))):
        return kept(changed, keep)
    # What a release that is on its way will push out may still be gone back to.
    return [*changed, entry] if entry["result"] == STARTED else kept([*changed, entry], keep)


def same(item, left):
    return item["release"] == left and item["result"] == LIVE


def kept(records, keep):
    """The records of the newest releases, and of the one that is live in any case."""
    names = list(dict.fromkeys(record["release"] for record in reversed(records)))
    wanted = {*names[: max(int(keep), 2)], last(records, result=LIVE).get("release")}
    return [record for record in records if record["release"] in wanted]


def forgotten(before, after):
    """The ids of images that no record names any more."""
    needed = {identity for record in after for identity in record["images"].values()}
    there = [identity for record in before for identity in record["images"].values()]
    return [identity for identity in dict.fromkeys(there) if identity not in needed]
