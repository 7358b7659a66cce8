#!/usr/bin/env python3
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""manage.py serve | worker | migrate | smoke | check | check-worker"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from urllib.request import urlopen

from sample import VERSION, logs
from sample.settings import Settings, SettingsError, load

CONFIGURATION = 78  # the exit code for a configuration that cannot work


def prepare_metrics(settings: Settings) -> None:
    """An empty folder in which the processes keep their numbers, before anything counts."""
    folder = Path(os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", "/tmp/metrics"))  # noqa: S108 - the container's own
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    from sample import metrics

    metrics.serve(settings.metrics_port)


def serve(settings: Settings) -> int:
    import uvicorn
    from sample import faults
    from uvicorn.supervisors import Multiprocess

    prepare_metrics(settings)
    config = uvicorn.Config(
        "sample.web:app",
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.grace_seconds,
        timeout_keep_alive=75,
        timeout_worker_healthcheck=90,
        forwarded_allow_ips="*",
    )
    supervisor = Multiprocess(config, sockets=[config.bind_socket()])
    faults.on_start(settings.fault)
    if settings.fault == "deaf":
        supervisor.handle_term = lambda: None
    supervisor.run()
    return 0


def worker(settings: Settings) -> int:
    prepare_metrics(settings)
    from sample.tasks import celery

    return (
        celery.worker_main(
            [
                "worker",
                "--pool",
                "threads",
                "--concurrency",
                str(settings.workers),
                "--hostname",
                settings.instance,
                "--without-gossip",
                "--without-mingle",
                "--without-heartbeat",
                "--loglevel",
                "INFO",
            ]
        )
        or 0
    )


def migrate(_settings: Settings) -> int:
    from sample.migrations import migrate as run

    done = run()
    # The last line is for the caller: it says whether anything was done.
    print(json.dumps({"changed": bool(done), "applied": done, "version": VERSION}))
    return 0


def check(settings: Settings) -> int:
    """Does this instance answer? For the container's own health check."""
    try:
        with urlopen(f"http://127.0.0.1:{settings.port}/health", timeout=9):
            return 0
    except OSError as error:
        print(error)
        return 1


def check_worker(_settings: Settings) -> int:
    from sample import cache

    try:
        return 0 if cache.client(2.0).exists(cache.heartbeat_key()) else 1
    except Exception as error:  # one line for whoever looks at the engine's health log
        print(f"check-worker: {type(error).__name__}")
        return 1


def smoke(_settings: Settings) -> int:
    """One client's way through the whole platform, at EDGE_URL."""
    from sample.smoke import run

    try:
        print(json.dumps(run()))
    except Exception as error:  # whatever went wrong, one line says it
        print(f"smoke: {error}", file=sys.stderr)
        return 1
    return 0


COMMANDS = {
    "serve": serve,
    "worker": worker,
    "migrate": migrate,
    "smoke": smoke,
    "check": check,
    "check-worker": check_worker,
}


def main() -> int:
    command = COMMANDS.get(sys.argv[1] if len(sys.argv) == 2 else "")
    if not command:
        print(__doc__, file=sys.stderr)
        return 64
    try:
        settings = load()
    except SettingsError as error:
        print(f"manage.py: {error}", file=sys.stderr)
        return CONFIGURATION
    logs.configure(settings.instance, settings.log_dir if command in (serve, worker, migrate) else "")
    return command(settings)


if __name__ == "__main__":
    sys.exit(main())
