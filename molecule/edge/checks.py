"""A client of the scenario's edge: what it promises to whoever asks from another host.

Runs in a host:  python3 - ADDRESS AUTHORITY [stopped] < checks.py
Prints a line per promise; ends with the first that is not kept.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import sys
import time

NAME = "shop.example.test"
ADDRESS, AUTHORITY = sys.argv[1:3]
CONTEXT = ssl.create_default_context(cafile=AUTHORITY)
SECURE = {
    "x-frame-options": "SAMEORIGIN",
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
}
FORGED = {
    "X-Forwarded-For": "192.0.2.1",
    "X-Forwarded-Host": "evil.test",
    "X-Forwarded-Ssl": "on",
    "X_Forwarded_For": "192.0.2.1",
    "Forwarded": "for=192.0.2.1",
    "X-Real-IP": "192.0.2.1",
    "X_Real_IP": "192.0.2.1",
    "True-Client-IP": "192.0.2.1",
    "CF-Connecting-IP": "192.0.2.1",
    "X-Original-URL": "/office/",
    "X-Request-ID": "forged",
    "Proxy": "evil.test:1",
}


def tls(name: str = NAME) -> ssl.SSLSocket:
    return CONTEXT.wrap_socket(socket.create_connection((ADDRESS, 443), timeout=20), server_hostname=name)


class Connection(http.client.HTTPSConnection):
    def connect(self) -> None:
        self.sock = tls(self.host)


def ask(path: str, headers: dict | None = None, method: str = "GET", body: bytes | None = None, name: str = NAME):
    connection = Connection(name, timeout=20)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    content = answer.read()
    found = {key.lower(): value for key, value in answer.getheaders()}
    for key, value in SECURE.items():
        assert found.get(key) == value, f"{path}: {answer.status} with {key}: {found.get(key)}"
    assert "leaky" not in str(found) and "haproxy" not in (str(found) + content.decode()).lower(), (path, found)
    connection.close()
    return answer.status, found, content


def reached(path: str, **more) -> dict:
    status, _headers, content = ask(path, **more)
    assert status == 200, (path, status, content)
    return json.loads(content)


def names_and_patterns_lead_to_their_routes() -> None:
    assert reached("/hello")["path"] == "/hello"
    assert reached("/", name="example.test")["path"] == "/"
    assert ask("/", name="named.example.test")[0] == 403, "a name comes before the pattern that covers it"


def proxies_headers_do_not_come_from_outside() -> None:
    own = socket.create_connection((ADDRESS, 443)).getsockname()[0]
    headers = reached("/headers", headers=FORGED)["headers"]
    found = [(name.lower(), value) for name, value in headers]
    told = dict(found)
    assert told["x-forwarded-for"] == own and told["x-forwarded-proto"] == "https", found
    assert told["x-forwarded-host"] == NAME and told["x-request-id"] != "forged", found
    allowed = {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-request-id"}
    bad = [
        name
        for name, value in found
        if value in FORGED.values() or (name.startswith(("x-", "x_")) and name not in allowed)
    ]
    assert not bad and len(found) == len(told), found


def an_allow_list_cannot_be_gone_around() -> None:
    for path in ("/office/", "/office", "/%6fffice/", "//office/", "/x/%2e%2e/office/", "/./office/", "/office%2f"):
        status, _headers, content = ask(path)
        assert status in (400, 403), (path, status, content)


def a_route_with_a_limit_of_its_own_is_limited_apart() -> None:
    statuses = [ask("/limited/")[0] for _number in range(6)]
    assert statuses == [200] * 5 + [429], statuses
    status, headers, content = ask("/limited/again")
    assert status == 429 and headers["retry-after"] == "30" and b"too many" in content, (status, headers, content)
    assert ask("/hello")[0] == 200


def what_is_public_is_kept_and_nothing_else() -> None:
    def kept(path: str) -> bool:
        return reached(path)["made"] == reached(path)["made"]

    path = f"/static/public-{time.time()}.css"
    assert kept(path) and kept(f"{path}?v=2")
    assert reached(path)["made"] != reached(f"{path}?v=2")["made"]
    assert not kept("/static/private") and not kept("/static-public")


def only_what_may_be_repeated_is_repeated() -> None:
    assert reached(f"/breaks/{time.time()}")
    status, _headers, content = ask(f"/breaks/{time.time()}", method="POST", body=b"once")
    assert status == 502 and json.loads(content) == {"error": "bad gateway"}, (status, content)


def a_slow_body_is_not_waited_for() -> None:
    connection, begun = tls(), time.monotonic()
    connection.sendall(f"POST /body HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 100\r\n\r\n".encode())
    while time.monotonic() - begun < 25:
        try:
            connection.settimeout(0.5)
            connection.sendall(b"x")
            if answer := connection.recv(1000):
                break
        except TimeoutError:
            continue
    taken = time.monotonic() - begun
    assert answer.startswith(b"HTTP/1.1 408 ") and taken < 25, (taken, answer)
    assert reached("/body", method="POST", body=b"x" * 100000)["length"] == 100000


def slow_headers_are_not_waited_for() -> None:
    connection, begun = tls(), time.monotonic()
    connection.sendall(b"GET / HTTP/1.1\r\n")
    answer = connection.recv(1000)
    assert answer.startswith(b"HTTP/1.1 408 ") and time.monotonic() - begun < 25, answer


def alive(connection: socket.socket | None) -> bool:
    """Whether the edge has let it in and waits for what it says."""
    try:
        return connection is not None and bool(connection.recv(1))
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def opened() -> socket.socket | None:
    try:
        connection = socket.create_connection((ADDRESS, 443), timeout=5)
    except ConnectionError:
        return None
    connection.setblocking(False)
    return connection


def connections_of_one_source_are_counted() -> None:
    held = [opened() for _number in range(150)]
    time.sleep(2)
    let_in = sum(map(alive, held))
    assert 95 <= let_in <= 100, f"{let_in} of 150 connections are let in, of 100"
    for connection in filter(None, held):
        connection.close()
    time.sleep(2)
    tls().close()


def operators_names_are_closed() -> None:
    for name in ("edge.operators.test", "graphs.operators.test"):
        status, _headers, content = ask("/", name=name, headers={"Authorization": "Basic b3BlcmF0b3I6eA=="})
        assert status == 403 and json.loads(content) == {"error": "forbidden"}, (name, status, content)


def who_is_held_back_gets_a_page_or_json() -> None:
    status, headers, content = ask("/hello", headers={"Accept": "text/html,*/*"})
    assert (status, headers["retry-after"]) == (503, "60") and b"<h1>Maintenance</h1>" in content, (status, content)
    status, headers, content = ask("/static/public.css")
    assert status == 503 and json.loads(content) == {"error": "maintenance"}, (status, content)
    operators_names_are_closed()


CHECKS = (
    names_and_patterns_lead_to_their_routes,
    proxies_headers_do_not_come_from_outside,
    an_allow_list_cannot_be_gone_around,
    a_route_with_a_limit_of_its_own_is_limited_apart,
    what_is_public_is_kept_and_nothing_else,
    only_what_may_be_repeated_is_repeated,
    a_slow_body_is_not_waited_for,
    slow_headers_are_not_waited_for,
    connections_of_one_source_are_counted,
    operators_names_are_closed,
)

if __name__ == "__main__":
    for check in CHECKS if sys.argv[3:] != ["stopped"] else (who_is_held_back_gets_a_page_or_json,):
        check()
        print(check.__name__.replace("_", " "))
