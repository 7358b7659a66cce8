# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.mainstay.platform.plugins.module_utils._patroni_client import read_cluster

LEADER = {"name": "db1", "role": "leader", "api_url": "https://db1:8008/patroni"}
REPLICATION = [{"application_name": "db2", "state": "streaming"}]


def get(answers):
    return lambda url, params: answers.get(url, (None, "connection refused"))


def test_views_and_the_leaders_list():
    answers = {
        "https://db2:8008/cluster": ({"members": [LEADER]}, ""),
        "https://db1:8008/patroni": ({"replication": REPLICATION}, ""),
    }
    found = read_cluster(["https://db1:8008/", "https://db2:8008"], {}, get(answers))
    assert [view["error"] for view in found["views"]] == ["connection refused", ""]
    assert found["replication"] == REPLICATION


def test_a_leader_without_replicas_has_an_empty_list():
    answers = {"https://db1:8008/cluster": ({"members": [LEADER]}, ""), LEADER["api_url"]: ({"state": "running"}, "")}
    assert read_cluster(["https://db1:8008"], {}, get(answers))["replication"] == []


def test_a_leader_that_is_silent_gives_none():
    answers = {"https://db1:8008/cluster": ({"members": [LEADER]}, "")}
    assert read_cluster(["https://db1:8008"], {}, get(answers))["replication"] is None


def test_an_answer_of_something_else_is_an_error():
    answers = {"https://db1:8008/cluster": ({"detail": "not found"}, "")}
    assert read_cluster(["https://db1:8008"], {}, get(answers))["views"][0]["error"] == "an answer without members"
