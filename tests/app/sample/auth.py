# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Users with scrypt passwords, bearer tokens (JWT, HS256), encrypted memos, signed cursors."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import time
from functools import lru_cache

import jwt
from cryptography.fernet import Fernet
from sqlalchemy import Connection, text

from .settings import load

SCRYPT = {"n": 2**14, "r": 8, "p": 1}


def hashed(password: str, salt: bytes) -> str:
    return f"{salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, **SCRYPT).hex()}"


def matches(password: str, stored: str) -> bool:
    return hmac.compare_digest(hashed(password, bytes.fromhex(stored.split("$")[0])), stored)


def set_password(connection: Connection, username: str, password: str) -> None:
    """Make the user, or give it the password when it has another one."""
    stored = connection.execute(
        text("select password from users where username = :username"), {"username": username}
    ).scalar()
    if stored and matches(password, stored):
        return
    connection.execute(
        text(
            "insert into users (username, password) values (:username, :password)"
            " on conflict (username) do update set password = excluded.password"
        ),
        {"username": username, "password": hashed(password, os.urandom(16))},
    )


def stored_password(connection: Connection, username: str) -> str | None:
    return connection.execute(
        text("select password from users where username = :username"), {"username": username}
    ).scalar()


def token_for(username: str) -> str:
    settings = load()
    now = int(time.time())
    claims = {"sub": username, "iat": now, "exp": now + settings.token_seconds}
    return jwt.encode(claims, settings.jwt_secret_key, algorithm="HS256")


def user_of(token: str) -> str | None:
    """The name in a token that we signed and that has not expired."""
    try:
        return jwt.decode(token, load().jwt_secret_key, algorithms=["HS256"], options={"require": ["sub", "exp"]})[
            "sub"
        ]
    except jwt.InvalidTokenError:
        return None


@lru_cache
def _box() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(load().encryption_key.encode()).digest()))


def sealed(memo: str) -> bytes:
    return _box().encrypt(memo.encode())


def opened(memo: bytes | None) -> str:
    return _box().decrypt(bytes(memo)).decode() if memo else ""


def _signature(text_: str) -> str:
    return hmac.new(load().secret_key.encode(), text_.encode(), hashlib.sha256).hexdigest()[:20]


def signed(cursor: str) -> str:
    return base64.urlsafe_b64encode(f"{cursor}|{_signature(cursor)}".encode()).decode()


def unsigned(cursor: str) -> str | None:
    """What signed() was given, or nothing when somebody else made the cursor."""
    try:
        plain, _bar, signature = base64.urlsafe_b64decode(cursor.encode()).decode().rpartition("|")
    except ValueError:
        return None
    return plain if hmac.compare_digest(_signature(plain), signature) else None
