# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import io
import socket
import threading
from contextlib import suppress

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils._redis_client import (
    RedisClient,
    RedisError,
    encode_command,
    read_reply,
)


def test_encode_command_counts_bytes():
    assert encode_command(["SET", "ä", 1]) == b"*3\r\n$3\r\nSET\r\n$2\r\n\xc3\xa4\r\n$1\r\n1\r\n"


@pytest.mark.parametrize(
    "data, expected",
    [
        (b"+PONG\r\n", "PONG"),
        (b":42\r\n", 42),
        (b"$5\r\na\r\nb\n\r\n", "a\r\nb\n"),
        (b"$-1\r\n", None),
        (b"*-1\r\n", None),
        (b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n", ["a", [1]]),
    ],
)
def test_read_reply(data, expected):
    assert read_reply(io.BytesIO(data)) == expected


@pytest.mark.parametrize(
    "data, kind",
    [
        (b"-WRONGPASS invalid\r\n", "auth"),
        (b"-NOAUTH Authentication required.\r\n", "auth"),
        (b"-LOADING Redis is loading\r\n", "loading"),
        (b"-ERR unknown\r\n", "reply"),
        (b"+PON", "unreachable"),
        (b"HTTP/1.1 400\r\n", "reply"),
    ],
)
def test_read_reply_raises_the_kind(data, kind):
    with pytest.raises(RedisError) as caught:
        read_reply(io.BytesIO(data))
    assert caught.value.kind == kind


@pytest.fixture
def server():
    """A server on loopback that answers every command with the next scripted reply; gives (endpoint, heard)."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard = []

    def serve(replies):
        def talk():
            with suppress(OSError), listener.accept()[0] as connection:
                for reply in replies:
                    heard.append(connection.recv(4096))
                    connection.sendall(reply)

        threading.Thread(target=talk, daemon=True).start()
        return f"127.0.0.1:{listener.getsockname()[1]}", heard

    yield serve
    listener.close()


def test_client_authenticates_first(server):
    endpoint, heard = server([b"+OK\r\n", b"+PONG\r\n"])
    with RedisClient(endpoint, {"user": "ops", "password": "p", "timeout": 2}) as client:
        assert client.call("PING") == "PONG"
    assert heard[0] == encode_command(["AUTH", "ops", "p"])


def test_client_reports_a_refused_password(server):
    endpoint, _heard = server([b"-WRONGPASS no\r\n"])
    with pytest.raises(RedisError) as caught, RedisClient(endpoint, {"password": "p", "timeout": 2}):
        pass
    assert caught.value.kind == "auth"


def test_client_reports_a_closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(RedisError) as caught, RedisClient(endpoint, {"timeout": 2}):
        pass
    assert caught.value.kind == "refused"


def test_client_names_a_missing_certificate(server):
    endpoint, _heard = server([b""])
    with pytest.raises(RedisError, match="/not/there"), RedisClient(endpoint, {"tls": True, "ca_path": "/not/there"}):
        pass
