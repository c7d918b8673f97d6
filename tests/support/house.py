"""A house behind one door: Caddy with our file, before the studio's own servers and Dagster's web server."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from studio import pages, sign_in
from studio.database.connection import Database
from tests.support import caddy
from tests.support.caddy import Caddy
from tests.support.waiting import eventually
from tests.support.web import StudioThread

PAGE = "<!doctype html><title>Wheels</title><p>Bread by bicycle"
SESSION = "__Host-greenlight_session"


@dataclass
class House:
    """Everything behind one proxy."""

    caddy: Caddy
    db: Database
    studio: StudioThread
    ui_home: Path

    def session(self, owner: str = "ada") -> dict[str, str]:
        """Sign `owner` in through the proxy; return the header with the session's cookie."""
        path = f"/sign-in/{sign_in.make_link_token(self.db, owner)}"
        answer = self.caddy.ask(self.caddy.studio_url, path, method="POST", headers={"Origin": self.caddy.studio_url})
        assert answer.status == 303
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{SESSION}=")
        assert "Secure" in cookie
        return {"Cookie": cookie.partition(";")[0]}

    def project(self, owner: str = "ada") -> UUID:
        with self.db.transaction() as conn:
            conn.execute("insert into users (clerk_id) values (%s) on conflict do nothing", [owner])
            row = conn.execute(
                "insert into projects (owner_clerk_id, user_id, name, idea_description)"
                " select clerk_id, id, 'Wheels', 'Bread by bicycle' from users where clerk_id = %s returning id",
                [owner],
            ).fetchone()
            assert row is not None
            project = UUID(str(row["id"]))
            digest = hashlib.sha256(PAGE.encode()).hexdigest()
            pages.publish(
                conn,
                project,
                asset_id=None,
                content_hash=digest,
                html=PAGE,
                approval_id=None,
                by=owner,
                base_url=self.caddy.pages_url,
            )
        return project

    def dagster(self, path: str = "/server_info", **more: Any) -> caddy.Answer:
        return self.caddy.ask(self.caddy.dagster_url, path, **more)

    def nux_seen(self) -> bool:
        """Whether Dagster has carried out the mutation of these tests."""
        return any(self.ui_home.rglob("nux.yaml"))


@contextlib.contextmanager
def dagster_ui(folder: Path, port: int) -> Iterator[Path]:
    """Run Dagster's own web server, without any code."""
    folder.mkdir()
    environment = {**os.environ, "DAGSTER_HOME": str(folder), "DAGSTER_DISABLE_TELEMETRY": "yes", "HOME": str(folder)}
    command = [sys.executable, "-m", "dagster_webserver", "--empty-workspace", "--host", "127.0.0.1", "-p", str(port)]
    with (folder / "ui.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)

    def answers() -> bool:
        assert process.poll() is None, (folder / "ui.log").read_text()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.suppress(OSError), contextlib.closing(connection):
            connection.request("GET", "/server_info")
            return connection.getresponse().status == 200
        return False

    try:
        eventually(answers, 120, "the Dagster UI")
        yield folder
    finally:
        process.terminate()
        process.wait(30)
