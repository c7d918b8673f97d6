"""The Phase 0 deck (pitch): idea, people, scope, market, confidence, verdict."""

from __future__ import annotations

from collections.abc import Sequence

from studio.decks.content import common, market
from studio.decks.content.common import plural, references, texts
from studio.decks.model import (
    Bar,
    Bars,
    Cell,
    Column,
    Columns,
    Fact,
    Notes,
    Slide,
    Split,
    Statement,
    Table,
    clean,
)
from studio.packets.phase0 import Competitor, ConfidenceBreakdown, ExistingPresence, Phase0Packet
from studio.packets.versions import PacketVersion
from studio.projects import Project

_STATUSES = {"live": "Live", "parked": "Parked", "none": "Nothing there", "not_measured": "Not measured"}


def slides(project: Project, version: PacketVersion, packet: Phase0Packet) -> list[Slide]:
    """Return the deck's slides in their order."""
    synopsis = packet.reasoning_synopsis
    return [
        common.cover(project, version, packet.tagline, _said(packet)),
        _pitch(packet),
        _persona(packet),
        _scope(packet),
        _competitors(packet.competitor_analysis, packet.competitor_note),
        *market.slides(packet.market_sizing),
        *_presence(packet.existing_presence),
        _confidence(packet.confidence_breakdown, synopsis.confidence),
        common.verdict(synopsis),
        common.risks(synopsis),
        *common.next_steps(synopsis.next_actions),
        common.evidence(synopsis.evidence),
        common.closing(project, version, synopsis),
    ]


def _said(packet: Phase0Packet) -> list[str]:
    """Return the texts that stand on the pages after the cover and may hold its tagline."""
    return [packet.elevator_pitch, packet.target_persona.description, *packet.mvp_scope.in_scope]


def _pitch(packet: Phase0Packet) -> Slide:
    text = clean(packet.elevator_pitch)
    return Slide(
        title="The pitch",
        kicker="In short",
        body=Statement(text),
        notes=Notes(say=text, unsourced=("the pitch is the studio's reading of the idea.",)),
        ground="ink",
    )


def _persona(packet: Phase0Packet) -> Slide:
    persona = packet.target_persona
    pains = texts(persona.pain_points)
    return Slide(
        title="Who it is for, and what hurts today",
        kicker="Problem",
        body=Split(clean(persona.name), clean(persona.description), Column("What hurts today", pains, "number")),
        notes=Notes(
            say=f"It is for {clean(persona.name)}.",
            details=(clean(persona.description), *pains),
            unsourced=("persona and pains are the studio's reading of the idea; nobody has been interviewed.",),
        ),
    )


def _scope(packet: Phase0Packet) -> Slide:
    scope = packet.mvp_scope
    first, later = texts(scope.in_scope), texts(scope.deferred)
    return Slide(
        title=f"The first version does {plural(len(first), 'thing')}"
        + (f", {plural(len(later), 'waits', 'wait')}" if later else ""),
        kicker="Scope",
        body=Columns((Column("In the first version", first), Column("Later", later, empty="Nothing is deferred."))),
        notes=Notes(say="What is in, and what is not.", details=(*first, *later), unsourced=(common.PLAN,)),
    )


def _competitors(listed: Sequence[Competitor], note: str) -> Slide:
    if not listed:
        return Slide(
            title="No competitor was found",
            kicker="Competition",
            body=Statement(clean(note)),
            notes=Notes(
                say="That none was found does not mean that there is none.", details=(clean(note),),
                unsourced=("nothing was retrieved.",),
            ),
        )  # fmt: skip
    sourced = sum(one.sourced for one in listed)
    rows = tuple(
        (
            Cell(
                clean(one.name),
                tag=common.host_of(one.sources[0].url) if one.sourced and one.sources else "unsourced",
                tag_url=common.web_address(one.sources[0].url) if one.sourced and one.sources else "",
                strong=True,
            ),
            Cell(clean(one.positioning), tag="unsourced" if "positioning" in one.unsourced_fields else ""),
            Cell(clean(one.pricing), tag="unsourced" if "pricing" in one.unsourced_fields else ""),
            Cell(clean(one.gap)),
        )
        for one in listed
    )
    unsourced = [f"{clean(one.name)} is named in no retrieved passage." for one in listed if not one.sourced]
    unsourced += [
        f"{field} of {clean(one.name)} stands in no passage." for one in listed for field in one.unsourced_fields
    ]
    return Slide(
        title=f"{plural(len(listed), 'competitor')}, {sourced} of them with a source",
        kicker="Competition",
        body=Table(
            ("Competitor", "Positioning", "Pricing", "Gap it leaves (our reading)"),
            (2.0, 3.2, 2.0, 3.2),
            rows,
            note=clean(note),
        ),
        notes=Notes(
            say="Where each competitor stands, and what it leaves open. The gap is the studio's own reading.",
            details=(clean(note),),
            references=references(source for one in listed for source in one.sources),
            unsourced=tuple(unsourced),
        ),
    )


def _presence(listed: Sequence[ExistingPresence]) -> list[Slide]:
    if not listed:
        return []
    if len(listed) == 1:
        return [_one_presence(listed[0])]
    rows = tuple(
        (
            Cell(clean(one.domain), strong=True),
            Cell(_STATUSES[one.status]),
            Cell(clean(one.detail)),
            Cell(f"{one.scanned_at:%Y-%m-%d %H:%M} UTC" if one.scanned_at else "Not measured"),
        )
        for one in listed
    )
    return [
        Slide(
            title="What the domain shows today",
            kicker="Presence",
            body=Table(("Domain", "Status", "What was seen", "Looked at"), (2.2, 1.5, 4.2, 1.9), rows),
            notes=Notes(
                say="Measured by fetching the page, not written by a model.",
                details=tuple(f"{clean(one.domain)}: {clean(one.detail)}" for one in listed),
                references=references(source for one in listed for source in one.sources),
                unsourced=_unmeasured(listed),
            ),
        )
    ]


def _unmeasured(listed: Sequence[ExistingPresence]) -> tuple[str, ...]:
    return tuple(
        f"the packet keeps no passage of {clean(one.domain)}."
        if one.scanned_at
        else f"{clean(one.domain)} was not measured."
        for one in listed
        if not one.sources
    )


def _one_presence(one: ExistingPresence) -> Slide:
    looked = f"looked at {one.scanned_at:%Y-%m-%d %H:%M} UTC" if one.scanned_at else "not looked at"
    return Slide(
        title=f"What {clean(one.domain)} shows today",
        kicker="Presence",
        body=Statement(clean(one.detail) or _STATUSES[one.status], f"{_STATUSES[one.status]}, {looked}"),
        notes=Notes(
            say="Measured by fetching the page, not written by a model.",
            details=(f"{clean(one.domain)}: {clean(one.detail)}",),
            references=references(one.sources),
            unsourced=_unmeasured([one]),
        ),
    )


def _confidence(parts: ConfidenceBreakdown, overall: int) -> Slide:
    values = (
        ("Market", parts.market), ("Competition", parts.competition), ("Feasibility", parts.feasibility),
        ("Timing", parts.timing),
    )  # fmt: skip
    low, high = min(values, key=lambda pair: pair[1]), max(values, key=lambda pair: pair[1])
    told = (
        f"{high[0]} is rated highest ({high[1]}), {low[0].lower()} lowest ({low[1]})."
        if low[1] != high[1]
        else f"All four parts are rated {low[1]}."
    )
    return Slide(
        title=f"Confidence is {overall} of 100; {low[0].lower()} is the weakest part"
        if low[1] != high[1]
        else f"Confidence is {overall} of 100, the same in all parts",
        kicker="Confidence",
        body=Bars(
            series="Confidence, 0 to 100",
            bars=tuple(Bar(label, value, str(value)) for label, value in values),
            number_format="0",
            maximum=100,
            fact=Fact("Overall confidence, of 100", str(overall)),
            remarks=(told, "Ratings are an estimate, not a measurement."),
        ),
        notes=Notes(
            say=told,
            details=tuple(f"{label}: {value} of 100" for label, value in values),
            unsourced=("the ratings are an estimate.",),
        ),
    )
