# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils import _haproxy_client
from ansible_collections.mainstay.platform.plugins.modules import haproxy_server

SERVERS = (
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time "
    "srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state\n"
    "4 api 1 app1 192.0.2.21 {op} {admin} 1 1 9 15 3 4 {check} 0\n"
)
STATS = "# pxname,svname,qcur,qmax,scur,smax,status\napi,app1,0,0,{sessions},9,UP\napi,BACKEND,0,0,7,9,UP\n"


class Haproxy:
    """Holds one server; its sessions end one per look when it drains."""

    def __init__(self, op=2, admin=0, check=6, sessions=0, ends=True):
        self.op, self.admin, self.check, self.sessions, self.ends, self.told = op, admin, check, sessions, ends, []

    def say(self, _path, command):
        if command == "show servers state":
            return SERVERS.format(op=self.op, admin=self.admin, check=self.check)
        if command == "show stat":
            shown = STATS.format(sessions=self.sessions)
            if self.admin & 8 and self.ends:
                self.sessions = max(0, self.sessions - 1)
            return shown
        self.told.append(command)
        word = command.split()[-1]
        self.admin = {"drain": 8, "maint": 1, "ready": 0}.get(word, self.admin)
        return ""


def act(monkeypatch, haproxy, deadline=5.0, **options):
    for place in (_haproxy_client, haproxy_server):
        monkeypatch.setattr(place, "say", haproxy.say)
    params = dict.fromkeys(haproxy_server.ARGUMENTS) | {"backend": "api", "server": "app1", "deadline": deadline}
    params |= {"shutdown": False} | options
    name = (params["backend"], params["server"])
    haproxy_server.bring("socket", name, params, False)
    moments = iter(range(1000))
    return haproxy_server.wait("socket", name, params, deadline, lambda: next(moments), lambda _seconds: None)


def test_a_drained_server_is_waited_for(monkeypatch):
    haproxy = Haproxy(sessions=3)
    assert act(monkeypatch, haproxy, state="drain", wait_sessions=0) == 0
    assert haproxy.told == ["set server api/app1 state drain"]


def test_what_holds_already_is_not_said_again(monkeypatch):
    haproxy = Haproxy(admin=8, check=2)
    act(monkeypatch, haproxy, state="drain", health="disabled")
    assert haproxy.told == []


def test_checks_are_switched_before_the_state(monkeypatch):
    haproxy = Haproxy(admin=8, check=2)
    act(monkeypatch, haproxy, state="ready", health="enabled")
    assert haproxy.told == ["enable health api/app1", "set server api/app1 state ready"]


def test_sessions_that_do_not_end_fail_or_are_closed(monkeypatch):
    with pytest.raises(haproxy_server.Refused, match=r"found 2 sessions after 5 s; expected at most 0 sessions"):
        act(monkeypatch, Haproxy(sessions=2, ends=False), state="drain", wait_sessions=0)
    haproxy = Haproxy(sessions=2, ends=False)
    assert act(monkeypatch, haproxy, state="drain", wait_sessions=0, shutdown=True) == 2
    assert haproxy.told[-1] == "shutdown sessions server api/app1"


@pytest.mark.parametrize(("op", "wanted"), [(0, True), (2, False)])
def test_health_that_does_not_come_fails(monkeypatch, op, wanted):
    with pytest.raises(haproxy_server.Refused, match="up"):
        act(monkeypatch, Haproxy(op=op), wait_up=wanted, shutdown=True)


STATUS = "# pxname,svname,scur,status\n{rows}api,BACKEND,0,UP\n"


@pytest.mark.parametrize(
    ("own", "others", "lists", "refused"),
    [
        ("UP", ["UP", "DOWN"], [["api/app2", "api/app3"]], False),
        ("UP", ["DRAIN", "DOWN"], [["api/app2", "api/app3"]], True),
        ("UP", ["DRAIN", "MAINT"], [], False),
        # Nobody comes to it: nothing is lost.
        ("DOWN", ["DOWN", "DOWN"], [["api/app2", "api/app3"]], False),
        ("DRAIN", ["DOWN", "DOWN"], [["api/app2", "api/app3"]], False),
        # Of another backend, which the server is not in.
        ("UP", ["DOWN", "DOWN"], [["web/app2", "web/app3"]], False),
    ],
)
def test_the_last_server_that_serves_is_not_taken_from_its_clients(monkeypatch, own, others, lists, refused):
    rows = "".join(f"api,app{number},0,{status}\n" for number, status in enumerate([own, *others], 1))
    monkeypatch.setattr(haproxy_server, "say", lambda _path, _command: STATUS.format(rows=rows))
    try:
        haproxy_server.spare("socket", [("api", "app1")], lists)
    except haproxy_server.Refused as error:
        assert refused and "none of api/app2, api/app3 up, expected one to serve while api/app1 is away" in str(error)
    else:
        assert not refused


def test_an_unknown_server_is_named(monkeypatch):
    with pytest.raises(haproxy_server.Refused, match="no server api/app9"):
        act(monkeypatch, Haproxy(), server="app9")


class Host:
    """A host whose systemctl and systemd-run only say that they were called."""

    check_mode = False

    def __init__(self, haproxy):
        self.haproxy = haproxy

    def run_command(self, command):
        self.haproxy.told.append(f"{command[0]} {command[1]}")
        self.haproxy.script = command[-1]
        return (5, "", "not loaded") if command[0] == "systemctl" else (0, "", "")


def play(monkeypatch, haproxy, **options):
    for place in (_haproxy_client, haproxy_server):
        monkeypatch.setattr(place, "say", haproxy.say)
    defaults = {name: option.get("default") for name, option in haproxy_server.ARGUMENTS.items()}
    return haproxy_server.act(Host(haproxy), {**defaults, "backend": "api", "server": "app1", **options})


def test_what_expires_is_arranged_before_the_server_is_taken_out(monkeypatch):
    haproxy = Haproxy()
    play(monkeypatch, haproxy, state="drain", expires=60)
    assert [word.split()[0] for word in haproxy.told] == ["systemctl", "systemd-run", "set"]
    assert haproxy.script == (
        "echo 'enable health api/app1; set server api/app1 state ready' | socat -t5 - /run/haproxy/admin.sock"
    )


def test_nothing_is_left_to_expire_once_the_server_is_back(monkeypatch):
    haproxy = Haproxy(admin=8)
    play(monkeypatch, haproxy, state="ready")
    assert haproxy.told == ["set server api/app1 state ready", "systemctl stop"]


def test_a_timer_that_cannot_be_made_leaves_the_server_as_it_is(monkeypatch):
    haproxy = Haproxy()
    monkeypatch.setattr(Host, "run_command", lambda _self, command: (int(command[0] != "systemctl"), "", "no"))
    with pytest.raises(haproxy_server.Refused, match="expected it to be made; nothing was told"):
        play(monkeypatch, haproxy, state="drain", expires=60)
    assert haproxy.told == []


@pytest.mark.parametrize("options", [{"server": "app9"}, {"sockets": ["/nonexistent/admin.sock"]}])
def test_an_edge_that_is_still_to_come_is_passed_over_where_that_is_allowed(monkeypatch, options):
    haproxy = Haproxy()
    real = haproxy_server.say
    haproxy.say = real if "sockets" in options else haproxy.say
    told, closed = play(monkeypatch, haproxy, state="drain", wait_sessions=0, expires=60, required=False, **options)
    assert (told, closed) == ({}, 0)
    with pytest.raises(haproxy_server.Missing):
        play(monkeypatch, haproxy, state="drain", **options)


TWO = (
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_check_state srv_port\n"
    "4 api 1 app1-2 192.0.2.21 2 0 6 8001\n"
    "4 api 2 app1-1 192.0.2.21 2 0 6 8000\n"
    "5 web 1 one 192.0.2.21 2 0 6 8001\n"
)


def test_every_server_that_leads_to_an_address_is_meant(monkeypatch):
    """Also one that the inventory does not name any more: all are told before the first is waited for."""
    haproxy = Haproxy()
    shown = {
        "show servers state": TWO,
        "show stat": "# pxname,svname,scur\napi,app1-1,3\napi,app1-2,0\nweb,one,0\n",
    }
    haproxy.say = lambda _path, command: shown.get(command) or haproxy.told.append(command) or ""
    options = {"server": None, "backend": None, "addresses": ["192.0.2.21:8001"], "state": "drain"}
    told, _closed = play(monkeypatch, haproxy, wait_sessions=0, expires=60, **options)
    commands = ["set server api/app1-2 state drain", "set server web/one state drain"]
    assert told == {"/run/haproxy/admin.sock": commands} and haproxy.told[-2:] == commands
    assert haproxy.told.count("systemd-run --unit=mainstay-haproxy-api-app1-2") == 1

    options["addresses"] = ["192.0.2.21:8002"]
    assert play(monkeypatch, haproxy, required=False, **options) == ({}, 0)
    with pytest.raises(haproxy_server.Missing, match=r"no server that leads to 192\.0\.2\.21:8002"):
        play(monkeypatch, haproxy, **options)
