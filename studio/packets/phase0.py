"""The Phase 0 packet: what the models return, and what is stored and shown.

The models return *findings* and a *synthesis* that name their sources by id (`S1`, `S2`, …). The stored
packet resolves those ids to the passages that the run really retrieved; what has none is marked
unsourced. Facts that were measured (the domain's presence) never pass through a model.

Repairs happen here, in validators, and only where nothing is invented: white space, length, numbers
written as text, the case of a verdict, an array nested one level too deep.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Recommendation = Literal["greenlight", "revise", "kill"]

SYNTHESIS_PROMPT_VERSION = "phase0-2"

_VERDICT = re.compile(r"(greenlight|revise|kill)", re.IGNORECASE)


def _squeeze(limit: int) -> BeforeValidator:
    def squeeze(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        text = " ".join(value.split())
        return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"

    return BeforeValidator(squeeze)


def _verdict(value: Any) -> Any:
    if isinstance(value, str) and (found := _VERDICT.match(value.strip())):
        return found.group(1).lower()
    return value


def _whole_number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("true and false are no percentages")
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,3}(\.\d+)?\s*%?\s*", value, re.ASCII):
        value = float(value.strip().rstrip("%"))
    # A share such as 0.85 stays as it is and does not fit: to round it would make it 1 %.
    return round(value) if isinstance(value, float) and 1 <= value <= 100 else value


Short = Annotated[str, _squeeze(240), Field(min_length=1, max_length=240)]
Line = Annotated[str, _squeeze(400), Field(min_length=1, max_length=400)]
Paragraph = Annotated[str, _squeeze(1200), Field(min_length=1, max_length=1200)]
Percent = Annotated[int, BeforeValidator(_whole_number), Field(ge=0, le=100)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore")


# --- what the models return -------------------------------------------------------------------------


class CompetitorFinding(_Model):
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


class CompetitorFindings(_Model):
    """What the competitor research found; fewer with a reason rather than more."""

    competitors: Annotated[list[CompetitorFinding], BeforeValidator(_unwrap_competitors)] = Field(max_length=8)
    note: Line = Field(description="How complete this is, and why there are not more")


class MarketFigure(_Model):
    """A market size in words and figures, with the sources it rests on."""

    text: Line
    source_ids: list[str]


class MarketFindings(_Model):
    """What the market research found."""

    tam: MarketFigure
    sam: MarketFigure
    som: MarketFigure
    notes: list[MarketFigure] = Field(max_length=6)


class ConfidenceBreakdown(_Model):
    """Confidence by dimension, each 0 to 100."""

    market: Percent
    competition: Percent
    feasibility: Percent
    timing: Percent


class TargetPersona(_Model):
    """Who it is for."""

    name: Short
    description: Paragraph
    pain_points: list[Line] = Field(min_length=1, max_length=8)


class MvpScope(_Model):
    """What the first version does, and what waits."""

    in_scope: list[Line] = Field(min_length=1, max_length=12)
    deferred: list[Line] = Field(max_length=12)


def _claim_object(value: Any) -> Any:
    return {"claim": value, "source_ids": []} if isinstance(value, str) else value


class EvidenceClaim(_Model):
    """A claim that the verdict rests on, with the sources that carry it."""

    claim: Line
    source_ids: list[str]


class Phase0Synthesis(_Model):
    """The CEO's part of the packet: everything that needs judgement."""

    tagline: Annotated[str, _squeeze(180), Field(min_length=3, max_length=180)]
    elevator_pitch: Paragraph
    confidence_breakdown: ConfidenceBreakdown
    target_persona: TargetPersona
    mvp_scope: MvpScope
    recommendation: Annotated[Recommendation, BeforeValidator(_verdict)]
    confidence: Percent
    rationale: list[Line] = Field(min_length=3, max_length=8, description="At least three reasons")
    risks: list[Line] = Field(max_length=8)
    next_actions: list[Line] = Field(max_length=8)
    evidence: list[Annotated[EvidenceClaim, BeforeValidator(_claim_object)]] = Field(max_length=12)


class Phase0Patch(_Model):
    """A revision: only the keys that the guidance changes; at least one."""

    @model_validator(mode="after")
    def _changes_something(self) -> Phase0Patch:
        if not self.model_dump(exclude_none=True):
            raise ValueError("at least one key must change")
        return self

    tagline: Annotated[str, _squeeze(180), Field(min_length=3, max_length=180)] | None = None
    elevator_pitch: Paragraph | None = None
    confidence_breakdown: ConfidenceBreakdown | None = None
    target_persona: TargetPersona | None = None
    mvp_scope: MvpScope | None = None
    recommendation: Annotated[Recommendation, BeforeValidator(_verdict)] | None = None
    confidence: Percent | None = None
    rationale: list[Line] | None = Field(default=None, min_length=3, max_length=8)
    risks: list[Line] | None = Field(default=None, max_length=8)
    next_actions: list[Line] | None = Field(default=None, max_length=8)


# --- what is stored and shown -------------------------------------------------------------------------


class Source(_Model):
    """A passage that the run really retrieved."""

    url: str
    title: str
    quote: str
    quote_sha256: str


class Competitor(_Model):
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


class SourcedText(_Model):
    """A statement with the passages it rests on."""

    text: str
    sourced: bool
    sources: list[Source]


class MarketSizing(_Model):
    """The market's size in words, as other clients read it, beside where each figure comes from."""

    tam: str
    sam: str
    som: str
    figures: dict[Literal["tam", "sam", "som"], SourcedText]
    notes: list[SourcedText]


class ExistingPresence(_Model):
    """What a real look at the project's domain showed. Measured, never written by a model."""

    domain: str
    status: Literal["live", "parked", "none", "not_measured"]
    detail: str
    scanned_at: datetime | None
    sources: list[Source] = Field(default_factory=list, description="The passage of the page that it rests on")


class Evidence(_Model):
    """A claim and where it comes from; `source` is the first URL, or `unsourced`."""

    claim: str
    source: str
    sourced: bool
    sources: list[Source]


class ReasoningSynopsis(_Model):
    """Why the verdict is what it is."""

    decision: Recommendation
    confidence: Percent
    rationale: list[str] = Field(min_length=3)
    risks: list[str]
    next_actions: list[str]
    evidence: list[Evidence]


class Phase0Packet(_Model):
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
