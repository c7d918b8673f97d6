"""A document of ours where a browser behind the guard finds it: on loopback, for as long as it is looked at.

Over Playwright's own channel a megabyte takes seconds; a document with the fonts of every script has thirty.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from studio.egress import no_network, with_own_origins
from studio.egress.connection import Resolve

# Reserved (RFC 2606): no such name exists, so whatever leads there leads here.
_HOST = "document.invalid"
_POLL_SECONDS = 0.02
_SOCKET_SECONDS = 30.0


@dataclass(frozen=True)
class Served:
    """`url` is the document's; `resolve` leads to it, and nowhere else."""

    url: str
    resolve: Resolve


@contextlib.contextmanager
def served(html: str, files: Mapping[str, tuple[str, bytes]] | None = None) -> Iterator[Served]:
    """Serve `html`, and `files` beside it (relative address → media type and bytes), until the end."""
    # Loopback is open to every user of the machine: who does not know the address gets nothing.
    folder = f"/{secrets.token_urlsafe(24)}/"
    answers = {folder: ("text/html; charset=utf-8", html.encode())}
    answers |= {folder + name: answer for name, answer in (files or {}).items()}
    server = _Server(("127.0.0.1", 0), _Request)
    server.answers = answers
    port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), name="document", daemon=True)
    thread.start()
    try:
        yield Served(f"http://{_HOST}{folder}", with_own_origins(no_network, {(_HOST, 80): ("127.0.0.1", port)}))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    answers: Mapping[str, tuple[str, bytes]]
    # A browser that is killed leaves connections behind; nobody waits for them.
    block_on_close = False


class _Request(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SOCKET_SECONDS

    def do_GET(self) -> None:
        """Answer with the document, or one of its files."""
        answer = self.server.answers.get(self.path)
        if answer is None:
            self.send_error(404)
            return
        media_type, data = answer
        with contextlib.suppress(ConnectionError):
            self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
