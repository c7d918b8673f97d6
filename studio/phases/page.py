"""Phase 1's landing page: designed in rounds, the best kept as a draft that only an approval publishes."""

from __future__ import annotations

from uuid import UUID

from studio import deliverables, projects
from studio.claims import Json
from studio.deliverables import Deliverable
from studio.landing import drafts
from studio.landing.design import design
from studio.landing.facts import LandingFacts
from studio.packets.phase1 import BrandKit, LandingCopy
from studio.packets.versions import PacketVersion
from studio.phases.common import Attempt
from studio.phases.parts import Part, optional, taken_over

LANDING = Part([(drafts.KIND, "Landing page")], "design_agent", "landing_design")
# What the page is made from; a revision that touches none of it keeps the page as it was reviewed.
MADE_FROM = frozenset({"landing_page", "brand_kit", "waitlist", "page_direction"})


def landing(attempt: Attempt, context: Json, saved: Json) -> Json:
    """Return the deliverables of the landing page: one draft, or why there is none."""

    def work(version: PacketVersion) -> list[Deliverable]:
        kept = taken_over(attempt, version, saved, LANDING, MADE_FROM)
        return kept or [_designed(attempt, context, saved, version)]

    return optional(attempt, saved, LANDING, work)


def draft_of(made: Json) -> tuple[UUID, str] | None:
    """Return the draft's asset and the SHA-256 of its bytes; None where there is none."""
    for entry in made:
        if entry["kind"] == drafts.KIND and entry["status"] == "stored":
            return UUID(entry["asset_id"]), entry["content_hash"]
    return None


def _designed(attempt: Attempt, context: Json, saved: Json, version: PacketVersion) -> Deliverable:
    project = projects.get(attempt.db, attempt.project_id)
    packet = version.packet
    facts = LandingFacts(
        project_id=project.id,
        name=project.name,
        idea=context["idea"],
        copy=LandingCopy.model_validate(packet["landing_page"]),
        brand_kit=BrandKit.model_validate(packet["brand_kit"]),
        form_fields=tuple(packet["waitlist"]["form_fields"]),
        guidance=saved["page_direction"] or context["guidance"],
    )
    made = design(attempt.model(), attempt.spender, attempt.progress, attempt.claim.once, facts)
    asset = drafts.store(
        attempt.claim.write, attempt.storage(), project.id, version.version, made, attempt.claim.job_id
    )
    (kind, label) = LANDING.promises[0]
    return deliverables.stored(kind, label, asset, score=made.score)
