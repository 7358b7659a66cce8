# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The modules of a Redis cluster against nodes that refuse what Redis refuses.

It is longer than others because the nodes that refuse serve three modules.
"""

from __future__ import annotations

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mainstay.platform.plugins.module_utils import _redis_cluster as cluster
from ansible_collections.mainstay.platform.plugins.module_utils import _redis_cluster_client as client
from ansible_collections.mainstay.platform.plugins.module_utils._redis_client import RedisClient, RedisError

SECRET = "not-a-real-secret"


def servers(*numbers):
    return [f"192.0.2.{number}:6379" for number in numbers]


class Nodes:
    """Servers in cluster mode; what one is told, all know at once."""

    def __init__(self, *numbers):
        self.nodes = {}
        for server in servers(*numbers):
            self.nodes[server] = {"id": f"{server}-1", "master": "", "slots": set(), "keys": {}, "known": {server}}
        self.down, self.asked, self.ran = set(), [], []

    def call(self, session, *words):
        server, node = session.endpoint, self.nodes[session.endpoint]
        if words[:1] != ("INFO",) and words[:2] not in (("CLUSTER", "NODES"), ("CLUSTER", "MYID"), ("CLUSTER", "INFO")):
            self.asked.append((server, *words))
        return getattr(self, "_".join(("do", *words[: 2 if words[0] == "CLUSTER" else 1])).lower())(
            server, node, *words
        )

    def by_id(self, wanted):
        return next(server for server, node in self.nodes.items() if node["id"] == wanted)

    def do_info(self, server, node, _word):
        role = f"role:slave\nmaster_host:{node['master'].split(':')[0]}\nmaster_port:6379\nmaster_link_status:up"
        keys = f"\ndb0:keys={len(node['keys'])},expires=0" if node["keys"] else ""
        return f"cluster_enabled:1\nredis_version:7.0.15\n{role if node['master'] else 'role:master'}{keys}"

    def do_cluster_myid(self, _server, node, *_words):
        return node["id"]

    def do_cluster_info(self, _server, node, *_words):
        held = set().union(*(self.nodes[other]["slots"] for other in node["known"]))
        return f"cluster_state:{'ok' if len(held) == cluster.SLOTS else 'fail'}"

    def do_cluster_nodes(self, server, node, *_words):
        lines = []
        for other in sorted(node["known"]):
            each = self.nodes[other]
            master = self.nodes[each["master"]]["id"] if each["master"] else "-"
            flags = ("myself," if other == server else "") + ("slave" if each["master"] else "master")
            flags += ",fail" if other in self.down else ""
            slots = cluster.ranges(each["slots"])
            lines.append(f"{each['id']} {other}@16379 {flags} {master} 0 0 1 connected {slots}")
        return "\n".join(lines)

    def do_cluster_meet(self, server, node, _command, _word, host, port):
        both = node["known"] | self.nodes[f"{host}:{port}"]["known"]
        for other in both:
            self.nodes[other]["known"] = both

    def do_cluster_addslotsrange(self, _server, node, _command, _word, *bounds):
        for first, last in zip(bounds[::2], bounds[1::2], strict=True):
            node["slots"] |= set(range(int(first), int(last) + 1))

    def do_cluster_replicate(self, server, node, _command, _word, master):
        if node["slots"] or (node["keys"] and not node["master"]):
            raise RedisError("reply", "ERR To set a master the node must be empty and without assigned slots.")
        node["master"] = self.by_id(master)

    def do_cluster_failover(self, server, node, *_words):
        old = node["master"]
        for other in self.nodes.values():
            other["master"] = server if other["master"] == old else other["master"]
        node.update(master="", slots=self.nodes[old]["slots"], keys=dict(self.nodes[old]["keys"]))
        self.nodes[old].update(master=server, slots=set())

    def do_cluster_forget(self, _server, node, _command, _word, wanted):
        gone = self.by_id(wanted)
        if node["master"] == gone:
            raise RedisError("reply", "ERR Can't forget my master!")
        node["known"] = node["known"] - {gone}

    def do_cluster_reset(self, server, node, *_words):
        if node["keys"] and not node["master"]:
            raise RedisError("reply", "ERR CLUSTER RESET can't be called with master nodes containing keys")
        node.update(id=node["id"] + "+", master="", slots=set(), keys={}, known={server})

    def do_set(self, server, node, _word, key, value, *_rest):
        self.owner(server, key)
        node["keys"][key] = value
        return "OK"

    def do_get(self, server, node, _word, key):
        self.owner(server, key)
        return node["keys"].get(key)

    def owner(self, server, key):
        slot = cluster.key_slot(key)
        if slot not in self.nodes[server]["slots"]:
            owner = next(name for name, node in self.nodes.items() if slot in node["slots"])
            raise RedisError("reply", f"MOVED {slot} {owner}")

    def run(self, argv, environ_update):
        """What redis-cli does about slots."""
        self.ran.append((argv, environ_update))
        masters = [name for name, node in sorted(self.nodes.items()) if not node["master"]]
        if "--cluster-weight" in argv:
            gone = self.by_id(argv[argv.index("--cluster-weight") + 1].removesuffix("=0"))
            masters = [name for name in masters if name != gone and self.nodes[name]["slots"]]
            self.nodes[gone].update(slots=set(), keys={})
        for number, name in enumerate(masters):
            self.nodes[name]["slots"] = set(range(number, cluster.SLOTS, len(masters)))
        return 0, "", ""


@pytest.fixture
def world(monkeypatch, tmp_path):
    found = Nodes(*range(1, 9))

    def enter(session):
        if session.endpoint in found.down:
            raise RedisError("refused", "connection refused: nothing listens there")
        return session

    def call(session, *words):
        return found.call(session, *words)

    monkeypatch.setattr(client, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(RedisClient, "__enter__", enter)
    monkeypatch.setattr(RedisClient, "call", call)
    monkeypatch.setattr(AnsibleModule, "run_command", lambda _module, argv, **options: found.run(argv, **options))
    return found


def options(members, leaving=(), **more):
    login = {"user": "admin", "password": SECRET, "tls": True, "ca_path": "/etc/ca.crt"}
    return {"members": servers(*members), "leaving": servers(*leaving), "deadline": 0, **login, **more}


def run_all(run_module, *given, **more):
    """Steps until there is none; the last one changes nothing."""
    made = []
    while (result := run_module("redis_cluster", **options(*given, **more)))["changed"]:
        made.append(result["step"])
        assert len(made) < 50
    return made


SIX = range(1, 7)


def test_a_cluster_is_made_step_by_step_and_then_nothing_is_left_to_do(world, run_module):
    foreseen = run_module("redis_cluster", **options(SIX), _ansible_check_mode=True)
    assert not world.asked, "a dry run tells nobody anything"
    made = run_all(run_module, SIX)
    assert made == [foreseen["step"], *foreseen["steps"]]
    assert made[-1] == "192.0.2.6:6379 follows 192.0.2.3:6379"
    assert sum(len(node["slots"]) for node in world.nodes.values()) == cluster.SLOTS
    assert not world.ran


def test_hosts_join_and_leave_and_no_password_is_in_a_command(world, run_module):
    run_all(run_module, SIX)
    joined = run_all(run_module, range(1, 9))
    assert joined[-2:] == ["192.0.2.8:6379 follows 192.0.2.7:6379", "the masters get equal numbers of slots"]
    left = run_all(run_module, [2, 3, 4, 5, 6, 7, 8], [1])
    assert left[-1].startswith("all nodes forget 192.0.2.1:6379")
    assert world.nodes[servers(1)[0]]["known"] == set(servers(1))
    # The gate of the same run: the server outside is the one that was to leave.
    assert check(run_module, [2, 3, 4, 5, 6, 7, 8], leaving=[1])["problems"] == []
    assert [argv[argv.index("--cluster") + 1] for argv, _environment in world.ran] == ["rebalance", "rebalance"]
    for argv, environment in world.ran:
        assert SECRET not in " ".join(argv) and environment == {"REDISCLI_AUTH": SECRET}
        assert argv[:6] == ["redis-cli", "--no-auth-warning", "--user", "admin", "--tls", "--cacert"]


def test_a_move_that_ends_in_the_middle_is_said_without_its_progress(world, run_module, monkeypatch):
    run_all(run_module, SIX)
    said = "\x1b[0mMoving 3 slots\n#####\x1b[31;1mERR CLUSTERDOWN\x1b[0m\n"
    monkeypatch.setattr(world, "run", lambda _argv, **_options: (1, said, ""))
    for _step in range(3):
        result = run_module("redis_cluster", **options(range(1, 9)))
    result = run_module("redis_cluster", **options(range(1, 9)))
    assert "found it ended with 1 (Moving 3 slots | ERR CLUSTERDOWN); expected 0; run this again" in result["msg"]


def test_what_is_not_whole_is_refused_before_anything_changes(world, run_module):
    run_all(run_module, SIX)
    world.down, world.asked = set(servers(4)), []
    result = run_module("redis_cluster", **options(range(1, 9)))
    assert result["failed"] and "server 192.0.2.4:6379: found no answer (connection refused" in result["msg"]
    assert not world.asked


def test_a_dry_run_before_anything_runs_foresees_the_whole(world, run_module):
    world.down = set(servers(*SIX))
    result = run_module("redis_cluster", **options(SIX), _ansible_check_mode=True)
    assert result["changed"] and len(result["steps"]) == 10
    assert run_module("redis_cluster", **options(SIX))["failed"]


def test_a_dry_run_before_a_host_is_built_foresees_that_it_joins(world, run_module):
    run_all(run_module, SIX)
    world.down, world.asked = set(servers(7)), []
    result = run_module("redis_cluster", **options(range(1, 8)), _ansible_check_mode=True)
    assert result["step"] == "192.0.2.7:6379 joins, met by 192.0.2.1:6379" and not world.asked
    world.down = set(servers(4))
    result = run_module("redis_cluster", **options(SIX), _ansible_check_mode=True)
    assert "server 192.0.2.4:6379: found no answer" in result["msg"], "one that the others know is lost, not new"


@pytest.fixture
def forgetful(world, monkeypatch):
    """Nodes that give up the first MEET and the first FAILOVER without a word."""
    first = {}

    def once(name):
        does = getattr(world, name)
        monkeypatch.setattr(
            world, name, lambda *words: does(*words) if first.setdefault(name, 0) else first.update({name: 1})
        )

    once("do_cluster_meet")
    once("do_cluster_failover")
    monkeypatch.setattr(client, "AGAIN", 0)
    return world


def test_what_nodes_gave_up_is_told_to_them_again(forgetful, run_module):
    made = run_all(run_module, SIX, deadline=5)
    assert len(made) == 11
    given = {**options(SIX, server=servers(1)[0]), "deadline": 5}
    assert run_module("redis_cluster_failover", **given)["master"] == servers(4)[0]
    told = [words for _server, *words in forgetful.asked if words[1:2] == ["FAILOVER"]]
    assert len(told) == 2


def test_a_lost_host_that_leaves_is_no_successor(world, run_module):
    run_all(run_module, SIX)
    world.down = set(servers(8))
    given = options(SIX, [8], server=servers(1)[0])
    assert run_module("redis_cluster_failover", **given)["master"] == servers(4)[0]


def test_two_runs_do_not_move_slots_at_once(world, run_module):
    run_all(run_module, SIX)
    for _step in range(3):
        run_module("redis_cluster", **options(range(1, 9)))
    with client.alone():
        result = run_module("redis_cluster", **options(range(1, 9)))
    assert "found that another run moves some" in result["msg"] and not world.ran
    assert run_module("redis_cluster", **options(range(1, 9)))["changed"]


def test_data_outside_of_the_cluster_stay(world, run_module):
    world.nodes[servers(3)[0]]["keys"] = {"a": "1"}
    result = run_module("redis_cluster", **options(SIX))
    assert "server 192.0.2.3:6379: found 1 keys and 0 slots, and no other node that it knows" in result["msg"]
    assert not world.asked


def test_the_role_of_a_master_moves_to_its_replica(world, run_module):
    run_all(run_module, SIX)
    given = options(SIX, server=servers(1)[0])
    assert run_module("redis_cluster_failover", **given, _ansible_check_mode=True)["master"] == servers(4)[0]
    result = run_module("redis_cluster_failover", **given)
    assert (result["changed"], result["master"]) == (True, servers(4)[0])
    again = run_module("redis_cluster_failover", **given)
    assert (again["changed"], again["master"]) == (False, servers(4)[0])
    assert run_module("redis_cluster", **options(SIX))["changed"] is False, "a run does not undo it"


def check(run_module, members=SIX, leaving=(), **more):
    given = options(members, leaving)
    del given["deadline"]
    return run_module("redis_cluster_check", **given, **more)


def test_a_whole_cluster_takes_a_write_to_every_master(world, run_module):
    run_all(run_module, SIX)
    world.asked = []
    result = check(run_module)
    assert result["problems"] == [] and result["masters"][servers(1)[0]] == servers(4)
    written = [server for server, word, *_rest in world.asked if word == "SET"]
    assert set(servers(1, 2, 3)) <= set(written)
    assert {asked[4:] for asked in world.asked if asked[1] == "SET"} == {("EX", 10)}
    world.asked = []
    check(run_module, _ansible_check_mode=True)
    assert not world.asked, "a dry run writes nothing"


def test_a_master_that_takes_no_write_turns_the_gate_red(world, run_module, monkeypatch):
    run_all(run_module, SIX)

    def refuse(server, _node, *_words):
        raise RedisError("reply", "NOREPLICAS Not enough good replicas to write.")

    monkeypatch.setattr(world, "do_set", refuse)
    result = check(run_module)
    assert "master 192.0.2.2:6379: found that it refused a write (NOREPLICAS" in result["msg"]


def test_servers_that_never_joined_turn_the_gate_red(world, run_module):
    run_all(run_module, SIX)
    assert "server 192.0.2.7:6379: found it outside of the cluster" in check(run_module, range(1, 8))["msg"]
