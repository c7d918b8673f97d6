"""Caddy with `deploy/Caddyfile` on free loopback ports, and clients that reach it under the names it serves."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.paths import ROOT
from tests.support.waiting import eventually

PROGRAM = shutil.which("caddy")
STUDIO, PAGES = "studio.localhost", "pages.localhost"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
# No test comes near it while things go well.
SECONDS = 30.0


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [sock.getsockname()[1] for sock in sockets]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Caddy:
    """A running proxy; `certificates` is where it keeps its authority. Ports are known before it runs."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        self.http_port, self.https_port, self.dagster_port = ports
        self.studio_url = f"https://{STUDIO}:{self.https_port}"
        self.pages_url = f"https://{PAGES}:{self.https_port}"
        self.dagster_url = f"https://{STUDIO}:{self.dagster_port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / "caddy.log"

    def start(self, *, studio: int, pages: int, dagster: int) -> None:
        """Start it before these loopback ports, and wait until it serves."""
        assert PROGRAM is not None
        storage = self._folder / "caddy"
        told = f"http_port {self.http_port}\nhttps_port {self.https_port}\nskip_install_trust\n"
        variables = {
            "CADDY_GLOBAL": f"{told}storage file_system {storage}\ndefault_bind 127.0.0.1",
            "CADDY_TLS": "tls internal",
            "STUDIO_HOST": STUDIO,
            "PAGES_HOST": PAGES,
            "DAGSTER_PORT": str(self.dagster_port),
            "STUDIO_UPSTREAM": f"127.0.0.1:{studio}",
            "PAGES_UPSTREAM": f"127.0.0.1:{pages}",
            "DAGSTER_UPSTREAM": f"127.0.0.1:{dagster}",
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "run", "--config", str(ROOT / "deploy" / "Caddyfile"), "--adapter", "caddyfile"],
                env={"PATH": os.environ["PATH"], "HOME": str(self._folder), **variables},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        authority = storage / "pki" / "authorities" / "local" / "root.crt"
        self._context: ssl.SSLContext | None = None

        def serves() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, self.output()
            if not authority.exists():
                return False
            try:
                self._context = ssl.create_default_context(cafile=str(authority))
                for host, port in ((STUDIO, self.https_port), (PAGES, self.https_port), (STUDIO, self.dagster_port)):
                    self.connect(host, port).close()
            except OSError:
                return False
            return True

        eventually(serves, SECONDS, "a proxy that serves all three")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(SECONDS)

    def output(self) -> str:
        """Return what it has logged."""
        return self.log.read_text(errors="replace")

    def connect(self, host: str, port: int, source: str = "127.0.0.1") -> ssl.SSLSocket:
        """Connect to a site with its certificate checked, from a loopback address."""
        assert self._context is not None
        plain = socket.create_connection(("127.0.0.1", port), SECONDS, source_address=(source, 0))
        return self._context.wrap_socket(plain, server_hostname=host)

    @contextlib.contextmanager
    def opened(
        self, url: str, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, **more: Any
    ) -> Iterator[http.client.HTTPResponse]:
        """Lend the answer of a request, whose body has not been read yet."""
        authority = url.removeprefix("https://")
        host, _, port = authority.partition(":")
        connection = http.client.HTTPSConnection(host, int(port), timeout=SECONDS)
        connection.sock = self.connect(host, int(port), more.pop("source", "127.0.0.1"))
        try:
            connection.request(method, path, more.pop("body", None), {"User-Agent": FIREFOX, **(headers or {})})
            yield connection.getresponse()
        finally:
            connection.close()

    def ask(self, url: str, path: str, **more: Any) -> Answer:
        """Return the whole answer of a request."""
        with self.opened(url, path, **more) as answer:
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers, answer.read())
