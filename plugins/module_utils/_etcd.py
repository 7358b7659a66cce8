# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides about the members of an etcd cluster, from what etcd says of them. Pure; private to this collection."""

from __future__ import annotations


class Refusal(Exception):
    """Something that must not be done, in words."""


class Unready(Refusal):
    """One that may pass by itself: somebody is not there yet."""


def read_members(document):
    """The members as plain data. etcd leaves out what is empty, and knows a member's name only once it has started."""
    return [
        {
            "id": int(item["ID"]),
            "name": item.get("name", ""),
            "peer_urls": item.get("peerURLs", []),
            "client_urls": item.get("clientURLs", []),
            "learner": bool(item.get("isLearner")),
        }
        for item in document.get("members", [])
    ]


def called(member):
    return member["name"] or f"{member['id']:x}, which has not started"


def named(members):
    return ", ".join(called(item) for item in members) or "none"


def find(members, name, peer_url):
    """The member that is registered for this host, or None. One of the same name or address elsewhere is refused."""
    for item in members:
        here = peer_url in item["peer_urls"]
        if here and item["name"] in ("", name):
            return item
        if here or item["name"] == name:
            raise Refusal(
                f"etcd member {called(item)}: found it registered at {', '.join(item['peer_urls'])}; expected {name} "
                f"at {peer_url}, or neither of them; correct the inventory, or remove that member with "
                f"etcdctl member remove {item['id']:x} when its host is gone for good"
            )
    return None


def takes_part(status):
    """Whether a member that says this of itself takes part in decisions, whatever alarm is raised."""
    return bool(status) and int(status.get("leader", 0)) != 0 and not status.get("isLearner")


def is_healthy(status):
    """Whether it takes part, and finds nothing wrong."""
    return takes_part(status) and not status.get("errors")


def voters(members):
    return [item for item in members if not item["learner"]]


def quorum(members):
    """How many of these must agree; learners have no vote."""
    return len(voters(members)) // 2 + 1


def lacking(members, healthy):
    """Why these cannot decide anything, or nothing. `healthy` holds ids."""
    able = [item for item in voters(members) if item["id"] in healthy]
    if voters(members) and len(able) >= quorum(members):
        return ""
    return f"{named(able)} healthy of {named(voters(members))}; expected {quorum(members)} of them"


def at(members, urls):
    """Those that the others reach at these addresses."""
    return [item for item in members if set(urls) & set(item["peer_urls"])]


def away(members, able, uncounted):
    """Those with a vote that are not among `able`, which holds ids, without those that do not count."""
    ids = {item["id"] for item in uncounted}
    return [item for item in voters(members) if item["id"] not in able and item["id"] not in ids]


def check_joining(members, healthy, name, urls):
    """Refuse to let somebody in while a member with a vote is away, as etcd itself does, but late.

    `urls` are the addresses of all that join: what is still registered there has lost its data, and goes before.
    """
    found = away(members, healthy, at(members, urls))
    if found:
        raise Unready(
            f"etcd members beside {name}: found {named(found)} not healthy; expected every member with a vote to be, "
            "because etcd takes nobody in while one is away; start it, or replace it in the same run. "
            "Nothing has changed."
        )


def check_sparing(members, able, member, name):
    """Refuse to stop a member while another one with a vote takes no part."""
    found = away(members, able, [member] if member else [])
    if found:
        raise Unready(
            f"etcd members beside {name}: found {named(found)} without a part in decisions; expected every other "
            f"member to take part before {name} restarts, or the quorum could be lost; read journalctl -u etcd there, "
            f"start it, and run the role again. {name} was not restarted"
        )


def check_removal(members, member, healthy, answers, lost):
    """Refuse to remove a member when the cluster could not agree to it, or would not work afterwards.

    `answers` says whether the member itself answers, `lost` that its data are gone, so that it must not.
    """
    name = called(member)
    if lost and answers:
        raise Refusal(
            f"etcd member {name}: found that it answers, although there are no data where they are expected; expected "
            "a member that is gone; put etcd_data_dir back to where its data are"
        )
    rest = [item for item in members if item["id"] != member["id"]]
    problem = lacking(members, healthy) or lacking(rest, healthy)
    if problem:
        raise Refusal(
            f"etcd members beside {name}: found {problem}, to go on without it; start the others first. "
            "Nothing was removed"
        )


def successor(members, member, healthy):
    """The id of the member that leads when this one goes, or None when there is none."""
    able = [item["id"] for item in voters(members) if item["id"] in healthy and item["id"] != member["id"]]
    return able[0] if able else None


def initial_cluster(members, member, name):
    """ETCD_INITIAL_CLUSTER for a member that joins: it must list those that are there, and no others."""
    named_ = {item["id"]: item["name"] or f"{item['id']:x}" for item in members} | {member["id"]: name}
    return ",".join(f"{named_[item['id']]}={url}" for item in members for url in item["peer_urls"])
