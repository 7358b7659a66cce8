# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The web application: middleware, health, a page, and the API."""

from __future__ import annotations

import logging
import re
import threading
import time
import uuid
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from sqlalchemy.exc import DBAPIError, TimeoutError

from . import VERSION, api, faults, health, logs, metrics
from .settings import load

log = logging.getLogger("sample.access")
ACCEPTED = re.compile(r"[\w.:-]{1,100}")
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Cash ledger</title>
<h1>Cash ledger</h1><p>Version {version}, answered by {instance}.</p>
<p><a href="/health">Health</a> &middot; <a href="/docs">API</a></p></html>"""


@asynccontextmanager
async def lifespan(_app: FastAPI):
    settings = load()
    logs.configure(settings.instance, settings.log_dir)
    threading.Thread(target=warm_up, daemon=True).start()
    yield


def warm_up() -> None:
    """Open the first connections and load the broker's library before a client has to wait for it."""
    health.report()
    __import__("sample.tasks")


app = FastAPI(title="mainstay-sample", version=VERSION, lifespan=lifespan)
app.include_router(api.public)
app.include_router(api.router)


def handler_of(request: Request) -> str:
    """The route's pattern, so that ids in paths do not multiply the metrics."""
    route = request.scope.get("route")
    return getattr(route, "path", "other")


def failure(error: Exception) -> tuple[int, str]:
    """The status and the kind of an error that a handler let through."""
    if isinstance(error, (DBAPIError, TimeoutError)):
        return 503, "database"
    return 500, type(error).__name__


@app.middleware("http")
async def around(request: Request, call_next) -> Response:
    """Request id, faults, metrics and one log line per request."""
    given = request.headers.get("x-request-id", "")
    identity = given if ACCEPTED.fullmatch(given) else uuid.uuid4().hex
    logs.request_id.set(identity)
    started = time.perf_counter()
    try:
        response = await _answer(request, call_next)
    except Exception as error:
        status, kind = failure(error)
        metrics.ERRORS.labels(handler_of(request), kind).inc()
        log.exception("a request failed", extra={"path": request.url.path, "kind": kind})
        response = JSONResponse({"detail": "try again" if status == 503 else "internal error"}, status)
    seconds = time.perf_counter() - started
    handler = handler_of(request)
    metrics.REQUESTS.labels(request.method, handler, response.status_code).inc()
    metrics.DURATION.labels(request.method, handler).observe(seconds)
    if handler not in ("/health", "/live") or response.status_code >= 400:
        log.info(
            "request",
            extra={
                "method": request.method,
                "path": request.url.path,
                "status": response.status_code,
                "milliseconds": round(seconds * 1000, 1),
            },
        )
    response.headers["X-Request-ID"] = identity
    response.headers["X-App-Version"] = VERSION
    return response


async def _answer(request: Request, call_next) -> Response:
    fault = load().fault
    if fault and request.url.path not in ("/health", "/live"):
        import asyncio

        await asyncio.sleep(faults.delay(fault))
        if faults.fails_now(fault):
            return JSONResponse({"detail": "a fault that was asked for"}, 500)
    return await call_next(request)


@app.get("/health")
def healthy() -> JSONResponse:
    found = health.report()
    return JSONResponse(found, 503 if found["status"] == "unhealthy" else 200)


@app.get("/live")
async def live() -> dict:
    return {"status": "alive", "version": VERSION}


@app.get("/", response_class=HTMLResponse)
async def page() -> str:
    return PAGE.format(version=VERSION, instance=load().instance)
