"""Real web servers on loopback, whose pages a test writes as functions over the open connection.

A page function gets the request and may write anything: half an answer, an endless one, none at all.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpcore

TLS_FOLDER = Path(__file__).parent / "tls"
# A written-out pause of an endless answer; its length changes nothing but how busy the test is.
DRIP_SECONDS = 0.02


class Request(BaseHTTPRequestHandler):
    """One request as a page function sees it: `path`, `headers`, `wfile`, and the helpers below."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self.close_connection = True
        web = self.server.web
        web.requests.append((self.headers.get("Host", ""), self.path, dict(self.headers)))
        page = web.pages.get(self.path, not_found)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            page(self)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Write a whole answer; a header's underscores stand for dashes."""
        self.send_response(status)
        for name, value in {"Content_Type": "text/html; charset=utf-8", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def endlessly(self, piece: bytes, pause: float = DRIP_SECONDS) -> None:
        """Write `piece` again and again until the client hangs up or the server is closed."""
        while not self.server.web.closing.wait(pause):
            self.wfile.write(piece)
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        pass


PageFunction = Callable[[Request], None]


@dataclass
class LocalWeb:
    """A running server. `pages` maps a path to its function, `requests` is what was asked for."""

    pages: dict[str, PageFunction]
    address: tuple[str, int] = ("127.0.0.1", 0)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)


class _Server(ThreadingHTTPServer):
    web: LocalWeb
    daemon_threads = False
    block_on_close = True
    # With the default of 5, a burst of connections waits a second for its handshakes.
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is the point of many tests."""


def not_found(request: Request) -> None:
    """Answer 404."""
    request.answer(404, b"<title>Not found</title>nothing here")


def html(markup: str, status: int = 200) -> PageFunction:
    """Return a page function that answers with `markup`."""
    return lambda request: request.answer(status, markup.encode())


def redirect(location: str, status: int = 302) -> PageFunction:
    """Return a page function that redirects to `location`."""
    return lambda request: request.answer(status, Location=location)


def raw(answer: bytes) -> PageFunction:
    """Return a page function that writes `answer` as it is, status line included."""

    def write(request: Request) -> None:
        request.wfile.write(answer)

    return write


@contextlib.contextmanager
def local_web(pages: dict[str, PageFunction], *, tls: bool = False) -> Iterator[LocalWeb]:
    """Serve `pages` on a free port of 127.0.0.1, over TLS as site.test where asked, until the end."""
    server = _Server(("127.0.0.1", 0), Request)
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(TLS_FOLDER / "site.pem")
        # The handshake belongs to the connection's own thread: one client that stalls it must not stop the others.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.web = LocalWeb(pages, ("127.0.0.1", server.server_address[1]))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.web
    finally:
        server.web.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


class Nat(httpcore.SyncBackend):
    """A network on which public addresses lead to servers of this machine, and nothing else exists.

    It stands where the internet would be: the client still looks up, checks and pins a public address, and
    `connections` shows which addresses it really asked for, `streams` the connections it was given.
    """

    def __init__(self, servers: dict[tuple[str, int], tuple[str, int]]) -> None:
        self.servers = servers
        self.connections: list[tuple[str, int]] = []
        self.streams: list[httpcore.NetworkStream] = []

    def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        self.connections.append((host, port))
        if (host, port) not in self.servers:
            raise httpcore.ConnectError(f"no route to {host}")
        self.streams.append(super().connect_tcp(*self.servers[host, port], *args, **kwargs))
        return self.streams[-1]


@contextlib.contextmanager
def silent_port() -> Iterator[tuple[str, int]]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()


@contextlib.contextmanager
def closed_port() -> Iterator[tuple[str, int]]:
    """A port of 127.0.0.1 that refuses connections; it is held, so that nobody else opens it meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()


@functools.cache
def authority() -> ssl.SSLContext:
    """A client's TLS settings that trust the tests' authority and nothing else."""
    return ssl.create_default_context(cafile=str(TLS_FOLDER / "authority.pem"))
