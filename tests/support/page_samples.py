"""The pages of `tests/page_samples` on a server of this machine, with what a file cannot be: answers that redirect,
never end or weigh fifty megabytes, and forms that are taken, forgotten or broken.
"""

from __future__ import annotations

import contextlib
import struct
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.local_web import DRIP_SECONDS

FOLDER = Path(__file__).parents[1] / "page_samples"
# A picture without compression: whatever has come of it can be drawn, so that a browser reads on to its end.
_WIDTH, _HEIGHT = 4096, 4267
HEAVY_BYTES = 54 + 3 * _WIDTH * _HEIGHT
_HEAD_OF_PICTURE = struct.pack(
    "<2sIIIIiiHHIIiiII", b"BM", HEAVY_BYTES, 0, 54, 40, _WIDTH, _HEIGHT, 1, 24, 0, 0, 0, 0, 0, 0
)
HOLD_SECONDS = 10.0
# One grey pixel.
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a4944415478da63680000008200817adcf2340000000049454e44ae426082"
)
_THANKS = "<!doctype html><html lang='en'><title>Thanks</title><h1>Check your inbox</h1>"


@dataclass
class SampleSite:
    """The running site. `signups` are the addresses that its form `/join` has taken, `asked` the paths asked for."""

    url: str
    redirects: dict[str, str] = field(default_factory=dict)
    signups: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    closing: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def endpoint(self) -> tuple[str, int]:
        """Where it listens."""
        parts = urllib.parse.urlsplit(self.url)
        return parts.hostname or "", parts.port or 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        site = self.server.site
        path = self.path.partition("?")[0]
        site.asked.append(path)
        site.agents.add(self.headers.get("User-Agent", ""))
        with contextlib.suppress(ConnectionError):
            if path in site.redirects:
                self._answer(302, b"", Location=site.redirects[path])
            elif path == "/dot.png":
                self._answer(200, DOT, Content_Type="image/png")
            elif path == "/unwell.html":
                self._answer(500, b"<!doctype html><title>Error</title><h1>Something went wrong</h1>")
            elif path == "/silent.html":
                site.closing.wait()
                self.close_connection = True
            elif path == "/held.png":
                # Whoever measures a page waits while it waits; the page says when it has done what it is there for.
                site.released.clear()
                site.released.wait(HOLD_SECONDS)
                self._answer(200, DOT, Content_Type="image/png")
            elif path == "/release.png":
                site.released.set()
                self._answer(200, DOT, Content_Type="image/png")
            elif path == "/events":
                self._events()
            elif path == "/endless.bmp":
                self._endless()
            elif path == "/fifty-megabytes.bmp":
                self._heavy()
            elif (file := FOLDER / path.lstrip("/")).is_file():
                self._answer(200, file.read_bytes())
            else:
                self._answer(404, b"<!doctype html><title>Not found</title><h1>Not found</h1>")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        if self.path == "/breaks":
            self._answer(500, b"<!doctype html><title>Error</title><h1>Something went wrong</h1>")
            return
        if self.path == "/join":
            said = urllib.parse.parse_qs(body)
            self.server.site.signups += said.get("email", []) + said.get("contact", [])
        self._answer(200, _THANKS.encode())

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Type": "text/html; charset=utf-8", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _endless(self) -> None:
        self._begin_picture()
        while not self.server.site.closing.wait(DRIP_SECONDS):
            self.wfile.write(b"\0")

    def _events(self) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"data: here\n\n")
        while not self.server.site.closing.wait(DRIP_SECONDS):
            self.wfile.write(b": still here\n\n")

    def _heavy(self) -> None:
        self._begin_picture()
        piece = bytes(3 * _WIDTH)
        for _ in range(_HEIGHT):
            self.wfile.write(piece)

    def _begin_picture(self) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "image/bmp")
        self.send_header("Content-Length", str(HEAVY_BYTES))
        self.end_headers()
        self.wfile.write(_HEAD_OF_PICTURE)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    site: SampleSite
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up is the point of some tests."""


@contextlib.contextmanager
def sample_site(**redirects: str) -> Iterator[SampleSite]:
    """Serve the samples on a free port of 127.0.0.1; `redirects` maps a page's name to where it leads."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.site = SampleSite(
        f"http://127.0.0.1:{server.server_address[1]}",
        {f"/{name}.html": location for name, location in redirects.items()},
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.site
    finally:
        server.site.closing.set()
        server.site.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
