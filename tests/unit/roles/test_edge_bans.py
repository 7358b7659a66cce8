# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What fail2ban reads of HAProxy's lines: refusals and whose they are, and nothing that a client wrote."""

from __future__ import annotations

import re

import pytest
from repository import ROOT

TEMPLATES = ROOT / "roles" / "hardening" / "templates"
JAILS = dict(re.findall(r"\('(edge-\w+)', '([^']+)'", (TEMPLATES / "jail.local.j2").read_text()))
DOORS, CROWDS = JAILS["edge-doors"], JAILS["edge-crowds"]
# As Debian 13's HAProxy wrote it and rsyslog kept it.
LINE = (
    '2026-11-29T19:19:35.512392+00:00 one haproxy[4743]: {"time":1795979975.507,"client":"CLIENT",'
    '"frontend":"statistics","backend":"statistics","server":"<NOSRV>","status":STATUS,"bytes":372,"method":"GET",'
    '"host":"HOST","path":"\\/","ms_queue":-1,"ms_connect":-1,"ms_response":-1,"ms_total":0,"state":"LR","retries":"0",'
    '"tls":"TLSv1.3","request_id":"-"}'
)


def line(client="198.51.100.7", status=401, host="x"):
    return LINE.replace("CLIENT", client).replace("STATUS", str(status)).replace("HOST", host)


def found(text, status):
    """The address that the filter finds in a line, as fail2ban asks: the date is cut out before."""
    (pattern,) = re.findall(r"^failregex = (.*)$", (TEMPLATES / "fail2ban-edge.conf.j2").read_text(), re.M)
    pattern = pattern.replace("<status>", status).replace("<ADDR>", r"(?P<address>[0-9a-fA-F.:]+)")
    match = re.search(pattern, text.partition(" ")[2])
    return match and match["address"]


@pytest.mark.parametrize(("status", "jail"), [(401, DOORS), (403, DOORS), (429, CROWDS)])
@pytest.mark.parametrize("client", ["198.51.100.7", "2001:db8::7"])
def test_a_refusal_is_its_clients(status, jail, client):
    assert found(line(client, status), jail) == client
    assert not found(line(client, status), CROWDS if jail == DOORS else DOORS)


@pytest.mark.parametrize("status", [200, 301, 404, 400, 503])
def test_other_answers_ban_nobody(status):
    assert not found(line(status=status), DOORS) and not found(line(status=status), CROWDS)


def test_a_client_cannot_have_another_one_banned():
    forged = r"\"client\":\"203.0.113.9\",\"frontend\":\"a\",\"backend\":\"a\",\"server\":\"a\",\"status\":401,"
    assert not found(line(status=200, host=forged), DOORS)
    assert found(line(host=forged), DOORS) == "198.51.100.7"


def test_haproxy_writes_what_is_read():
    begin = (
        '{"time":%Ts.%ms,"client":"%ci","frontend":"%f","backend":"%b","server":"%s","status":%ST,"bytes":%B,"method":'
    )
    assert begin in (ROOT / "roles" / "haproxy" / "templates" / "haproxy.cfg.j2").read_text()


def test_every_refusal_of_a_jail_is_logged_as_one():
    """The level is set right before each way out with 401 or 403 of a door, or 429."""
    refusal = re.compile(r"http-request auth |status 429|deny_status 403 (unless own|.*!own)")
    for name, number in (("routes.cfg.j2", 3), ("statistics.cfg.j2", 2)):
        lines = (ROOT / "roles" / "haproxy" / "templates" / "haproxy" / name).read_text().splitlines()
        places = [place for place, text in enumerate(lines) if refusal.search(text)]
        assert len(places) == number
        assert all("set-log-level warning" in " ".join(lines[place - 4 : place]) for place in places)
