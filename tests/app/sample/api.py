# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entries, accounts, cash flows and the quality of a simple forecast."""

from __future__ import annotations

import json
import logging
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, Query
from pydantic import BaseModel, Field
from redis.exceptions import RedisError
from sqlalchemy import text

from . import auth, cache, database, logs, metrics

log = logging.getLogger(__name__)
LISTED = "select id, account, amount, memo, occurred_on, created_at, settled_at from entries"


class Login(BaseModel):
    username: str = Field(max_length=100)
    password: str = Field(max_length=200)


class NewEntry(BaseModel):
    account: str = Field(default="operating", max_length=50)
    amount: Decimal = Field(max_digits=18, decimal_places=2)
    memo: str = Field(default="", max_length=500)
    occurred_on: date | None = None


def bearer(authorization: Annotated[str, Header()] = "") -> str:
    """The user whose token came with the request."""
    scheme, _space, token = authorization.partition(" ")
    user = auth.user_of(token) if scheme.lower() == "bearer" else None
    if not user:
        raise HTTPException(401, "a valid bearer token is required", headers={"WWW-Authenticate": "Bearer"})
    return user


public = APIRouter(prefix="/api/v1")
router = APIRouter(prefix="/api/v1", dependencies=[Depends(bearer)])


@public.post("/auth/login")
def login(given: Login) -> dict:
    stored = database.read(lambda connection: auth.stored_password(connection, given.username))
    # The same work for an unknown name, so that the time does not tell.
    if not auth.matches(given.password, stored or auth.hashed("", b"0" * 16)) or not stored:
        raise HTTPException(401, "wrong username or password")
    return {
        "access_token": auth.token_for(given.username),
        "token_type": "bearer",
        "expires_in": auth.load().token_seconds,
    }


def shown(row) -> dict:
    entry = dict(row._mapping)
    return {**entry, "memo": auth.opened(entry["memo"]), "amount": str(entry["amount"])}


@router.post("/entries", status_code=201)
def add_entry(given: NewEntry) -> dict:
    """Write an entry. The id is made here, so that a second try of the same transaction adds nothing."""
    values = {
        "id": uuid.uuid4(),
        "account": given.account,
        "amount": given.amount,
        "memo": auth.sealed(given.memo) if given.memo else None,
        "occurred_on": given.occurred_on or datetime.now(UTC).date(),
    }

    def work(connection):
        if not connection.execute(text("select 1 from accounts where code = :account"), values).scalar():
            raise HTTPException(404, f"no account {given.account!r}")
        connection.execute(
            text(
                "insert into entries (id, account, amount, memo, occurred_on)"
                " values (:id, :account, :amount, :memo, :occurred_on) on conflict (id) do nothing"
            ),
            values,
        )
        row = connection.execute(text(f"{LISTED} where id = :id"), values).one()
        return {**shown(row), "written_to": database.where(connection)}

    entry = database.write(work)
    metrics.ENTRIES.inc()
    _queue(str(values["id"]))
    return entry


def _queue(entry: str) -> None:
    """Ask the worker to settle the entry; the entry is safe even when the broker is away."""
    from .tasks import settle

    try:
        settle.delay(entry, logs.request_id.get())
    except Exception as error:  # the list shows what is not settled
        metrics.ERRORS.labels("/api/v1/entries", "queue").inc()
        log.warning("could not queue: %s", str(error).split("\n")[0], extra={"entry": entry})


@router.get("/entries")
def list_entries(limit: Annotated[int, Query(ge=1, le=200)] = 50, cursor: str = "") -> dict:
    """Newest first, a page at a time."""
    values, after = {"limit": limit}, ""
    if cursor:
        plain = auth.unsigned(cursor)
        if not plain:
            raise HTTPException(400, "this cursor is not one of ours")
        values["time"], values["id"] = plain.split(" ")
        after = "where (created_at, id) < (cast(:time as timestamptz), cast(:id as uuid))"

    def work(connection):
        rows = connection.execute(text(f"{LISTED} {after} order by created_at desc, id desc limit :limit"), values)
        return [shown(row) for row in rows], database.where(connection)

    entries, source = database.read(work)
    last = entries[-1] if len(entries) == limit else None
    following = auth.signed(f"{last['created_at'].isoformat()} {last['id']}") if last else None
    return {"entries": entries, "next": following, "read_from": source}


@router.get("/entries/{entry}")
def one_entry(entry: uuid.UUID) -> dict:
    def work(connection):
        row = connection.execute(text(f"{LISTED} where id = :id"), {"id": entry}).one_or_none()
        return row, database.where(connection)

    row, source = database.read(work)
    if row is None:
        raise HTTPException(404, "no such entry")
    return {**shown(row), "read_from": source}


@router.delete("/entries/{entry}", status_code=204)
def remove_entry(entry: uuid.UUID) -> None:
    database.write(lambda connection: connection.execute(text("delete from entries where id = :id"), {"id": entry}))


@router.get("/accounts")
def accounts() -> dict:
    def work(connection):
        rows = connection.execute(
            text(
                "select code, name, currency, coalesce(sum(amount), 0)::text as balance, count(id) as entries"
                " from accounts left join entries on account = code group by code order by code"
            )
        )
        return {"accounts": [dict(row._mapping) for row in rows], "read_from": database.where(connection)}

    return database.read(work)


def _days(connection, days: int) -> list[dict]:
    rows = connection.execute(
        text(
            "select occurred_on as day, coalesce(sum(amount) filter (where amount > 0), 0)::float8 as inflow,"
            " coalesce(sum(-amount) filter (where amount < 0), 0)::float8 as outflow, sum(amount)::float8 as net"
            " from entries where occurred_on > current_date - cast(:days as integer) group by 1 order by 1"
        ),
        {"days": days},
    )
    return [dict(row._mapping) for row in rows]


@router.get("/cash-flows")
def cash_flows(days: Annotated[int, Query(ge=1, le=366)] = 30) -> dict:
    return database.read(lambda connection: {"days": _days(connection, days), "read_from": database.where(connection)})


def quality(nets: list[float], window: int = 7) -> dict:
    """How far a moving average missed each day's net flow."""
    misses = [abs(nets[day] - sum(nets[max(0, day - window) : day]) / min(day, window)) for day in range(1, len(nets))]
    return {
        "model": f"moving average of {window} days",
        "days": len(nets),
        "mean_absolute_error": round(sum(misses) / len(misses), 2) if misses else None,
    }


@router.get("/forecasting/performance")
def performance() -> dict:
    """Computed at most every 30 seconds; Redis keeps it meanwhile."""
    key = "sample:forecast"
    try:
        kept = cache.client().get(key)
    except RedisError:
        kept = None
    if kept:
        return {**json.loads(kept), "cached": True}
    found = quality([day["net"] for day in database.read(lambda connection: _days(connection, 90))])
    try:
        cache.client().set(key, json.dumps(found), ex=30)
    except RedisError as error:
        log.warning("could not keep the forecast: %s", error)
    return {**found, "cached": False}
