# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One JSON object per line, with the id of the request that it belongs to."""

from __future__ import annotations

import json
import logging
import logging.handlers
import sys
import time
from contextvars import ContextVar
from pathlib import Path

from . import VERSION

request_id: ContextVar[str] = ContextVar("request_id", default="")

PLAIN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


class JsonFormatter(logging.Formatter):
    """A record and its extra fields as JSON."""

    def __init__(self, instance: str):
        super().__init__()
        self.instance = instance

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:1000],
            "instance": self.instance,
            "version": VERSION,
        }
        if request_id.get():
            line["request_id"] = request_id.get()
        line.update({key: value for key, value in vars(record).items() if key not in PLAIN})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(instance: str, directory: str = "") -> None:
    """Send every logger of this process to the standard output and, when asked, to a file.

    The file is opened again when it was moved away, so the host rotates it without telling anybody.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    if directory:
        handlers.append(logging.handlers.WatchedFileHandler(Path(directory) / f"{instance}.log"))
    for handler in handlers:
        handler.setFormatter(JsonFormatter(instance))
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "celery"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.getLogger("uvicorn.access").disabled = True  # the middleware writes a better line
