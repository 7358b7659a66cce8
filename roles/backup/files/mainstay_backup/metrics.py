# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What jobs leave behind for the node exporter."""

from __future__ import annotations

import re
import time
from pathlib import Path

from .common import write_whole


def textfile(settings, name):
    return Path(settings.textfile_dir) / f"mainstay_{name}.prom"


def read(path):
    """{metric: value} of a textfile, labels left out; empty when there is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return {re.split(r"[{ ]", line)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}


def render(rows):
    """Rows of (metric, labels, value) as text; those without a value are left out."""
    lines = []
    for metric, labels, value in rows:
        if value is not None:
            inner = ",".join(f'{key}="{text}"' for key, text in labels.items())
            lines.append(f"{metric}{'{' + inner + '}' if inner else ''} {value:.15g}")
    return "\n".join(lines) + "\n"


def write(settings, name, rows):
    path = textfile(settings, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o755)
    write_whole(path, render(rows), 0o644)


def report_job(settings, kind, good, size, started):
    """How a job ended. A failure keeps the time of the last success."""
    now = time.time()
    last = read(textfile(settings, f"backup_{kind}")).get("mainstay_backup_last_success_timestamp_seconds")
    labels = {"backup": kind}
    rows = [
        ("mainstay_backup_last_success_timestamp_seconds", labels, now if good else last),
        ("mainstay_backup_last_result", labels, int(good)),
        ("mainstay_backup_size_bytes", labels, size),
        ("mainstay_backup_duration_seconds", labels, now - started),
    ]
    write(settings, f"backup_{kind}", rows)
