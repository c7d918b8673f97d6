"""A studio that is served on loopback, and somebody who visits it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from studio import links, pages
from studio.database.connection import Database
from tests.support.mail import as_sent
from tests.support.postgres import TestServer
from tests.support.rows import make_owner
from tests.support.web import WebThread

ANN = "ann@example.org"
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

    def join(self, project: UUID, email: str = ANN, **said: Any) -> httpx.Response:
        return self.http.post("/api/waitlist", json={"email": email, "project_id": str(project), **said})

    def letters(self, email: str = ANN) -> list[dict[str, Any]]:
        """The mails queued for an address, oldest first."""
        return self.db.fetch_all("select * from email_jobs where to_email = %s order by created_at, id", [email])

    def confirm_path(self, email: str = ANN) -> str:
        """Where the newest letter to an address leads."""
        asked = [letter for letter in self.letters(email) if letter["category"] == "waitlist"]
        text = as_sent(self.web.settings, asked[-1]).text_body
        found = re.search(r"https?://[^/\s]+(/waitlist/confirm/\S+)", text or "")
        assert found is not None
        return found[1]

    def unsubscribe_path(self, project: UUID, email: str = ANN) -> str:
        """Where the link leads that ends a project's mail to an address."""
        return links.unsubscribe_url(self.web.settings, project, email).removeprefix(self.web.url)

    def signup(self, project: UUID, email: str = ANN) -> dict[str, Any]:
        row = self.db.fetch_one("select * from waitlist_signups where project_id = %s and email = %s", [project, email])
        assert row is not None
        return row

    def events(self, project: UUID) -> list[str]:
        """What a project's ledger says of its waitlist, oldest first."""
        rows = self.db.fetch_all(
            "select event_type from project_events where project_id = %s and event_type like 'waitlist.%%'"
            " order by created_at, id",
            [project],
        )
        return [row["event_type"] for row in rows]

    def count(self, name: str, project: UUID) -> int:
        """How many analytics events of a name a project has."""
        row = self.db.fetch_one(
            "select count(*) as n from project_analytics_events where event_name = %s and project_id = %s",
            [name, project],
        )
        assert row is not None
        return int(row["n"])


@pytest.fixture(scope="module")
def endings() -> Iterator[Callable[[ExitStack], None]]:
    """Ends what a test leaves beside the next tests: a server takes two tenths of a second to end."""
    with ThreadPoolExecutor() as pool:
        under_way: list[Future[None]] = []
        yield lambda stack: under_way.append(pool.submit(stack.close))
        for ending in under_way:
            ending.result()


@pytest.fixture
def stack(endings: Callable[[ExitStack], None]) -> Iterator[ExitStack]:
    """What the test opens; it is closed in the reverse order after the test, and nobody waits for it."""
    stack = ExitStack()
    yield stack
    endings(stack)


@pytest.fixture
def database_url(postgres: TestServer, database_template: str, stack: ExitStack) -> str:
    """The URL of a freshly migrated database that only this test uses."""
    return postgres.url(stack.enter_context(postgres.temporary(database_template)))


@pytest.fixture
def database(database_url: str, stack: ExitStack) -> Database:
    """A freshly migrated database that only this test uses."""
    return stack.enter_context(Database(database_url))


@pytest.fixture
def town(database: Database, stack: ExitStack, tmp_path: Path) -> Iterator[Town]:
    town = Town(stack.enter_context(WebThread(database, tmp_path / "data")))
    yield town
    town.http.close()
