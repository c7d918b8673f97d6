"""What attempts at any phase share: claim and tools, and how a packet is saved, a gate opened, work listed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from studio import approvals, memory, projects
from studio.claims import Claim, Json
from studio.company import context as company_context
from studio.database.connection import Connection, Database
from studio.errors import PermissionRefused
from studio.job_types import Payload
from studio.model import spend
from studio.model.spend import Spender
from studio.outbound import OutboundClient
from studio.packets import versions
from studio.packets.versions import PacketVersion
from studio.progress import Progress
from studio.project_events import record
from studio.projects import Project
from studio.settings import Settings
from studio.storage import Storage
from studio.tasks import TaskStatus, forget_task, log_task
from studio.text import clip

if TYPE_CHECKING:
    from studio.model.client import Model

# A stored idea may be longer than the limit at creation (other clients compose their own); beyond this it is
# cut for the prompt, and the run says so.
PROMPT_IDEA_CHARS = 20_000
GATE_DESCRIPTION_CHARS = 400
CEO = "ceo_agent"

# Why a packet that is the latest may have no gate.
WITHOUT_GATE = {
    "passed": "The project has passed this phase, so there is no gate to open.",
    "denied": "A person has said no to this very packet, so nobody is asked again.",
}


@dataclass(frozen=True)
class Attempt(ABC):
    """One attempt at a phase of a project: the claim it works under, and what it works with."""

    claim: Claim
    payload: Payload
    settings: Settings
    model: Callable[[], Model]
    outbound: Callable[[], OutboundClient]
    progress: Progress
    storage: Callable[[], Storage]

    @property
    @abstractmethod
    def phase(self) -> int:
        """The phase that is worked on."""

    @property
    def db(self) -> Database:
        """The studio's database."""
        return self.claim.db

    @property
    def project_id(self) -> UUID:
        """The project the job belongs to."""
        return self.claim.job.project_id

    @property
    def spender(self) -> Spender:
        """On whose account model calls are made."""
        return Spender(self.project_id, self.claim.job_id, self.claim.claim_no)

    # --- what the agents are told

    def active_project(self) -> Project:
        """Return the project; raise `PermissionRefused` where it is paused or killed."""
        project = projects.get(self.db, self.project_id)
        if project.status != "active":
            raise PermissionRefused(f"Project {project.id} is {project.status}.", "Make it active first.")
        return project

    def common_facts(self, project: Project) -> dict[str, Json]:
        """Return what every agent is told of the project: facts, idea, memory, company context."""
        idea = project.idea_description
        if len(idea) > PROMPT_IDEA_CHARS:
            self.progress.log(
                f"The idea has {len(idea):,} characters; the agents read the first {PROMPT_IDEA_CHARS:,}."
            )
        memories = memory.recall(self.db, project.id)
        self.progress.log(f"Loaded {project.name!r}: {len(memories)} memories")
        return {
            "project": {
                "name": project.name,
                "domain": project.domain,
                "repo_url": project.repo_url,
                "focus_areas": project.focus_areas,
            },
            "idea": clip(idea, PROMPT_IDEA_CHARS),
            "memory": memory.prompt_block(memories),
            "company": company_context(self.db, project.id),
        }

    # --- the packet

    def save(
        self,
        conn: Connection,
        packet: dict[str, Any],
        *,
        headline: str,
        model: str,
        prompt_version: str,
        provenance: dict[str, Any],
    ) -> tuple[PacketVersion, dict[str, Json]]:
        """Save the packet as a new version in the caller's transaction; return it, and what later steps need of it."""
        # A re-executed job has made a packet before; what that one cost is not this one's.
        before = versions.last_made_by_job(conn, self.claim.job_id)
        spent = spend.spent_by_job_in(conn, self.claim.job_id, after=before)
        version = versions.save(
            conn,
            self.project_id,
            self.phase,
            packet,
            synopsis=packet["reasoning_synopsis"],
            job_id=self.claim.job_id,
            claim_no=self.claim.claim_no,
            model=model,
            prompt_version=prompt_version,
            spent=spent,
            provenance=provenance,
        )
        self.task_in(
            conn,
            CEO,
            f"phase{self.phase}_synthesis",
            "completed",
            f"{packet['recommendation']}, confidence {version.confidence}",
        )
        record(
            conn,
            self.project_id,
            "phase.packet_generated",
            f"Phase {self.phase} packet version {version.version}",
            {"phase": self.phase, "version": version.version, "job_id": str(self.claim.job_id)},
        )
        return version, {
            "packet_version_id": str(version.id),
            "packet_id": self._packet_id(conn),
            "version": version.version,
            "recommendation": packet["recommendation"],
            "confidence": version.confidence,
            "headline": headline,
            "model": model,
            "cost_micros": spent.cost_micros,
            "model_calls": spent.calls,
            "tokens": spent.input_tokens + spent.output_tokens,
        }

    def _packet_id(self, conn: Connection) -> str:
        row = conn.execute(
            "select id from public.phase_packets where project_id = %s and phase = %s", [self.project_id, self.phase]
        ).fetchone()
        assert row is not None  # noqa: S101 - saved in this transaction
        return str(row["id"])

    def saved_version(self, saved: Json) -> PacketVersion:
        """Return the version that an earlier step has saved."""
        return versions.get(self.db, UUID(saved["packet_version_id"]))

    def held_version(self, conn: Connection, saved: Json) -> tuple[PacketVersion, bool]:
        """Return the saved version and whether it is the latest, which lasts until the transaction ends."""
        versions.hold_latest(conn, self.project_id, self.phase)
        version = versions.get_in(conn, UUID(saved["packet_version_id"]))
        return version, versions.is_latest(conn, version)

    def overtaken(self, saved: Json) -> bool:
        """Return whether a newer packet has taken the saved one's place, and say so."""
        version = self.saved_version(saved)
        with self.db.connection() as conn:
            latest = versions.is_latest(conn, version)
        if not latest:
            self._say_overtaken(version)
        return not latest

    def _say_overtaken(self, version: PacketVersion) -> None:
        self.progress.log(f"Version {version.version} was overtaken by a newer packet, whose gate it is.")

    # --- the gate

    def gate(self, conn: Connection, saved: Json, *, supersede: bool) -> dict[str, Json]:
        """Make sure that one gate is pending and shows the saved packet; return its id, risk and what became of it.

        A packet that a newer one has overtaken meanwhile opens none: a person decides on the latest.
        """
        version, latest = self.held_version(conn, saved)
        if not latest:
            self._say_overtaken(version)
            return {"approval_id": None, "risk": None, "outcome": "overtaken", "superseded": 0}
        gate = approvals.open_gate(
            conn,
            version,
            title=f"Review the Phase {self.phase} packet",
            description=clip(saved["headline"], GATE_DESCRIPTION_CHARS),
            supersede=supersede,
            job_id=self.claim.job_id,
        )
        if gate.outcome in WITHOUT_GATE:
            self.progress.log(WITHOUT_GATE[gate.outcome])
        return {
            "approval_id": str(gate.approval_id) if gate.approval_id else None,
            "risk": gate.risk,
            "outcome": gate.outcome,
            "superseded": gate.superseded,
        }

    # --- the list of what is being done

    def task(self, agent: str, description: str, status: TaskStatus, detail: str | None = None) -> None:
        """List a task in a transaction of its own."""
        self.claim.write(lambda conn: self.task_in(conn, agent, description, status, detail))

    def task_in(
        self, conn: Connection, agent: str, description: str, status: TaskStatus, detail: str | None = None
    ) -> None:
        """List a task in the caller's transaction."""
        log_task(conn, self.project_id, self.claim.job_id, agent, description, status, detail)

    def list_completion(self, conn: Connection, saved: Json) -> None:
        """List that the phase's packet is ready; a job that failed for good before has not failed after all."""
        self.task_in(conn, CEO, f"phase{self.phase}_complete", "completed", saved["headline"])
        forget_task(conn, self.claim.job_id, *_failed_task(self.phase))


def list_failure(conn: Connection, project_id: UUID, job_id: UUID, error: str) -> None:
    """List that a phase has failed for good, and why, in the transaction in which it does."""
    row = conn.execute("select payload ->> 'phase' as phase from public.agent_jobs where id = %s", [job_id]).fetchone()
    # A payload that does not fit its job type fails the job, too.
    phase = int(row["phase"]) if row and row["phase"] in {"1", "2", "3"} else 0
    # A second failure is news, also where it says what the first one did.
    forget_task(conn, job_id, *_failed_task(phase))
    log_task(conn, project_id, job_id, *_failed_task(phase), "failed", error)


def _failed_task(phase: int) -> tuple[str, str]:
    return CEO, f"phase{phase}_failed"
