"""What the builders and the checker leave, as rows and files: a generation, a report, a look at a page."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from PIL import Image, ImageDraw

from studio import assets
from studio.assets import Asset
from studio.database.connection import Database
from studio.rollbacks import ACTION, TITLE
from studio.settings import Settings
from studio.storage import storage_from_settings
from studio.text import sha256_hex

COMMIT = "3f9c1d27ab54e8806f1d2c3b4a59687700aa11bb"
BASE = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
DESCRIPTION = "A list of the tools in the hallway, who has borrowed which, and a button to bring one back."
TOPIC = "How often households rent or borrow power tools in European cities"
UNITTEST = """...F
======================================================================
FAIL: test_a_tool_that_is_out_cannot_be_borrowed (tests.test_app.Borrowing)
----------------------------------------------------------------------
AssertionError: 303 != 409
Ran 4 tests in 0.212s

FAILED (failures=1)
"""
QUOTE = "The European market for tool rental was worth €4.6 billion in 2025."
EVIDENCE: list[dict[str, Any]] = [
    {
        "check": "screenshot",
        "outcome": "passed",
        "summary": "The page answered with status 200 and shows 412 words.",
        "evidence": {"status": 200, "words": 412, "colours": 1832},
    },
    {
        "check": "mobile_responsive",
        "outcome": "failed",
        "summary": "At 375 pixels the page is 61 pixels too wide, because of table.prices.",
        "evidence": {"viewport_meta": True, "overflow_px": 61, "widest": "main > table.prices", "small_text": 0},
    },
    {
        "check": "meta_tags",
        "outcome": "passed",
        "summary": "Title, description and the tags for sharing are there.",
        "evidence": {"title": "Hallway: borrow a drill", "description": "Tools in your own house.", "lang": "en"},
    },
    {
        "check": "accessibility",
        "outcome": "failed",
        "summary": "axe found 1 serious violation.",
        "evidence": {
            "violations": [{"rule": "color-contrast", "impact": "serious", "targets": ["p.note", "footer a"]}]
        },
    },
    {
        "check": "web_vitals",
        "outcome": "passed",
        "summary": "Largest contentful paint 0.4 s, layout shift 0.00, measured on this machine.",
        "evidence": {"lcp_ms": 402, "cls": 0.0, "blocking_ms": 12},
    },
    {
        "check": "form_post",
        "outcome": "not applicable",
        "summary": "The page is not the studio's own, so nothing was sent to it.",
        "evidence": {},
    },
]


@cache
def picture(width: int, height: int, ink: str = "#1f4d3a") -> bytes:
    """Draw something that looks a little like a page; return a PNG."""
    drawn = Image.new("RGB", (width, height), "#f6f1e4")
    pen = ImageDraw.Draw(drawn)
    margin = width // 12
    pen.rectangle((margin, height // 14, width - margin, height // 14 + height // 16), fill=ink)
    for line in range(9):
        top = height // 5 + line * height // 20
        pen.rectangle((margin, top, width - margin * (2 + line % 3), top + height // 60), fill="#8b9a8f")
    pen.rectangle((margin, height * 3 // 4, margin + width // 4, height * 3 // 4 + height // 18), fill="#ffc93c")
    told = io.BytesIO()
    drawn.save(told, "PNG")
    return told.getvalue()


@dataclass
class Made:
    """The results of a project, which are left behind as by their jobs; without `files` only their rows."""

    db: Database
    settings: Settings
    project: UUID
    owner: str = "ada"
    files: bool = True
    description: str = DESCRIPTION
    topic: str = TOPIC
    url: str = "https://hallway.test/launch"
    evidence: list[dict[str, Any]] = field(default_factory=lambda: list(EVIDENCE))

    def job(self, job_type: str, payload: dict[str, Any], status: str = "completed", **columns: Any) -> UUID:
        """Insert a job in a status, as it is left behind."""
        values = {"attempts": 1, "last_error": None, "ago": timedelta(minutes=9), **columns}
        row = self.db.fetch_one(
            "insert into public.agent_jobs (project_id, job_type, agent_key, status, payload, idempotency_key, lane,"
            " attempts, last_error, created_at, started_at, completed_at) values (%(project)s, %(type)s, 'engineering',"
            " %(status)s, %(payload)s::jsonb, %(key)s, 'heavy', %(attempts)s, %(last_error)s, now() - %(ago)s,"
            " case when %(status)s <> 'queued' then now() - %(ago)s end,"
            " case when %(status)s in ('completed', 'failed', 'canceled') then now() - %(ago)s / 2 end) returning id",
            {
                "project": self.project,
                "type": job_type,
                "status": status,
                "payload": json.dumps({"projectId": str(self.project), **payload}),
                "key": f"{job_type}:{uuid4()}",
                **values,
            },
        )
        assert row is not None
        return UUID(str(row["id"]))

    def file(self, kind: str, name: str, data: bytes, mime: str, metadata: dict[str, Any] | None = None) -> Asset:
        """Store a file of the project."""
        path = f"{self.project}/results/{uuid4()}/{name}"
        if not self.files:
            row = self._row(
                "project_assets",
                {"kind": kind, "storage_path": path, "filename": name, "mime_type": mime, "status": "uploaded"},
            )
            return assets.get(self.db, row["id"])
        return assets.store(
            assets.writing(self.db),
            storage_from_settings(self.settings),
            self.project,
            phase=None,
            kind=kind,
            path=path,
            data=data,
            filename=name,
            mime_type=mime,
            metadata=metadata or {},
            created_by="test",
        )

    # --- code.generate_mvp

    def code_job(self, status: str = "queued", **columns: Any) -> UUID:
        """Leave the job of a generation without a result."""
        payload = {"ownerClerkId": self.owner, "description": self.description, "branch": "greenlight/mvp-v1"}
        return self.job("code.generate_mvp", payload, status, **columns)

    def code(self, **columns: Any) -> UUID:
        """Leave a generation that was pushed; return its job's id."""
        job = self.code_job("completed")
        values = {
            "description": self.description,
            "repository": "acme/hallway",
            "base_branch": "main",
            "base_commit": BASE,
            "branch": "greenlight/mvp-v1",
            "commit_sha": COMMIT,
            "pull_request_url": "https://github.com/acme/hallway/pull/12",
            "finished": True,
            "unfinished_reason": None,
            "summary": "A small web application that lists tools and who has them. Bringing one back is one button.",
            "files": [
                {"path": "app.py", "size": 9412, "sha256": "a" * 64, "status": "added", "executable": False},
                {"path": "bin/serve", "size": 212, "sha256": "b" * 64, "status": "added", "executable": True},
                {"path": "README.md", "size": 1804, "sha256": "c" * 64, "status": "modified", "executable": False},
                {"path": "old/index.html", "size": 0, "sha256": None, "status": "deleted", "executable": False},
            ],
            "left_out": [
                {"path": ".github/workflows/deploy.yml", "reason": "It would run with the repository's secrets."}
            ],
            "checks": [
                {"name": "build", "command": "make build", "outcome": "passed", "exit_code": 0, "seconds": 1.4,
                 "output": "Listing '.'...\n"},
                {"name": "test", "command": "make test", "outcome": "failed", "exit_code": 2, "seconds": 3.1,
                 "output": UNITTEST},
            ],
            "sandbox": "bubblewrap",
            "turns": 14,
            "cost_micros": 812_000,
        } | columns  # fmt: skip
        self._row("code_generations", {"job_id": job, **values})
        return job

    # --- research.generate_report

    def report_job(self, status: str = "queued", **columns: Any) -> UUID:
        """Leave the job of a report without a result."""
        payload = {"topic": self.topic, "format": "pdf", "maxSlides": 12}
        return self.job("research.generate_report", payload, status, **columns)

    def report(self, **columns: Any) -> UUID:
        """Leave a report with its claims and the pages they rest on; return its job's id."""
        job = self.report_job("completed")
        told = {"contradictions": [{"claims": [1, 2], "difference": "€4.6 billion against €3.9 billion in 2025."}]}
        made = self.file("report", "tool-rental.pdf", b"%PDF-1.7\n%%EOF\n", "application/pdf", told)
        values = {
            "topic": self.topic,
            "format": "pdf",
            "title": "Tool rental in European cities",
            "summary": "Renting is common and falling behind borrowing. Two figures of the market's size disagree.",
            "pages": 12,
            "asset_id": made.id,
            "nothing_found": False,
            "questions": 2,
            "claims_supported": 2,
            "claims_marked": 1,
            "claims_removed": 1,
            "contradictions": 1,
            "sources": 2,
            "cost_micros": 1_430_000,
        } | columns
        self._row("research_reports", {"job_id": job, **values})
        first, second = self.snapshot(job, "figures"), self.snapshot(job, "cities")
        size, habit = "How large is the market?", "How often does a household borrow?"
        self.claim(job, 1, size, "Tool rental in Europe was worth €4.6 billion in 2025.", QUOTE, first)
        self.claim(job, 2, size, "Another count puts it at €3.9 billion.", "some €3.9 billion in 2025", second)
        self.claim(
            job, 3, habit, "A household uses a drill for 13 minutes in its life.", "a drill is rarely used", second,
            outcome="marked", reason="The quote does not say 13 minutes.", confidence=30,
        )  # fmt: skip
        self.claim(
            job, 4, habit, "Everybody would rather borrow.", None, None,
            outcome="removed", reason="No page that was read says so.", confidence=0,
        )  # fmt: skip
        return job

    def snapshot(self, job: UUID, name: str) -> UUID:
        """Keep the text of a page that was retrieved."""
        text = f"Of {name}. {QUOTE} It is {uuid4()}."
        kept = self.file("page_snapshot", f"{name}.txt", text.encode(), "text/plain; charset=utf-8")
        values = {
            "job_id": job,
            "url": f"https://{name}.test/tools-2025",
            "title": f"Tools in {name}, 2025",
            "text_sha256": sha256_hex(text),
            "text_chars": len(text),
            "asset_id": kept.id,
            "retrieved_by": "web_fetch",
        }
        return UUID(str(self._row("page_snapshots", values)["id"]))

    def claim(
        self, job: UUID, number: int, question: str, statement: str, quote: str | None, source: UUID | None, *,
        outcome: str = "supported", reason: str | None = None, confidence: int = 88,
    ) -> None:  # fmt: skip
        """List a statement with what the checker made of it."""
        values = {
            "job_id": job,
            "claim_no": number,
            "question": question,
            "statement": statement,
            "quote": quote,
            "snapshot_id": source,
            "outcome": outcome,
            "reason": reason,
            "confidence": confidence,
        }
        self._row("report_claims", values)

    # --- browser.check_page

    def check_job(self, status: str = "queued", **columns: Any) -> UUID:
        """Leave the job of a page check without a result."""
        return self.job("browser.check_page", {"url": self.url, "checks": ["screenshot"]}, status, **columns)

    def check(self, **columns: Any) -> UUID:
        """Leave a look at a page with its pictures; return its job's id."""
        job = self.check_job("completed")
        self.row_of_check(job, **columns)
        return job

    def row_of_check(self, job: UUID, **columns: Any) -> None:
        """Leave what a job has seen."""
        desktop = self.file("page_picture", "desktop.png", picture(720, 1100), "image/png")
        mobile = self.file("page_picture", "mobile.png", picture(375, 1700), "image/png")
        differs = self.file("page_picture", "difference.png", picture(720, 450, "#9a2f17"), "image/png")
        difference = {
            "check": "visual_difference",
            "outcome": "failed",
            "summary": "7.2 % of the picture differs from the approved draft.",
            "evidence": {
                "differing_percent": 7.2,
                "allowed_percent": 1.0,
                "pictures": {"difference-desktop": {"asset_id": str(differs.id)}},
            },
        }
        values = {
            "url": self.url,
            "final_url": f"{self.url}/",
            "publication_no": 3,
            "passed": False,
            "results": [*self.evidence, difference],
            "desktop_asset_id": desktop.id,
            "mobile_asset_id": mobile.id,
        } | columns
        self._row("page_checks", {"job_id": job, **values})

    def rollback(self, job: UUID, publication_no: int = 3) -> UUID:
        """Let going back have been offered because of a look; return the approval's id."""
        payload = {
            "from": publication_no,
            "to": publication_no - 1,
            "failed": ["mobile_responsive"],
            "job_id": str(job),
        }
        row = self.db.fetch_one(
            "insert into public.approval_queue (project_id, phase, title, description, risk, type, action_type,"
            " payload) values (%s, 1, %s, 'd', 'medium', 'execution', %s, %s::jsonb) returning id",
            [self.project, TITLE, ACTION, json.dumps(payload)],
        )
        assert row is not None
        return UUID(str(row["id"]))

    def everything(self) -> dict[str, UUID]:
        """Leave one of each, with a look that has led to an offer to go back; return the jobs' ids."""
        check = self.check()
        self.rollback(check)
        return {"generation": self.code(), "report": self.report(), "check": check}

    def _row(self, table: str, values: dict[str, Any]) -> dict[str, Any]:
        whole = {"project_id": self.project, **values}
        told = {name: json.dumps(value) if isinstance(value, list) else value for name, value in whole.items()}
        names = ", ".join(whole)
        places = ", ".join(f"%({name})s" for name in whole)
        with self.db.connection() as conn:
            row = conn.execute(f"insert into public.{table} ({names}) values ({places}) returning *".encode(), told)
            made = row.fetchone()
        assert made is not None
        return made
