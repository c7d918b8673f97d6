"""The sandbox model for tests: the real server on a free loopback port, in a thread or as its own process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import anthropic
import httpx

from studio.listening import listening_socket
from studio.sandbox.journal import Journal
from studio.sandbox.routes import Sandbox
from studio.sandbox.search import Corpus
from studio.sandbox.server import SandboxServer

DEADLINE_SECONDS = 20.0


class SandboxClient:
    """What a test does with a running sandbox: `url`, `fault(…)`, `requests()`, `client(…)`."""

    url: str

    def client(self, **options: Any) -> anthropic.Anthropic:
        """Return the real SDK client for this server; retries are off unless asked for."""
        return anthropic.Anthropic(base_url=self.url, **{"api_key": "test", "max_retries": 0, **options})

    def async_client(self, **options: Any) -> anthropic.AsyncAnthropic:
        """Return the real asynchronous SDK client for this server; retries are off unless asked for."""
        return anthropic.AsyncAnthropic(base_url=self.url, **{"api_key": "test", "max_retries": 0, **options})

    def fault(self, kind: str, **fields: Any) -> None:
        """Order one fault for the next request that matches, e.g. `fault("status", status=529, times=2)`."""
        self.faults([{"kind": kind, **fields}])

    def faults(self, ordered: list[dict[str, Any]]) -> None:
        """Order several faults; they befall matching requests in this order."""
        self._http("POST", "faults", json=ordered)

    def requests(self, *, title: str | None = None) -> list[dict[str, Any]]:
        """Return the record of requests, oldest first; of one schema title where `title` is given."""
        answer = self._http("GET", "requests").json()
        return [entry for entry in answer["requests"] if title in (None, entry["schema_title"])]

    def clear(self) -> None:
        """Forget the record and all waiting faults."""
        self._http("DELETE", "requests")
        self._http("DELETE", "faults")

    def _http(self, method: str, path: str, **options: Any) -> httpx.Response:
        # Without a list of authorities, whose loading takes longer than all else; the address is plain http.
        return httpx.request(method, f"{self.url}/sandbox/{path}", verify=False, **options).raise_for_status()


class SandboxThread(SandboxClient):
    """The server in a thread of the test process: starts in milliseconds. A context manager."""

    def __init__(
        self, *, corpus: Path | None = None, chunk_delay_ms: float = 0.0, listener: socket.socket | None = None
    ) -> None:
        self._sandbox = Sandbox(Corpus.load(corpus), chunk_delay_ms=chunk_delay_ms)
        self._server = SandboxServer(self._sandbox)
        # The socket listens from here on: whoever connects early waits in its backlog.
        self._socket = listener or listening_socket("127.0.0.1", 0)
        host, port = self._socket.getsockname()
        self.url = f"http://{host}:{port}"
        self._thread = threading.Thread(target=self._run, name="sandbox-model", daemon=True)

    @property
    def journal(self) -> Journal:
        """The record of requests itself, for who cannot reach the server."""
        return self._sandbox.journal

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    def __enter__(self) -> SandboxThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._thread.join(DEADLINE_SECONDS)
        self._socket.close()
        if self._thread.is_alive():
            raise TimeoutError("the sandbox server did not stop")


class SandboxProcess(SandboxClient):
    """The server as `python -m studio.sandbox`. A context manager."""

    def __init__(self, folder: Path, *, arguments: tuple[str, ...] = ()) -> None:
        self._port_file = folder / "sandbox.port"
        command = [sys.executable, "-m", "studio.sandbox", "--port", "0", "--port-file", str(self._port_file)]
        self._command = [*command, *arguments]
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> SandboxProcess:
        self.process = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True, env={**os.environ})
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not self._port_file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError(f"the sandbox did not start: {self.process.communicate()[1]}")
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self._port_file.read_text().strip()}"
        return self

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float, str]:
        """Send a signal; return the exit code, how many seconds the end took, and what was logged."""
        assert self.process is not None
        started = time.monotonic()
        self.process.send_signal(number)
        _, log = self.process.communicate(timeout=DEADLINE_SECONDS)
        return self.process.returncode, time.monotonic() - started, log

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def answering(sandbox: SandboxThread, *texts: str) -> None:
    """Let the next requests be answered by these texts, in order."""
    sandbox.faults([{"kind": "text", "text": text} for text in texts])
