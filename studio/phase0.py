"""Phase 0: an idea becomes a packet. Each function is one step; the Dagster ops of `jobs/` call them in order.

    load_context → measure_presence → research (competitors and market side by side)
    → synthesize → save_packet → deck → open_gate → remember → announce

Steps hand JSON to each other, because a step's output is its checkpoint. Whatever costs money is a
checkpoint of its own below its step, so that a killed run pays for no model call twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from studio import deliverables, notices, projects, research
from studio.agents.ceo import Ceo
from studio.agents.researcher import Researcher
from studio.claims import Json
from studio.database.connection import Connection
from studio.errors import InvalidInput, PermissionRefused
from studio.job_types import Phase0Payload
from studio.kpis import counted
from studio.packets import versions
from studio.packets.phase0 import (
    SYNTHESIS_PROMPT_VERSION,
    CompetitorFindings,
    ExistingPresence,
    MarketFindings,
    Phase0Packet,
    Phase0Patch,
)
from studio.packets.phase0_assembly import assemble, competitors, market, patched
from studio.packets.revision import changed_keys
from studio.parallel import side_by_side
from studio.phases import parts
from studio.phases.common import CEO, Attempt
from studio.phases.learned import remember
from studio.presence import Presence, look_at_domain
from studio.research import Dossier, for_prompt, numbered

PHASE = 0
# What every agent is told, whatever its step adds.
TOLD = ("project", "idea", "company", "memory", "guidance")

COMPETITOR_TASK = (
    "Find up to six products or companies that compete with the idea: name, positioning, price, what they leave open."
)
MARKET_TASK = (
    "Find figures for the size of the idea's market: total (TAM), serviceable (SAM), obtainable in two years (SOM)."
)


@dataclass(frozen=True)
class Phase0(Attempt):
    """One attempt at a project's Phase 0."""

    payload: Phase0Payload

    @property
    def phase(self) -> int:
        """0."""
        return PHASE

    # --- steps

    def load_context(self) -> Json:
        """Check ownership and lifecycle; return the project's facts, its memory and the prior packet's version."""
        project = projects.get(self.db, self.project_id)
        if project.owner_clerk_id != self.payload.owner_clerk_id:
            raise PermissionRefused(
                f"Project {project.id} does not belong to {self.payload.owner_clerk_id}.",
                "Launch it as its owner.",
            )
        facts = self.common_facts(self.active_project())
        prior = versions.latest(self.db, project.id, PHASE) if self.payload.revision_guidance else None
        self.task(CEO, "phase0_revision" if prior else "phase0_init", "completed")
        return {
            **facts,
            "guidance": self.payload.revision_guidance,
            "prior_version_id": str(prior.id) if prior else None,
        }

    def measure_presence(self, context: Json) -> Json:
        """Look at the project's domain; return its `ExistingPresence` in a list, empty without a domain."""
        domain = context["project"]["domain"]
        if not domain:
            self.progress.log("The project has no domain: there is no presence to measure.")
            return []
        self.progress.tool_call("look_at_domain", domain=domain)
        try:
            found = look_at_domain(domain, self.outbound())
        except InvalidInput as exc:
            # Other clients store a domain as it was typed; that is no reason to have no packet.
            found = Presence(
                domain=domain,
                status="not_measured",
                detail=f"Not measured: {exc.message}",
                scanned_at=None,
                evidence=None,
            )
        self.progress.tool_result("look_at_domain", domain=found.domain, status=found.status, detail=found.detail)
        seen = research.seen(found)
        self.claim.write(lambda conn: research.store(conn, self.project_id, self.claim.job_id, seen, "look_at_domain"))
        return [
            ExistingPresence(
                domain=found.domain,
                status=found.status,
                detail=found.detail,
                scanned_at=found.scanned_at,
                sources=seen,
            ).model_dump(mode="json")
        ]

    def research(self, context: Json) -> Json:
        """Research competitors and market side by side; a revision keeps what its prior packet found."""
        if context["prior_version_id"]:
            self.progress.log("A revision keeps the research of its prior packet.")
            return None
        self.task("research_agent", "phase0_research", "running")
        researcher = Researcher(self.model(), self.spender, self.progress)
        facts = {key: context[key] for key in TOLD}

        def look(topic: str, task: str, schema: type[CompetitorFindings] | type[MarketFindings]) -> Json:
            found = Dossier.model_validate(
                self._paid(f"research/{topic}", lambda: researcher.run(task, f"research/{topic}", facts))
            )
            if found.empty:
                self.progress.log(f"The {topic} research retrieved nothing that can be cited, so it lists nothing.")
                return {"dossier": found.model_dump(), "findings": None}
            self.claim.write(
                lambda conn: research.store(conn, self.project_id, self.claim.job_id, found.passages, "web_search")
            )
            step = f"research/{topic}_findings"
            findings = self._paid(step, lambda: researcher.sort(task, step, schema, facts, found))
            return {"dossier": found.model_dump(), "findings": findings}

        both = side_by_side(
            lambda: look("competitors", COMPETITOR_TASK, CompetitorFindings),
            lambda: look("market", MARKET_TASK, MarketFindings),
        )
        self.task("research_agent", "phase0_research", "completed", _research_summary(both))
        return {"competitors": both[0], "market": both[1]}

    def synthesize(self, context: Json, presence: Json, found: Json) -> Json:
        """Let the CEO weigh the research, or revise the prior packet; return the packet and its provenance."""
        self.task(CEO, "phase0_synthesis", "running")
        ceo = Ceo(self.model(), self.spender, self.progress)
        measured = [ExistingPresence.model_validate(item) for item in presence]
        facts = {
            **{key: context[key] for key in TOLD},
            "presence": [item.model_dump(mode="json", exclude={"sources"}) for item in measured] or None,
        }
        if found is None:
            prior = versions.get(self.db, UUID(context["prior_version_id"]))
            before = _prior_packet(prior)
            patch, answer = ceo.revise("synthesize", {**facts, "prior_packet": prior.packet}, Phase0Patch)
            packet = patched(before, patch, measured)
            provenance: dict[str, Any] = {"revision_of": str(prior.id), "changed": changed_keys(patch)}
            self.progress.log(f"The revision of version {prior.version} changes {', '.join(changed_keys(patch))}.")
        else:
            rivals, sizes = (Dossier.model_validate(found[k]["dossier"]) for k in ("competitors", "market"))
            rival_sources = numbered(rivals.passages)
            size_sources = numbered(sizes.passages)
            # The CEO sees one numbering over both researches.
            sources = numbered([*rivals.passages, *sizes.passages])
            listed, note = competitors(
                _parsed(CompetitorFindings, found["competitors"]["findings"]), rival_sources, rivals
            )
            sizing = market(_parsed(MarketFindings, found["market"]["findings"]), size_sources, sizes)
            synthesis, answer = ceo.run(
                "synthesize",
                {
                    **facts,
                    "sources": for_prompt(sources),
                    "competitors": {"competitors": [_brief(c) for c in listed], "note": note},
                    "market": {"tam": sizing.tam, "sam": sizing.sam, "som": sizing.som},
                },
            )
            packet = assemble(synthesis, listed, note, sizing, measured, sources)
            provenance = {"sources": len(sources), "searches": rivals.searches + sizes.searches}
        return {
            "packet": packet.model_dump(mode="json"),
            "model": answer.model,
            "provenance": {**provenance, "prompt_version": SYNTHESIS_PROMPT_VERSION, "calls": list(answer.call_ids)},
        }

    def save_packet(self, conn: Connection, synthesized: Json) -> Json:
        """Save the packet as a new version; return its id, number, verdict and cost."""
        packet = synthesized["packet"]
        version, saved = self.save(
            conn,
            packet,
            headline=packet["tagline"],
            model=synthesized["model"],
            prompt_version=SYNTHESIS_PROMPT_VERSION,
            provenance=synthesized["provenance"],
        )
        deliverables.begin(conn, version, [])
        return saved

    def deck(self, saved: Json) -> Json:
        """Make the pitch deck, which may fail by itself."""
        return parts.deck(self, saved)

    def open_gate(self, conn: Connection, saved: Json) -> Json:
        """Make sure that one gate is pending and shows this packet; return the approval's id and risk."""
        return self.gate(conn, saved, supersede=self.payload.force_new_approval)

    def remember(self, conn: Connection, saved: Json) -> Json:
        """Remember the verdict for every later agent, unless a newer one stands already."""
        return {"remembered": remember(self, conn, saved)}

    def announce(self, conn: Connection, saved: Json, gate: Json) -> Json:
        """Tell the founder that the packet waits at its gate, once; return what became of the mail."""
        self.list_completion(conn, saved)
        if gate["outcome"] not in ("opened", "moved", "unchanged"):
            return {"mail": "no gate"}
        version, _ = self.held_version(conn, saved)
        project = projects.get_in(conn, self.project_id)
        return {"mail": notices.phase0_ready(conn, self.settings, project, version).mail}

    # --- helpers

    def _paid(self, step: str, work: Callable[[], Any]) -> Json:
        return self.claim.once(step, lambda: work().model_dump(mode="json"))


def _prior_packet(prior: versions.PacketVersion) -> Phase0Packet:
    try:
        return Phase0Packet.model_validate(prior.packet)
    except ValidationError as exc:
        raise InvalidInput(
            f"Version {prior.version} of the packet was written by another client and cannot be revised.",
            "Launch with --force-new-approval and without guidance for a new one.",
        ) from exc


def _parsed(schema: type[Any], value: Json) -> Any:
    return None if value is None else schema.model_validate(value)


def _brief(competitor: Any) -> dict[str, Any]:
    brief: dict[str, Any] = competitor.model_dump(mode="json", exclude={"sources"})
    return brief


def _research_summary(both: list[Json]) -> str:
    cited = sum(len(part["dossier"]["passages"]) for part in both)
    searches = sum(part["dossier"]["searches"] for part in both)
    return f"{counted(searches, 'search')}, {counted(cited, 'cited passage')}"
