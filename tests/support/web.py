"""The web application for tests: the real server on a free loopback port, in a thread."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import httpx

from studio import sign_in
from studio.database.connection import Database
from studio.listening import listening_socket
from studio.settings import Settings
from web.__main__ import Application, server_of

DEADLINE_SECONDS = 20.0
LINK_SECRET = "a secret for links, of a test"


def web_settings(folder: Path, **values: object) -> Settings:
    """Return settings with what public pages need."""
    return Settings.model_validate({"data_dir": folder, "link_secret": LINK_SECRET, **values})


class WebThread:
    """The public server in a thread of the test process, on `url`; `settings` name that as the address of pages."""

    application: Application = "public"
    host = "127.0.0.1"
    setting = "pages_base_url"

    def __init__(self, database: Database, folder: Path, **values: object) -> None:
        # The socket listens from here on: whoever connects early waits in its backlog.
        self._socket = listening_socket("127.0.0.1", 0)
        self.url = f"http://{self.host}:{self._socket.getsockname()[1]}"
        self.settings = web_settings(folder, **{self.setting: self.url, **values})
        self.database = database
        self._server = server_of(self.application, self.settings, database)
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._server.server_state.connections)

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    def __enter__(self) -> WebThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._thread.join(DEADLINE_SECONDS)
        self._socket.close()
        if self._thread.is_alive():
            raise TimeoutError("the web server did not stop")


class StudioThread(WebThread):
    """The studio's own server in a thread; `sign_in` gives a client that has signed in by a link."""

    application: Application = "studio"
    host = "localhost"
    setting = "app_base_url"

    def sign_in(self, owner: str = "ada") -> httpx.Client:
        """Return a client with the session of `owner`, which says as a browser does where its requests come from."""
        token = sign_in.make_link_token(self.database, owner)
        client = httpx.Client(base_url=self.url, verify=False, headers={"Origin": self.url}, timeout=30)
        assert client.post(f"/sign-in/{token}").status_code == 303
        return client

    def stranger(self) -> httpx.Client:
        """Return a client that has not signed in."""
        return httpx.Client(base_url=self.url, verify=False, headers={"Origin": self.url}, timeout=30)
