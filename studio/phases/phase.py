"""Phases 1 to 3: an approved gate becomes the next packet. Each function is one step; Dagster ops call them in order.

    load_context → research → generate → save_packet
    → brand_brief, deck, document, landing (in any order; each may fail by itself)
    → open_gate → remember → announce

Steps hand JSON to each other, because a step's output is its checkpoint. Whatever costs money is a checkpoint of its
own below its step.
"""

from __future__ import annotations

from dataclasses import dataclass

from studio import deliverables, notices, permissions, projects, proposals
from studio.claims import Json
from studio.database.connection import Connection
from studio.job_types import PhasePayload
from studio.packets import assembly, limits
from studio.phases import context as contexts
from studio.phases import learned, page, parts, writing
from studio.phases.common import CEO, Attempt


@dataclass(frozen=True)
class Phase(Attempt):
    """One attempt at a project's phase 1, 2 or 3."""

    payload: PhasePayload

    @property
    def phase(self) -> int:
        """1, 2 or 3."""
        return self.payload.phase

    def load_context(self) -> Json:
        """Check whether the phase may be generated; return what its agents are told, or that there is nothing to do."""
        context = contexts.load(self, self.payload)
        if context["already"] is None:
            self.task(CEO, f"phase{self.phase}_init", "completed")
        return context

    def research(self, context: Json) -> Json:
        """Look up what phases 2 and 3 need to know; None in Phase 1, which builds on Phase 0's research."""
        return writing.look_up(self, context)

    def generate(self, context: Json, found: Json) -> Json:
        """Let the agents write the packet, or revise the prior one; return it with its provenance."""
        return writing.write(self, context, found)

    def save_packet(self, conn: Connection, context: Json, generated: Json) -> Json:
        """Save the packet, with the project's permissions forced into it, as a new version."""
        project = projects.get_in(conn, self.project_id)
        packet = limits.forced(self.phase, generated["packet"], project)
        packet, dropped = limits.without_forbidden(
            self.phase, packet, lambda action: permissions.refusal(conn, self.project_id, action)
        )
        for action in dropped:
            self.progress.log(f"The proposal {action.action_type} was left out: {action.reason}")
        provenance = generated["provenance"]
        if self.payload.revision_guidance:
            provenance = {**provenance, "guidance": self.payload.revision_guidance}
        if dropped:
            provenance = {**provenance, "dropped_actions": [action.model_dump() for action in dropped]}
        version, saved = self.save(
            conn,
            assembly.validated(self.phase, packet),
            headline=packet["summary"],
            model=generated["model"],
            prompt_version=assembly.PROMPT_VERSIONS[self.phase],
            provenance=provenance,
        )
        deliverables.begin(conn, version, parts.missing_images(self.phase))
        return {
            **saved,
            "prior_version_id": context["prior_version_id"],
            "changed": provenance.get("changed"),
            "page_direction": generated["page_direction"],
        }

    def landing(self, context: Json, saved: Json) -> Json:
        """Design Phase 1's landing page and keep the best variant as a draft; nothing in other phases."""
        return page.landing(self, context, saved) if self.phase == 1 else []

    def brand_brief(self, context: Json, saved: Json) -> Json:
        """Make Phase 1's brand brief; nothing in other phases."""
        return parts.brief(self, context, saved) if self.phase == 1 else []

    def deck(self, saved: Json) -> Json:
        """Make the pitch deck."""
        return parts.deck(self, saved)

    def document(self, saved: Json) -> Json:
        """Make Phase 2's plan or Phase 3's checklist; nothing in Phase 1."""
        return parts.document(self, saved)

    def open_gate(self, conn: Connection, saved: Json, landing: Json) -> Json:
        """Open the gate and ask for what the phase could do in the world; return what was opened and what was not."""
        gate = self.gate(conn, saved, supersede=self.payload.force_regenerate)
        if gate["outcome"] in ("overtaken", "denied"):
            return {**gate, "proposals": []}
        version, _ = self.held_version(conn, saved)
        asked = proposals.propose_for_phase(conn, version, landing=page.draft_of(landing), job_id=self.claim.job_id)
        for proposal in asked:
            if proposal.outcome != "created":
                self.progress.log(f"{proposal.action_type} is not proposed: {proposal.reason}")
        return {
            **gate,
            "proposals": [
                {
                    "action_type": proposal.action_type,
                    "outcome": proposal.outcome,
                    "approval_id": str(proposal.approval_id) if proposal.approval_id else None,
                    "reason": proposal.reason,
                }
                for proposal in asked
            ],
        }

    def remember(self, conn: Connection, saved: Json) -> Json:
        """Remember the verdict and what the agents have learned, unless a newer packet stands already."""
        return {"remembered": learned.remember(self, conn, saved)}

    def announce(self, conn: Connection, saved: Json, gate: Json) -> Json:
        """Tell the founder that the packet waits at its gate; return what became of the mail."""
        self.list_completion(conn, saved)
        if gate["outcome"] not in ("opened", "moved", "unchanged"):
            return {"mail": "no gate"}
        version, _ = self.held_version(conn, saved)
        project = projects.get_in(conn, self.project_id)
        return {"mail": notices.phase_ready(conn, self.settings, project, version).mail}
