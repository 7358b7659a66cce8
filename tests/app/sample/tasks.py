# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Celery worker: settles entries, and leaves a heartbeat that /health looks for."""

from __future__ import annotations

import logging
import threading
from urllib.parse import quote

from celery import Celery
from celery.signals import setup_logging, task_failure, task_success, worker_ready
from sqlalchemy import text

from . import cache, database, logs, metrics
from .settings import load

log = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 5
HEARTBEAT_LIFE = 30


def broker() -> tuple[str, dict]:
    """The broker's URL and options: Redis itself, or its Sentinels."""
    settings = load()
    server = cache.parts(settings.redis_url)
    account = f"{quote(server['username'] or '', safe='')}:{quote(server['password'] or '', safe='')}@"
    options = {
        "socket_timeout": settings.redis_timeout,
        "socket_connect_timeout": 3,
        **cache.LIVELY,
        "health_check_interval": 15,
        "visibility_timeout": 3600,
    }
    sentinels = cache.sentinels(settings)
    if not sentinels:
        return f"redis://{account}{server['host']}:{server['port']}/{server['db']}", options
    options.update(master_name=settings.redis_master_name, sentinel_kwargs=cache.sentinel_options(settings))
    return ";".join(f"sentinel://{account}{host}:{port}/{server['db']}" for host, port in sentinels), options


def make() -> Celery:
    url, options = broker()
    celery = Celery("sample", broker=url)
    tls = {key: value for key, value in cache.tls(load()).items() if key != "ssl"}
    celery.conf.update(
        broker_transport_options=options,
        broker_use_ssl=tls or None,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_pool_limit=4,
        task_ignore_result=True,
        task_acks_late=True,
        task_default_queue="sample",
        task_publish_retry_policy={"max_retries": 3, "interval_start": 0.1, "interval_step": 0.2, "interval_max": 1},
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )
    return celery


celery = make()


@celery.task(name="settle", autoretry_for=(Exception,), retry_backoff=1, retry_backoff_max=30, max_retries=20)
def settle(entry: str, request: str = "") -> None:
    """Mark the entry as settled, once."""
    logs.request_id.set(request)

    def work(connection):
        connection.execute(
            text("update entries set settled_at = now() where id = :id and settled_at is null"), {"id": entry}
        )

    database.write(work)
    log.info("settled an entry", extra={"entry": entry})


@setup_logging.connect
def _logging(**_kwargs):
    logs.configure(load().instance, load().log_dir)


@task_success.connect
def _succeeded(sender=None, **_kwargs):
    metrics.TASKS.labels(sender.name, "success").inc()


@task_failure.connect
def _failed(sender=None, **_kwargs):
    metrics.TASKS.labels(sender.name, "failure").inc()


def _beat() -> None:
    pause = threading.Event()
    while True:
        try:
            cache.client(2.0).set(cache.heartbeat_key(), "alive", ex=HEARTBEAT_LIFE)
        except Exception as error:  # Redis is moving; the next beat tries again
            log.warning("no heartbeat: %s", str(error).split("\n")[0])
        pause.wait(HEARTBEAT_SECONDS)


@worker_ready.connect
def _ready(**_kwargs):
    threading.Thread(target=_beat, name="heartbeat", daemon=True).start()
