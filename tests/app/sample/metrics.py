# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the application tells Prometheus. Workers share files; the parent process answers the scrape."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from . import VERSION

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2.5, 5, 10)
REQUESTS = Counter("http_requests_total", "Requests answered", ["method", "handler", "status"])
DURATION = Histogram(
    "http_request_duration_seconds", "Time until the answer was ready", ["method", "handler"], buckets=BUCKETS
)
ERRORS = Counter("app_errors_total", "Requests that ended in an error of ours", ["handler", "kind"])
DEPENDENCY = Gauge(
    "app_dependency_up",
    "1 when the dependency answered its last health check",
    ["dependency"],
    multiprocess_mode="mostrecent",
)
DATABASE_RETRIES = Counter("app_database_retries_total", "Transactions tried again while the primary moved")
READ_FALLBACKS = Counter("app_read_fallbacks_total", "Reads that went to the primary because no replica answered")
ENTRIES = Counter("app_entries_written_total", "Entries written")
TASKS = Counter("app_tasks_total", "Tasks that the worker finished", ["task", "result"])

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class ProcessTree:
    """Memory, processor time and files of every process of this container, as the usual process_* metrics."""

    def collect(self):
        seconds = resident = files = count = 0
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                files += len(os.listdir(entry / "fd"))
            except OSError:
                continue
            seconds += (int(fields[11]) + int(fields[12])) / TICK
            resident += int(fields[21]) * PAGE
            count += 1
        yield CounterMetricFamily("process_cpu_seconds", "Processor time used, in seconds", value=seconds)
        yield GaugeMetricFamily("process_resident_memory_bytes", "Resident memory, in bytes", value=resident)
        yield GaugeMetricFamily("process_open_fds", "Open file descriptors", value=files)
        yield GaugeMetricFamily("app_processes", "Processes of this instance", value=count)


class Info:
    def collect(self):
        info = GaugeMetricFamily("app_info", "Always 1; the version is a label", labels=["version"])
        info.add_metric([VERSION], 1)
        yield info


def serve(port: int) -> None:
    """Answer /metrics for all processes that write into PROMETHEUS_MULTIPROC_DIR."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    registry.register(ProcessTree())
    registry.register(Info())
    start_http_server(port, registry=registry)
