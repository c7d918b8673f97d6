"""Putting a Phase 0 packet together: findings and synthesis by source id in, sourced packet out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from studio.packets.evidence import evidence
from studio.packets.fields import ReasoningSynopsis, Source
from studio.packets.phase0 import (
    Competitor,
    CompetitorFindings,
    ExistingPresence,
    MarketFigure,
    MarketFindings,
    MarketSizing,
    Phase0Packet,
    Phase0Patch,
    Phase0Synthesis,
    SourcedText,
)
from studio.packets.revision import replaced
from studio.research import Dossier, carrying, named_by, numbered

NOT_MEASURED = "Not measured: the search retrieved no page that gives a figure."
CLAIMED_FIELDS: tuple[Literal["positioning", "pricing"], ...] = ("positioning", "pricing")


def competitors(
    findings: CompetitorFindings | None, sources: dict[str, Source], found: Dossier
) -> tuple[list[Competitor], str]:
    """Return the competitors with their sources, and how complete the list is; none where nothing was retrieved."""
    if findings is None:
        return [], _nothing_found(found, "competitors")
    listed: list[Competitor] = []
    for finding in findings.competitors:
        carried = named_by(finding.name, finding.source_ids, sources)
        named = numbered(carried)
        listed.append(
            Competitor(
                name=finding.name,
                positioning=finding.positioning,
                gap=finding.gap,
                pricing=finding.pricing,
                sourced=bool(carried),
                sources=carried,
                unsourced_fields=[
                    field for field in CLAIMED_FIELDS if not carrying(getattr(finding, field), named, named)
                ],
            )
        )
    return listed, findings.note


def market(findings: MarketFindings | None, sources: dict[str, Source], found: Dossier) -> MarketSizing:
    """Return the market sizing with its sources; not measured where nothing was retrieved."""
    if findings is None:
        none = SourcedText(text=NOT_MEASURED, sourced=False, sources=[])
        note = SourcedText(text=_nothing_found(found, "market figures"), sourced=False, sources=[])
        return MarketSizing(
            tam=NOT_MEASURED,
            sam=NOT_MEASURED,
            som=NOT_MEASURED,
            figures={"tam": none, "sam": none, "som": none},
            notes=[note],
        )
    figures = {
        "tam": _sourced(findings.tam, sources),
        "sam": _sourced(findings.sam, sources),
        "som": _sourced(findings.som, sources),
    }
    return MarketSizing.model_validate(
        {
            **{key: figure.text for key, figure in figures.items()},
            "figures": figures,
            "notes": [_sourced(note, sources) for note in findings.notes],
        }
    )


def assemble(
    synthesis: Phase0Synthesis,
    listed: list[Competitor],
    note: str,
    sizing: MarketSizing,
    presence: Iterable[ExistingPresence],
    sources: dict[str, Source],
) -> Phase0Packet:
    """Return the packet; the decision of the synopsis is the recommendation, so that they cannot disagree."""
    return Phase0Packet(
        tagline=synthesis.tagline,
        elevator_pitch=synthesis.elevator_pitch,
        confidence_breakdown=synthesis.confidence_breakdown,
        competitor_analysis=listed,
        competitor_note=note,
        market_sizing=sizing,
        target_persona=synthesis.target_persona,
        mvp_scope=synthesis.mvp_scope,
        existing_presence=list(presence),
        recommendation=synthesis.recommendation,
        reasoning_synopsis=ReasoningSynopsis(
            decision=synthesis.recommendation,
            confidence=synthesis.confidence,
            rationale=list(synthesis.rationale),
            risks=list(synthesis.risks),
            next_actions=list(synthesis.next_actions),
            evidence=[evidence(claim.claim, claim.source_ids, sources) for claim in synthesis.evidence],
        ),
    )


def patched(prior: Phase0Packet, patch: Phase0Patch, presence: Iterable[ExistingPresence]) -> Phase0Packet:
    """Return the prior packet with the patch's keys replaced, and its facts as measured now, validated again."""
    packet = replaced(prior.model_dump(mode="json"), patch)
    packet["existing_presence"] = [item.model_dump(mode="json") for item in presence]
    return Phase0Packet.model_validate(packet)


def _sourced(figure: MarketFigure, sources: dict[str, Source]) -> SourcedText:
    carried = carrying(figure.text, figure.source_ids, sources)
    return SourcedText(text=figure.text, sourced=bool(carried), sources=carried)


def _nothing_found(found: Dossier, what: str) -> str:
    return (
        f"No {what}: {found.searches} {'search' if found.searches == 1 else 'searches'} returned"
        f" {found.retrieved} {'page' if found.retrieved == 1 else 'pages'}, and none could be cited."
    )
