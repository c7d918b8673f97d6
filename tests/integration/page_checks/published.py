"""A project whose page is published on a running public server, and checks of it under a claim."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import httpx

from studio import assets, pages, queue
from studio.claims import Claim
from studio.database.connection import Database
from studio.job_types import JOB_TYPES, BrowserPayload, CheckName, parse_payload
from studio.landing.document import consent_text, prepare
from studio.outbound import OutboundClient
from studio.page_checks import asking
from studio.page_checks.limits import Limits
from studio.page_checks.work import PageCheck
from studio.pages import PublishedPage
from studio.sandbox.landing.compose import page as drawn
from studio.storage import storage_from_settings
from tests.support.landing import landing_facts, sandbox_facts
from tests.support.model import Recorder
from tests.support.queue import LEASE, make_project
from tests.support.web import WebThread

NAME = "Hallway"
SOURCE = drawn(sandbox_facts(landing_facts("tools"), "swiss"))


class Published:
    """A project with a page; `visits` is what a browser of a person would ask for."""

    def __init__(self, web: WebThread) -> None:
        self.web = web
        self.db: Database = web.database
        self.storage = storage_from_settings(web.settings)
        self.id = make_project(self.db, name=NAME)
        self.html = prepare(SOURCE, project_id=self.id, consent=consent_text(NAME, "en"))
        self.http = httpx.Client(base_url=web.url, verify=False)

    def close(self) -> None:
        self.http.close()

    def publish(self, html: str | None = None, *, approved: str | None = None) -> PublishedPage:
        """Publish `html`, by default the project's page; the draft that its publication pins is `approved`, or it."""
        html = self.html if html is None else html
        draft = (approved or html).encode()
        kept = assets.store(
            assets.writing(self.db),
            self.storage,
            self.id,
            phase=1,
            kind="landing_html",
            path=f"{self.id}/landing/{hashlib.sha256(draft).hexdigest()}.html",
            data=draft,
            filename="landing.html",
            mime_type="text/html",
            metadata={},
            created_by="design",
        )
        with self.db.transaction() as conn:
            return pages.publish(
                conn,
                self.id,
                asset_id=kept.id,
                content_hash=hashlib.sha256(html.encode()).hexdigest(),
                html=html,
                approval_id=None,
                base_url=self.web.url,
            )

    def asked(self, page: PublishedPage | None = None, *checks: CheckName) -> Claim:
        """Ask for a check of a publication, or of somebody else's page, and claim its job."""
        with self.db.transaction() as conn:
            made = asking.ask(
                conn,
                self.id,
                page.live_url if page is not None else "https://example.org/",
                checks=checks or None,
                publication_no=page.publication_no if page is not None else None,
                occasion="now",
            )
        return self.claim(made.job_id)

    def claim(self, job_id: UUID) -> Claim:
        with self.db.transaction() as conn:
            row = conn.execute(
                "select * from public.claim_agent_job(%s, 'worker', %s, 'run')", [job_id, LEASE]
            ).fetchone()
        assert row is not None
        return Claim(self.db, queue.job_from_row(row))

    def check(self, claim: Claim, limits: Limits) -> PageCheck:
        payload = parse_payload(JOB_TYPES["browser.check_page"], self.id, claim.job.payload)
        assert isinstance(payload, BrowserPayload)
        return PageCheck(
            claim=claim,
            payload=payload,
            settings=self.web.settings,
            outbound=OutboundClient,
            storage=lambda: self.storage,
            progress=Recorder(),
            limits=limits,
        )

    def one(self, statement: str, *values: Any) -> Any:
        """Return the one value that a statement gives."""
        row = self.db.fetch_one(statement, list(values))
        assert row is not None
        return next(iter(row.values()))

    def counts(self) -> dict[str, int]:
        """How often the project's visitors have left something."""
        return {
            "signups": self.one("select count(*) from waitlist_signups where project_id = %s", self.id),
            "checks": self.one("select count(*) from waitlist_checks where project_id = %s", self.id),
            "mails": self.one("select count(*) from email_jobs where project_id = %s", self.id),
            "figures": self.one("select count(*) from project_analytics_events where project_id = %s", self.id),
            "visits": self.one("select count(*) from page_visits"),
            "slots": self.one("select count(*) from request_counts"),
        }


NOBODY = {"signups": 0, "checks": 0, "mails": 0, "figures": 0, "visits": 0, "slots": 0}
