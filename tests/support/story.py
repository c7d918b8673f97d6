"""One project in full: packets in several versions, their files, work under way, work that failed, a chat.

What a worker would do is done as a worker does it: under a claim, by events, steps, tasks, and the end of the job.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from studio import assets, chat, claims, decks, deliverables, events, projects, queue
from studio.brand import brand_of
from studio.claims import Claim
from studio.database.connection import Database
from studio.deliverables import lacking, stored
from studio.events import NewEvent
from studio.model import spend
from studio.model.spend import Spent
from studio.packets import versions
from studio.packets.versions import PacketVersion
from studio.phases.parts import DECK_NAMES, HTML, NO_IMAGES, PPTX
from studio.queue import NewJob
from studio.settings import Settings
from studio.storage import storage_from_settings
from studio.tasks import TaskStatus, log_task
from tests.support import deck_samples
from tests.support.approvals import ALL_ON, Company

LEASE = timedelta(hours=1)
SAMPLES = {
    0: deck_samples.pitch,
    1: deck_samples.validation,
    2: deck_samples.distribution,
    3: deck_samples.launch,
}
DRAFT = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Hallway</title><style>body{margin:0;font:18px/1.6 Georgia,serif;background:#f6f1e4;color:#1f4d3a}
main{max-width:60rem;margin:auto;padding:12vmin 6vmin}h1{font-size:clamp(2.2rem,7vw,5rem);line-height:1}
b{background:#ffc93c;padding:.8rem 1.6rem;border-radius:2rem}</style><main><h1>The drill is already in your house</h1>
<p>Hallway keeps your neighbours' tools in one locker, with a code on your phone.</p><p><b>Ask for a locker</b></p>
</main>"""


@dataclass
class Story:
    """A project of `owner` that stands in `phase`."""

    db: Database
    settings: Settings
    owner: str = "ada"
    phase: int = 1
    name: str = "Hallway"

    def __post_init__(self) -> None:
        with self.db.transaction() as conn:
            conn.execute("insert into public.users (clerk_id) values (%s) on conflict do nothing", [self.owner])
        columns = {"owner_clerk_id": self.owner, "name": self.name, "idea_description": deck_samples.TOOL_IDEA}
        self.company = Company(self.db, self.phase, dict(ALL_ON), columns)
        with self.db.transaction() as conn:
            spend.set_budget(conn, self.id, Decimal(40), 40_000_000, 2_000)

    @property
    def id(self) -> UUID:
        """The project's id."""
        return self.company.id

    # --- packets

    def packet(self, phase: int, *, model: str = "claude-sonnet-4-5", **changes: Any) -> PacketVersion:
        """Save a packet as its phase does."""
        packet = {**SAMPLES[phase](), **changes}
        job_type = "phase0.generate_packet" if phase == 0 else "phase.generate_packet"
        with self.db.transaction() as conn:
            return versions.save(
                conn,
                self.id,
                phase,
                packet,
                synopsis=packet["reasoning_synopsis"],
                job_id=self.company.job(job_type, phase=phase),
                claim_no=1,
                model=model,
                prompt_version=f"phase{phase}-2",
                spent=Spent(9, 412_000, 84_000, 19_000, 6),
                provenance={},
            )

    def files(self, version: PacketVersion) -> None:
        """Make the packet's deck and, in Phase 1, its landing page; list what could not be made."""
        project = projects.get(self.db, self.id)
        deck = decks.build(project, version, brand_of(deck_samples.kit(), project.idea_description, project.name))
        html = self._asset(version, "packet_export", "deck.html", HTML, deck.html.encode())
        slides = self._asset(version, "packet_export", "deck.pptx", PPTX, deck.pptx)
        made = [
            stored("phase_packet_embed", DECK_NAMES[version.phase], html),
            stored("phase_packet_pptx", f"{DECK_NAMES[version.phase]}, PowerPoint", slides),
        ]
        if version.phase == 1:
            page = self._asset(version, "landing_html", "landing.html", "text/html", DRAFT.encode())
            made.append(stored("landing_html", "Landing page", page, score=81))
        made += [
            lacking("brand_asset", "Logo", "missing", NO_IMAGES),
            lacking("brand_asset", "Hero picture, 1200×630", "missing", NO_IMAGES),
            lacking("brand_brief", "Brand brief", "failed", "The model answered with no JSON three times."),
        ]
        with self.db.transaction() as conn:
            deliverables.enlist(conn, version, made)

    def _asset(self, version: PacketVersion, kind: str, name: str, mime: str, data: bytes) -> assets.Asset:
        return assets.store(
            assets.writing(self.db),
            storage_from_settings(self.settings),
            self.id,
            phase=version.phase,
            kind=kind,
            path=f"{self.id}/phase-{version.phase}/v{version.version}/{name}",
            data=data,
            filename=name,
            mime_type=mime,
            metadata={},
            created_by="design",
        )

    # --- work

    def begin(self, job_type: str = "phase.generate_packet", **payload: Any) -> Claim:
        """Let a job of the project be enqueued and claimed."""
        given = {"projectId": str(self.id), **({"phase": 1} if job_type == "phase.generate_packet" else {}), **payload}
        with self.db.transaction() as conn:
            job_id = queue.enqueue(conn, NewJob(job_type, self.id, given, key=f"{job_type}:{uuid4()}")).job_id
        return self.claim(job_id)

    def claim(self, job_id: UUID) -> Claim:
        """Claim a job, as its first or a further attempt."""
        with self.db.transaction() as conn:
            return claims.claim_by_id(conn, self.db, job_id, "worker", f"run-{uuid4()}", LEASE)

    def tell(self, claim: Claim, *told: NewEvent) -> None:
        """Let the job say something."""
        with claim.transaction() as conn:
            events.append(conn, claim.job_id, list(told), claim.claim_no)

    def say(self, claim: Claim, text: str, step: str = "answer") -> None:
        """Let the job stream some text."""
        self.tell(claim, NewEvent("delta", text, {"step": step}))

    def step(self, claim: Claim, name: str, *, seconds: float | None = None, error: str | None = None) -> None:
        """Let a step of the job begin, and end where it says how long it took or why it failed."""
        self.tell(claim, NewEvent("log", name, {"step_event": "STEP_START", "op": name}))
        if error is not None:
            self.tell(claim, NewEvent("log", name, {"step_event": "STEP_FAILURE", "op": name, "error": error}))
        elif seconds is not None:
            data = {"step_event": "STEP_SUCCESS", "op": name, "duration_ms": round(seconds * 1000)}
            self.tell(claim, NewEvent("log", name, data))

    def fail(self, claim: Claim, error: str, *, permanent: bool = True) -> None:
        """End the attempt in failure, for good or to be tried again at once."""
        claim.fail(error, permanent=permanent, retry_base=timedelta(0))

    def task(self, claim: Claim, agent: str, what: str, status: TaskStatus, detail: str | None = None) -> None:
        """List something that an agent does for the job."""
        with claim.transaction() as conn:
            log_task(conn, self.id, claim.job_id, agent, what, status, detail)

    def call(self, claim: Claim, step: str, micros: int, agent: str = "strategist") -> None:
        """Let a model call of the job have cost something."""
        self.db.execute(
            "insert into public.model_calls (project_id, job_id, claim_no, step, agent, model, status, reserved_micros,"
            " reserved_tokens, cost_micros, input_tokens, output_tokens, searches, duration_ms, settled_at)"
            " values (%s, %s, %s, %s, %s, 'claude-sonnet-4-5', 'settled', %s, 9000, %s, 7200, 1800, 2, 8400, now())",
            [self.id, claim.job_id, claim.claim_no, step, agent, micros, micros],
        )

    # --- the chat

    def ask(self, text: str) -> tuple[UUID, UUID]:
        """Say something in the chat; return the message's id and the job's."""
        with self.db.transaction() as conn:
            posted = chat.post(conn, self.id, self.owner, text)
        return posted.message_id, posted.job.job_id

    def answer(self, message: UUID, claim: Claim, text: str, suggestion: dict[str, Any] | None = None) -> None:
        """Store the answer to a message as its job does, and end the job."""

        def store(conn: Any) -> None:
            conn.execute(
                "insert into public.project_chat_messages (project_id, owner_clerk_id, role, content, reply_to,"
                " suggestion, suggestion_state) values (%s, %s, 'assistant', %s, %s, %s::jsonb, %s)",
                [self.id, self.owner, text, message, _json(suggestion), None if suggestion is None else "open"],
            )

        claim.write(store)
        claim.complete()

    def exchange(self, question: str, text: str, suggestion: dict[str, Any] | None = None) -> UUID:
        """Let a question have been answered."""
        message, job = self.ask(question)
        self.answer(message, self.claim(job), text, suggestion)
        return message

    # --- all of it

    def everything(self) -> None:
        """Fill the project."""
        self.packet(0, tagline="Borrow a drill", recommendation="revise")
        pitch = self.packet(0)
        self.files(pitch)
        self.packet(1, summary="A page with one promise, and three mails that ask before anything is built.")
        newest = self.packet(1)
        self.files(newest)
        for phase in range(2, self.phase + 1):
            newest = self.packet(phase)
        self.company.gate(newest)
        failed = self.begin("nightshift.cycle_project")
        self.step(failed, "look", error="The model is overloaded.")
        self.fail(failed, "The model is overloaded. Try again in a few minutes.")
        self.talk()

    def working(self) -> Claim:
        """Let the project's phase be worked on in a second attempt; return its claim."""
        lost = self.begin(phase=min(self.phase + 1, 3))
        self.step(lost, "load_context", seconds=0.3)
        self.fail(lost, "The model did not answer in time. It is asked again.", permanent=False)
        claim = self.claim(lost.job_id)
        self.step(claim, "load_context", seconds=0.2)
        self.step(claim, "research")
        self.task(claim, "ceo_agent", "phase2_init", "completed")
        self.task(claim, "growth_agent", "distribution_strategy", "running", "Reading what the pitch says of channels")
        self.tell(claim, NewEvent("tool_call", "web_search: tool library notice board results", {"step": "research"}))
        self.tell(claim, NewEvent("tool_result", "5 pages", {"step": "research", "results": 5}))
        self.say(claim, "House managers decide about lockers in hallways, so they come first. ", "research")
        self.say(claim, "Two pages speak of notices on boards, and one counts what they bring:", "research")
        self.call(claim, "research", 184_000)
        return claim

    def talk(self) -> None:
        """Let there be a conversation with a suggestion, a stopped answer and a failed one."""
        self.exchange(
            "What does the pitch rest on?",
            "On three figures. Two of them have sources: the European market for tool rental (€4.6 billion, "
            "https://figures.test/tools-2025) and what households in cities spend. How many one hallway can win was not"
            " measured.\n\nI would ask ten neighbours before anything is built.",
        )
        self.exchange(
            "The headline sounds like a warning. Can it be friendlier?",
            "Yes. It would name the drill first, and the locker after it. I have prepared it; it costs one run of the"
            " Validate phase.",
            {
                "action_type": "refine_phase_assets",
                "title": "Generate the Validate packet anew",
                "rationale": "The headline reads as a warning; the page should begin with what a neighbour can do.",
                "phase": 1,
                "guidance": "Begin the headline with what a neighbour can do, and keep the word drill.",
            },
        )
        _, job = self.ask("And in German?")
        self.fail(self.claim(job), "The model refuses this text. Put it differently.")


def _json(value: dict[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value)
