"""An application for the scenario: says what reached it, and breaks off when it is asked to.

Runs in a host:  python3 app.py ADDRESS PORT
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

seen: dict[str, int] = {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "leaky/1.2.3", "kernel"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        seen[path] = seen.get(path, 0) + 1
        if path.startswith("/breaks/") and seen[path] == 1:
            self.close_connection = True
            return self.connection.close()
        said = {"path": self.path, "made": time.time_ns(), "length": len(body), "headers": self.headers.items()}
        content = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Powered-By", "leaky/4.5.6")
        if "public" in path:
            self.send_header("Cache-Control", "public, max-age=300")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = answer  # noqa: N815

    def log_message(self, *_words) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
