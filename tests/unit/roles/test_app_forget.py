# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Images of forgotten releases go; one that a container uses may stay, and no other."""

from __future__ import annotations

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler

import pytest
from repository import render_with

FREE, USED, STUCK = (f"sha256:{letter * 64}" for letter in "abc")
# What the engine says to who removes an image.
ANSWERS = {
    FREE: (200, [{"Deleted": FREE}]),
    USED: (
        409,
        {"message": "conflict: unable to delete (cannot be forced) - image is being used by running container 1"},
    ),
    STUCK: (500, {"message": "device or resource busy"}),
}


class Engine(BaseHTTPRequestHandler):
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    @property
    def image(self):
        return next((image for image in ANSWERS if image in self.path.replace("%3A", ":")), None)

    def do_GET(self):
        self.answer(200, {"Id": self.image} if self.image else {"ApiVersion": "1.43"})

    def do_DELETE(self):
        self.server.asked.append(self.image)
        self.answer(*ANSWERS[self.image])

    def address_string(self):
        return "socket"

    def log_message(self, *_words):
        pass


@pytest.fixture
def engine(tmp_path):
    with socketserver.ThreadingUnixStreamServer(str(tmp_path / "engine"), Engine) as server:
        server.asked = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(("images", "status"), [([FREE, USED], 0), ([STUCK, FREE], 2)])
def test_only_an_image_that_is_used_may_stay(engine, images, status):
    done = render_with("rollout/forget.yml", {"engine": f"unix://{engine.server_address}", "images": images})
    assert done.returncode == status, done.stdout + done.stderr
    assert engine.asked == images
    assert ("device or resource busy" in done.stdout) is bool(status)
