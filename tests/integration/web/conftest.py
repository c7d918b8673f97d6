"""A studio that is served on loopback, and somebody who visits it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from studio import pages
from studio.database.connection import Database
from tests.support.mail import as_sent
from tests.support.rows import make_owner
from tests.support.web import WebThread

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PAGE = """<!doctype html>
<html lang="en"><head><title>Wheels &amp; Bread</title><style>[data-consent]{color:#333}</style></head>
<body><h1>Bread by bicycle – frisch</h1>
<form data-waitlist="" method="post" action="/api/waitlist"><input type="email" name="email">
<p data-consent="">By joining you ask for mail about Wheels &amp; Bread.</p><button>Join</button></form></body></html>
"""


class Town:
    """A running site with what tests ask about it."""

    def __init__(self, web: WebThread) -> None:
        self.web = web
        self.db: Database = web.database
        # A browser that follows nothing by itself; without authorities, whose loading takes longer than all else.
        self.http = httpx.Client(base_url=web.url, verify=False, headers={"User-Agent": FIREFOX})

    def project(self, owner: str = "ada", *, html: str | None = PAGE, name: str = "Wheels & Bread") -> UUID:
        """Make a project; its page is published unless `html` is None."""
        with self.db.transaction() as conn:
            project = UUID(str(make_owner(conn, owner).project_id))
            conn.execute("update projects set name = %s where id = %s", [name, project])
        if html is not None:
            self.publish(project, html)
        return project

    def publish(self, project: UUID, html: str) -> None:
        with self.db.transaction() as conn:
            pages.publish(
                conn,
                project,
                asset_id=None,
                content_hash=hashlib.sha256(html.encode()).hexdigest(),
                html=html,
                approval_id=None,
                base_url=self.web.url,
            )

    def join(self, project: UUID, email: str = "ann@example.org", **said: Any) -> httpx.Response:
        return self.http.post("/api/waitlist", json={"email": email, "project_id": str(project), **said})

    def letters(self, email: str = "ann@example.org") -> list[dict[str, Any]]:
        """The mails queued for an address, oldest first."""
        return self.db.fetch_all("select * from email_jobs where to_email = %s order by created_at, id", [email])

    def confirm_path(self, email: str = "ann@example.org") -> str:
        """Where the newest letter to an address leads."""
        asked = [letter for letter in self.letters(email) if letter["category"] == "waitlist"]
        text = as_sent(self.web.settings, asked[-1]).text_body
        found = re.search(r"https?://[^/\s]+(/waitlist/confirm/\S+)", text or "")
        assert found is not None
        return found[1]

    def signup(self, project: UUID, email: str = "ann@example.org") -> dict[str, Any]:
        row = self.db.fetch_one("select * from waitlist_signups where project_id = %s and email = %s", [project, email])
        assert row is not None
        return row

    def count(self, name: str, project: UUID) -> int:
        """How many analytics events of a name a project has."""
        row = self.db.fetch_one(
            "select count(*) as n from project_analytics_events where event_name = %s and project_id = %s",
            [name, project],
        )
        assert row is not None
        return int(row["n"])


@pytest.fixture
def town(database: Database, tmp_path: Path) -> Iterator[Town]:
    with WebThread(database, tmp_path / "data") as web:
        town = Town(web)
        yield town
        town.http.close()
