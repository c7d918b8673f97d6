"""A project's whole way on a stack of its own: each decision is shown, and given at the prompt.

Nothing is done around the studio: decisions go through `studio.decisions`, work through the queue, and the visitor
joins the waitlist of the published page over HTTP and confirms with the link of the mail that came.
"""

from __future__ import annotations

import email
import email.policy
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import typer
from rich.rule import Rule
from rich.text import Text

from greenlight_dagster.cli.approval_view import panel
from greenlight_dagster.cli.output import out
from greenlight_dagster.cli.tailing import follow_job
from studio import approvals, builders, decisions, launch, permissions, projects, queue
from studio.approvals import Approval
from studio.database.connection import Database
from studio.decisions import DecisionKind
from studio.errors import StudioError
from studio.job_types import SYSTEM_PROJECT_ID
from studio.mail.folder import FOLDER as OUTBOX
from studio.packets import versions
from studio.queue import NewJob
from studio.settings import Settings

FOUNDER = "founder@example.org"
VISITOR = "visitor@example.org"
PHASES = {0: "pitch", 1: "validate", 2: "distribute", 3: "go live"}
LIVE = 4
# Enough to show each kind of slide.
SLIDES = 6
# All that a stack without anybody's accounts can really do: ads, repositories and deployments need one.
PERMISSIONS = {"email_send": True}
# The page first: whoever is written to has come through it.
FIRST = "deploy_landing_page"

_CONFIRM = re.compile(r"https?://[^\s<>\"]+/waitlist/confirm/[^\s<>\"]+")
HTTP_SECONDS = 20.0
# A confirmation is on its way within some ten seconds; a busy machine takes longer.
MAIL_SECONDS = 90.0
LOOK_SECONDS = 0.25
_ANSWERS: dict[str, DecisionKind] = {"a": "approved", "d": "denied", "r": "revised"}


class Stuck(StudioError):
    """A step of the journey did not end as it should."""


@dataclass
class Journey:
    """One project on its way. With `ask` the person at the terminal decides; else the prompt answers itself."""

    db: Database
    settings: Settings
    folder: Path
    web: str
    ask: bool
    project_id: UUID | None = None
    decided: Counter[str] = field(default_factory=Counter)
    lacking: list[str] = field(default_factory=list)

    def travel(self, idea: str, domain: str | None) -> UUID:
        """Create the project, take it as far as the decisions let it go, and return its id; raise `Stuck`."""
        project_id = self.project_id = self._create(idea, domain)
        with self.db.transaction() as conn:
            job_id: UUID | None = launch.launch(conn, project_id).job_id
        for phase, name in PHASES.items():
            if job_id is None:
                break
            self._follow(job_id, f"Phase {phase}: {name}")
            job_id = self._decide_phase(project_id, phase)
        self._send_due_mail(project_id)
        if projects.get(self.db, project_id).phase == LIVE:
            self._build(project_id)
        return project_id

    # --- what is built beside the packets

    def _build(self, project_id: UUID) -> None:
        """Have the product written and a report made; what this machine lacks something for is said, and no failure."""
        with self.db.transaction() as conn:
            code = builders.ask_code(conn, project_id, _request(self.db, project_id)).job_id
            report = builders.ask_report(conn, project_id, _topic(self.db, project_id), max_slides=SLIDES).job_id
        self._attempt(code, "The first version")
        self._attempt(report, "A report")

    def _attempt(self, job_id: UUID, title: str) -> None:
        """Follow a job whose failure ends nothing."""
        try:
            self._follow(job_id, title)
        except Stuck as exc:
            self.lacking.append(exc.message)
            out.print(exc.message, style="yellow", highlight=False, soft_wrap=True, markup=False)

    def _check_page(self, project_id: UUID) -> None:
        """Follow the check that every publication brings."""
        for job in queue.find(self.db, project_id=project_id):
            if job.job_type == builders.CHECK:
                self._attempt(job.id, "The published page is checked")

    def _create(self, idea: str, domain: str | None) -> UUID:
        with self.db.transaction() as conn:
            project_id = projects.create(
                conn,
                self.settings,
                owner_clerk_id=self.settings.owner_clerk_id,
                idea=idea,
                domain=domain,
                email=FOUNDER,
            )
        owner = self.settings.owner_clerk_id
        permissions.change_limits(self.db, project_id, owner, permissions=PERMISSIONS, reason="The demo sends mail.")
        return project_id

    # --- decisions

    def _decide_phase(self, project_id: UUID, phase: int) -> UUID | None:
        """Decide all that a phase asks, its gate last; return the job that goes on from there."""
        while True:
            waiting = approvals.find(self.db, project_id=project_id, status="pending")
            actions = sorted(
                (a for a in waiting if not a.is_gate), key=lambda a: (a.action_type != FIRST, a.created_at)
            )
            if not actions:
                break
            self._decide_action(actions[0])
        gate = next((a for a in waiting if a.is_gate and a.phase == phase), None)
        if gate is None:
            raise Stuck(f"Phase {phase} has opened no gate.", "See `greenlight jobs list`.")
        decision = self._decide(gate)
        if decision.status == "revised" and decision.job_id is not None:
            self._follow(decision.job_id, f"Phase {phase}: {PHASES[phase]}, revised")
            return self._decide_phase(project_id, phase)
        return decision.job_id

    def _decide_action(self, approval: Approval) -> None:
        decision = self._decide(approval)
        if decision.job_id is None:
            return
        self._follow(decision.job_id, approval.title)
        if decision.status != "approved":
            return
        if approval.action_type == FIRST:
            self._visit(approval.project_id)
            self._check_page(approval.project_id)
        else:
            self._send_due_mail(approval.id)

    def _decide(self, approval: Approval) -> decisions.Decision:
        out.print(panel(self.db, approval))
        answer, guidance = self._answer(approval)
        decision = decisions.decide(
            self.db,
            approval.id,
            answer,
            version=approval.version,
            decided_by=self.settings.owner_clerk_id,
            guidance=guidance,
        )
        self.decided[decision.status] += 1
        return decision

    def _answer(self, approval: Approval) -> tuple[DecisionKind, str | None]:
        question = f"{approval.title}: approve, deny or revise? [a/d/r]"
        if not self.ask:
            out.print(Text.assemble((f"{question} ", "bold"), ("a", "green"), ("   (given by the demo)", "dim")))
            return "approved", None
        # No answer is no yes: what a stray Enter approves may be sent to people.
        while (given := typer.prompt(question, default="", show_default=False).strip().lower()[:1]) not in _ANSWERS:
            out.print("Answer a, d or r.")
        answer = _ANSWERS[given]
        return answer, _guidance() if answer == "revised" else None

    # --- work

    def _follow(self, job_id: UUID, title: str) -> None:
        out.print(Rule(title, style="dim"))
        follow_job(self.db, job_id, settings=self.settings)
        job = queue.get(self.db, job_id)
        if job.status != "completed":
            raise Stuck(
                f"{title} is {job.status}: {job.last_error or 'no reason given'}",
                f"See `greenlight jobs show {job_id}`.",
            )

    def _send_due_mail(self, occasion: UUID) -> None:
        new = NewJob("email.process_due", SYSTEM_PROJECT_ID, key=f"email_due:demo:{occasion}")
        with self.db.transaction() as conn:
            job_id = queue.enqueue(conn, new).job_id
        self._follow(job_id, "Due mail")

    # --- the visitor

    def _visit(self, project_id: UUID) -> None:
        """Do what a visitor does: open the page, join the waitlist, and confirm by the mail that comes."""
        live = projects.get(self.db, project_id).live_url
        if live is None:
            raise Stuck("The page was approved, but it is not published.", "See `greenlight jobs list`.")
        out.print(Rule("A visitor comes", style="dim"))
        with httpx.Client(base_url=self.web, timeout=HTTP_SECONDS, headers={"User-Agent": "Mozilla/5.0 (demo)"}) as web:
            self._expect(web.get(f"/launch/{project_id}"), "The published page")
            out.print(f"The page is live at {live}", highlight=False, soft_wrap=True)
            form = {"email": VISITOR, "name": "Vera Visitor", "project_id": str(project_id)}
            self._expect(web.post("/api/waitlist", data=form), "Joining the waitlist")
            out.print(f"{VISITOR} has joined the waitlist; waiting for the mail that asks whether it is meant.")
            link = urlsplit(self._confirmation())
            self._expect(web.get(link.path), "The link of the mail")
            self._expect(web.post(link.path), "Confirming the address")
        out.print(f"{VISITOR} has confirmed the address.")

    def _confirmation(self) -> str:
        deadline = time.monotonic() + MAIL_SECONDS
        while time.monotonic() < deadline:
            for file in sorted((self.folder / OUTBOX).glob("*.eml")):
                message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
                body = message.get_body(("plain",))
                if VISITOR in str(message["To"]) and body and (found := _CONFIRM.search(body.get_content())):
                    return found.group()
            time.sleep(LOOK_SECONDS)
        raise Stuck(f"No mail has come to {VISITOR} for {MAIL_SECONDS:g} s.", "See `greenlight outbox list`.")

    def _expect(self, answer: httpx.Response, what: str) -> None:
        if not answer.is_success:
            raise Stuck(f"{what} answered {answer.status_code}.", "See the log of the part `web`.")


def _request(db: Database, project_id: UUID) -> str:
    """Return what is to be written: the scope of the pitch, in its own words."""
    packet = versions.latest(db, project_id, 0)
    scope = packet.packet["mvp_scope"]["in_scope"] if packet else []
    wanted = "; ".join(str(item) for item in scope)
    return f"Write a first working version. In scope: {wanted}" if wanted else "Write a first working version."


def _topic(db: Database, project_id: UUID) -> str:
    return f"{projects.get(db, project_id).name}: market and alternatives"


def _guidance() -> str:
    while not (given := str(typer.prompt("What should be different?", default="", show_default=False)).strip()):
        out.print("Say it in a few words.")
    return given
