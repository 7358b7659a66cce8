# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: etcd_member
short_description: Ensure that a member of a living etcd cluster is registered, votes, is gone, or can be spared
version_added: 0.1.0
description:
  - Asks the members of a cluster about each other, and makes one change to their list when it is needed.
  - A member joins in three steps. It is registered with V(learner), it is started with RV(initial_cluster), and it
    gets its vote with V(voter) once it has the data. Until then it does not count for the quorum. etcd takes one
    learner at a time.
  - A member is only removed when the cluster can agree to that, and works without it. One that leads hands over first.
  - The list is left alone when the question is only whether the others can do without a member for a moment.
author:
  - The mainstay.platform authors (@mainstay)
options:
  name:
    description: Name of the member.
    type: str
    required: true
  peer_url:
    description: Where the other members reach it. A member of that name at another address is refused, and so is
      another member at this address.
    type: str
    required: true
  endpoints:
    description: Where clients reach the members, such as C(https://192.0.2.11:2379). The first that answers is asked.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(learner) registers it without a vote. One that is registered stays as it is.
      - V(voter) gives it its vote, as soon as the leader finds that it has the data.
      - V(absent) removes it.
      - V(spared) changes nothing. It waits until every other member with a vote takes part, so that this one can be
        restarted, and fails when one does not. Alarms do not count.
    type: str
    choices: [learner, voter, absent, spared]
    required: true
  lost:
    description: With O(state=absent), the member has lost its data, so it must not answer. One that does is refused.
    type: bool
    default: false
  after:
    description: With O(state=absent) in check mode, where the other members reach those that are removed before this
      one. It is judged as if they were gone.
    type: list
    elements: str
    default: []
  joining:
    description: With O(state=absent), where the other members reach all that join in this run. Every other member
      with a vote must be healthy then, because etcd takes nobody in while one is away.
    type: list
    elements: str
    default: []
  ca_path:
    description: File with the certificates of the authorities that are trusted. By default those of the system.
    type: path
  cert_path:
    description: File with the client certificate.
    type: path
  key_path:
    description: File with the key of O(cert_path).
    type: path
  timeout:
    description: Seconds that each question may take.
    type: float
    default: 5
  deadline:
    description: Seconds in which the members must answer and agree, and in which a learner must have the data.
    type: float
    default: 60
extends_documentation_fragment:
  - mainstay.platform._changer
"""

EXAMPLES = r"""
- name: Ensure that the member is registered
  mainstay.platform.etcd_member:
    name: db4
    peer_url: https://192.0.2.14:2380
    endpoints: [https://192.0.2.11:2379, https://192.0.2.12:2379, https://192.0.2.13:2379]
    state: learner
    ca_path: /etc/mainstay/tls/ca.crt
    cert_path: /etc/mainstay/tls/host.crt
    key_path: /etc/mainstay/tls/host.key
  register: joining

- name: Ensure that it is gone
  mainstay.platform.etcd_member:
    name: db4
    peer_url: https://192.0.2.14:2380
    endpoints: [https://192.0.2.11:2379, https://192.0.2.12:2379, https://192.0.2.13:2379]
    state: absent
"""

RETURN = r"""
initial_cluster:
  description: C(ETCD_INITIAL_CLUSTER) with which the member is to start.
  returned: with O(state=learner), outside of check mode
  type: str
  sample: "db1=https://192.0.2.11:2380,db4=https://192.0.2.14:2380"
healthy:
  description: Names of the members that voted and answered well before the change.
  returned: success
  type: list
  elements: str
  sample: [db1, db2, db3]
members:
  description: Names of all members before the change.
  returned: success
  type: list
  elements: str
  sample: [db1, db2, db3, db4]
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils import _etcd
from ansible_collections.mainstay.platform.plugins.module_utils._etcd_client import (
    Unanswered,
    able_urls,
    call,
    first,
    look,
)

PAUSE = 1  # seconds between two tries


def add(seen, member, params, ask):
    """Register the member, unless it is; give what it has to start with."""
    changed = member is None
    if changed and params["check_mode"]:
        return {"changed": True}
    members = seen["members"]
    if changed:
        body = {"peerURLs": [params["peer_url"]], "isLearner": True}
        members = _etcd.read_members(first(able_urls(seen), "cluster/member/add", body, params, ask))
        member = _etcd.find(members, params["name"], params["peer_url"])
    return {"changed": changed, "initial_cluster": _etcd.initial_cluster(members, member, params["name"])}


def promote(seen, member, params, ask):
    if member is None:
        raise _etcd.Refusal(
            f"etcd member {params['name']}: found {_etcd.named(seen['members'])}; expected it among them; run the role "
            "etcd, which lets it join. One that was removed has to lose its data first"
        )
    if member["learner"] and not params["check_mode"]:
        first(able_urls(seen), "cluster/member/promote", {"ID": str(member["id"])}, params, ask)
    return {"changed": member["learner"]}


def remove(seen, member, params, ask):
    own = member and seen["status"].get(member["id"])
    if member:
        gone = _etcd.at(seen["members"], params["after"])
        members = [item for item in seen["members"] if item not in gone]
        _etcd.check_removal(members, member, seen["healthy"], own is not None, params["lost"])
    if params["joining"]:
        _etcd.check_joining(seen["members"], seen["healthy"], params["name"], params["joining"])
    if member and not params["check_mode"]:
        heir = _etcd.successor(seen["members"], member, seen["healthy"])
        if own and int(own.get("leader", 0)) == member["id"] and heir:
            first(member["client_urls"], "maintenance/transfer-leadership", {"targetID": str(heir)}, params, ask)
        body = {"ID": str(member["id"])}
        first(able_urls(seen, member["id"]), "cluster/member/remove", body, params, ask)
    return {"changed": member is not None}


def spare(seen, member, params, _ask):
    able = [key for key, status in seen["status"].items() if _etcd.takes_part(status)]
    _etcd.check_sparing(seen["members"], able, member, params["name"])
    return {"changed": False}


STEPS = {"learner": add, "voter": promote, "absent": remove, "spared": spare}


def step(params, ask=call):
    """One try of the one change."""
    seen = look(params, ask)
    member = _etcd.find(seen["members"], params["name"], params["peer_url"])
    done = STEPS[params["state"]](seen, member, params, ask)
    healthy = sorted(item["name"] for item in seen["members"] if item["id"] in seen["healthy"])
    return {"healthy": healthy, "members": sorted(_etcd.called(item) for item in seen["members"]), **done}


def ensure(params, ask=call, clock=time.monotonic, sleep=time.sleep):
    """Try until the deadline, for some refusals pass by themselves; each try looks anew and finds what went unseen."""
    end = clock() + params["deadline"]
    while True:
        try:
            return step(params, ask)
        except (Unanswered, _etcd.Unready):
            if params["check_mode"] or clock() + PAUSE > end:
                raise
        sleep(PAUSE)


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "peer_url": {"type": "str", "required": True},
            "endpoints": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": list(STEPS), "required": True},
            "lost": {"type": "bool", "default": False},
            "after": {"type": "list", "elements": "str", "default": []},
            "joining": {"type": "list", "elements": "str", "default": []},
            "ca_path": {"type": "path"},
            "cert_path": {"type": "path"},
            "key_path": {"type": "path"},
            "timeout": {"type": "float", "default": 5},
            "deadline": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**ensure({**module.params, "check_mode": module.check_mode}))
    except (Unanswered, _etcd.Refusal, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
