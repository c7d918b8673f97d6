"""A model that tells when: `python -m benchmarks.clocked_model` answers each question with readings of the clock.

It says its port on the first line of its output. Each piece of text is the moment at which it was written, the first
one also that at which the request had arrived, in nanoseconds of the monotonic clock, which all processes share.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from studio.sandbox.sse import Event

PIECES = 25
# Models are slower; but a reader that is kept waiting falls behind.
PAUSE_SECONDS = 0.004


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # What is written leaves at once, as from a model's own server.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        arrived = time.monotonic_ns()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        usage = {"input_tokens": 10, "output_tokens": 1}
        message = {"id": "msg_clock", "type": "message", "role": "assistant", "model": "clock", "content": []}
        self._send("message_start", message={**message, "stop_reason": None, "stop_sequence": None, "usage": usage})
        self._send("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for piece in range(PIECES):
            time.sleep(PAUSE_SECONDS)
            told = f"{arrived} " if piece == 0 else ""
            delta = {"type": "text_delta", "text": f"{told}{time.monotonic_ns()} "}
            self._send("content_block_delta", index=0, delta=delta)
        self._send("content_block_stop", index=0)
        self._send("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage=usage)
        self._send("message_stop")
        self.wfile.write(b"0\r\n\r\n")

    def _send(self, name: str, **data: Any) -> None:
        line = Event(name, {"type": name, **data}).encode()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Run one in a process of its own, and lend its address."""
    with subprocess.Popen([sys.executable, "-m", "benchmarks.clocked_model"], stdout=subprocess.PIPE, text=True) as it:
        try:
            yield f"http://127.0.0.1:{it.stdout.readline().strip() if it.stdout else ''}"
        finally:
            it.terminate()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
