"""The Phase 0 packet: what the models return, and what is stored and shown.

The models return *findings* and a *synthesis* that name their sources by id (`S1`, `S2`, …). The stored
packet resolves those ids to the passages that the run really retrieved; what has none is marked
unsourced. Facts that were measured (the domain's presence) never pass through a model.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from studio.packets.fields import (
    EvidenceClaims,
    Line,
    PacketModel,
    Paragraph,
    Percent,
    ReasoningSynopsis,
    Recommendation,
    Short,
    Source,
    Verdict,
    squeeze,
)
from studio.packets.revision import Patch

SYNTHESIS_PROMPT_VERSION = "phase0-2"

# --- what the models return -------------------------------------------------------------------------


class CompetitorFinding(PacketModel):
    """One competitor, with the ids of the sources that speak of it."""

    name: Short
    positioning: Line
    gap: Line = Field(description="What it leaves open that this idea could take")
    pricing: Line = Field(description="What it costs, or 'not found'")
    source_ids: list[str] = Field(description="Ids of the given sources that support this, e.g. S1. May be empty.")


def _unwrap_competitors(value: Any) -> Any:
    if isinstance(value, dict) and len(value) == 1:
        inner = next(iter(value.values()))
        return inner if isinstance(inner, list) else value
    return value


class CompetitorFindings(PacketModel):
    """What the competitor research found; fewer with a reason rather than more."""

    competitors: Annotated[list[CompetitorFinding], BeforeValidator(_unwrap_competitors)] = Field(max_length=8)
    note: Line = Field(description="How complete this is, and why there are not more")


class MarketFigure(PacketModel):
    """A market size in words and figures, with the sources it rests on."""

    text: Line
    source_ids: list[str]


class MarketFindings(PacketModel):
    """What the market research found."""

    tam: MarketFigure
    sam: MarketFigure
    som: MarketFigure
    notes: list[MarketFigure] = Field(max_length=6)


class ConfidenceBreakdown(PacketModel):
    """Confidence by dimension, each 0 to 100."""

    market: Percent
    competition: Percent
    feasibility: Percent
    timing: Percent


class TargetPersona(PacketModel):
    """Who it is for."""

    name: Short
    description: Paragraph
    pain_points: list[Line] = Field(min_length=1, max_length=8)


class MvpScope(PacketModel):
    """What the first version does, and what waits."""

    in_scope: list[Line] = Field(min_length=1, max_length=12)
    deferred: list[Line] = Field(max_length=12)


class Phase0Synthesis(PacketModel):
    """The CEO's part of the packet: everything that needs judgement."""

    tagline: Annotated[str, squeeze(180), Field(min_length=3, max_length=180)]
    elevator_pitch: Paragraph
    confidence_breakdown: ConfidenceBreakdown
    target_persona: TargetPersona
    mvp_scope: MvpScope
    recommendation: Verdict
    confidence: Percent
    rationale: list[Line] = Field(min_length=3, max_length=8, description="At least three reasons")
    risks: list[Line] = Field(max_length=8)
    next_actions: list[Line] = Field(max_length=8)
    evidence: EvidenceClaims


class Phase0Patch(Patch):
    """A revision: only the keys that the guidance changes; at least one."""

    tagline: Annotated[str, squeeze(180), Field(min_length=3, max_length=180)] | None = None
    elevator_pitch: Paragraph | None = None
    confidence_breakdown: ConfidenceBreakdown | None = None
    target_persona: TargetPersona | None = None
    mvp_scope: MvpScope | None = None
    recommendation: Verdict | None = None
    confidence: Percent | None = None
    rationale: list[Line] | None = Field(default=None, min_length=3, max_length=8)
    risks: list[Line] | None = Field(default=None, max_length=8)
    next_actions: list[Line] | None = Field(default=None, max_length=8)


# --- what is stored and shown -------------------------------------------------------------------------


class Competitor(PacketModel):
    """One competitor as stored. `sourced` is false where no retrieved passage names it."""

    name: str
    positioning: str
    gap: str
    pricing: str
    sourced: bool
    sources: list[Source]
    unsourced_fields: list[Literal["positioning", "pricing"]] = Field(
        default_factory=list, description="What the passages do not say; the gap is the studio's own reading"
    )


class SourcedText(PacketModel):
    """A statement with the passages it rests on."""

    text: str
    sourced: bool
    sources: list[Source]


class MarketSizing(PacketModel):
    """The market's size in words, as other clients read it, beside where each figure comes from."""

    tam: str
    sam: str
    som: str
    figures: dict[Literal["tam", "sam", "som"], SourcedText]
    notes: list[SourcedText]


class ExistingPresence(PacketModel):
    """What a real look at the project's domain showed. Measured, never written by a model."""

    domain: str
    status: Literal["live", "parked", "none", "not_measured"]
    detail: str
    scanned_at: datetime | None
    sources: list[Source] = Field(default_factory=list, description="The passage of the page that it rests on")


class Phase0Packet(PacketModel):
    """The Phase 0 packet as stored in `phase_packets.packet`."""

    tagline: str
    elevator_pitch: str
    confidence_breakdown: ConfidenceBreakdown
    competitor_analysis: list[Competitor]
    competitor_note: str
    market_sizing: MarketSizing
    target_persona: TargetPersona
    mvp_scope: MvpScope
    existing_presence: list[ExistingPresence]
    recommendation: Recommendation
    reasoning_synopsis: ReasoningSynopsis
