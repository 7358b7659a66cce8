# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils._redis_topology import decide

A, B, C = "192.0.2.1:6379", "192.0.2.2:6379", "192.0.2.3:6379"


def master(server, keys=0, replicas=0, kind=""):
    return {
        "server": server,
        "reachable": True,
        "error": "",
        "kind": kind,
        "role": "master",
        "master": "",
        "keys": keys,
        "replicas": [{}] * replicas,
    }


def replica(server, of, keys=0):
    return {**master(server, keys), "role": "replica", "master": of}


def down(server, kind="refused"):
    return {"server": server, "reachable": False, "error": f"{kind}!", "kind": kind}


def sentinel(names, members=3, host="s"):
    return {"sentinel": host, "reachable": True, "error": "", "kind": "", "master": names, "sentinels": members}


def silent(kind="refused"):
    return {"sentinel": "s", "reachable": False, "error": f"{kind}!", "kind": kind}


GROUP = [master(A, 5, 2), replica(B, A, 5), replica(C, A, 5)]


@pytest.mark.parametrize(
    "servers, sentinels, recorded, state, chosen, reason",
    [
        (GROUP, [sentinel(A)] * 3, [], "known", A, "3 of 3 Sentinels"),
        (GROUP, [sentinel(A), sentinel(A), silent("unreachable")], [], "known", A, "2 of 3"),
        (GROUP, [sentinel(A), silent(), silent()], [], "undecided", "", "expected 2 of 3"),
        (GROUP, [sentinel(A), sentinel(B), silent()], [], "undecided", "", "expected 2 of 3 to name the same"),
        ([replica(A, B), *GROUP[1:]], [sentinel(A)] * 3, [], "undecided", A, "that server follows"),
        ([down(A), *GROUP[1:]], [sentinel(A)] * 3, [], "undecided", A, "does not answer"),
        (GROUP[1:], [sentinel(A)] * 3, [], "undecided", A, "not one of the given servers"),
        # An old master that came back says it is master until the Sentinels turn it round.
        ([master(A, 5), master(B, 5, 1), replica(C, B)], [sentinel(B)] * 3, [], "known", B, "3 of 3"),
        # From one host to three: those that are only about to become Sentinels have no vote.
        ([master(A, 5), down(B), down(C)], [sentinel(A, 1), silent(), silent()], [], "known", A, "1 of 1"),
        (
            [master(A), master(B), master(C)],
            [sentinel(""), silent(), silent()],
            [],
            "fresh",
            "",
            "no server holds data",
        ),
        ([down(A), down(B)], [silent(), silent()], [], "fresh", "", "no Sentinel answers"),
        ([down(A)], [], [], "fresh", "", ""),
        ([master(A, 5)], [], [], "known", A, "only master in use"),
        ([master(A, 5), master(B)], [silent()], [], "known", A, "only master in use"),
        ([master(A, 5), master(B, 1)], [silent()], [], "undecided", "", "several servers could be master"),
        ([down(A), replica(B, A)], [silent()], [], "undecided", A, "not a running master"),
        ([down(A, "unreachable"), down(B)], [silent()], [], "undecided", "", "could not be asked"),
        ([down(A, "auth")], [silent()], [], "undecided", "", "auth!"),
        ([down(A), down(B)], [silent()], [B, B], "known", B, "files name"),
        ([down(A), down(B)], [silent()], [A, B], "undecided", "", "different masters"),
        ([master(A, 5), down(B)], [silent()], [B], "undecided", B, "runs as master"),
        ([master(A, kind="loading"), *GROUP[1:]], [sentinel(A)] * 3, [], "undecided", "", "still loading"),
    ],
)
def test_decide(servers, sentinels, recorded, state, chosen, reason):
    verdict = decide(servers, sentinels, recorded)
    assert (verdict["state"], verdict["master"]) == (state, chosen)
    assert reason in verdict["reason"]
