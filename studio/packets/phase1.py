"""The Phase 1 packet (validate): what the agents return part by part, and what is stored (domain specification §4).

Five parts are written side by side, then a synopsis weighs them. Texts that a visitor or a subscriber will read
(sections of the landing page, bodies of the mails) are written out: nothing goes out that nobody has reviewed.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from studio.packets.actions import ProposedAction
from studio.packets.fields import (
    EvidenceClaims,
    Line,
    PacketModel,
    Paragraph,
    Percent,
    ReasoningSynopsis,
    Short,
    Verdict,
    squeeze,
)
from studio.packets.revision import SynopsisPatch

PROMPT_VERSION = "phase1-1"

Headline = Annotated[str, squeeze(120), Field(min_length=8, max_length=120)]
Subject = Annotated[str, squeeze(120), Field(min_length=3, max_length=120)]
Button = Annotated[str, squeeze(40), Field(min_length=3, max_length=40)]


class SectionCopy(PacketModel):
    """A section of the landing page as a visitor reads it."""

    title: Short
    body: Paragraph = Field(
        description="Only what the idea says; no numbers, customers or quotations that are not given"
    )


class LandingCopy(PacketModel):
    """The landing page in words."""

    headline: Headline
    subheadline: Annotated[str, squeeze(300), Field(min_length=8, max_length=300)]
    primary_cta: Button = Field(description="The words on the button that joins the waitlist")
    sections: list[Short] = Field(min_length=3, max_length=8, description="The titles of the sections, in order")
    section_copy: list[SectionCopy] = Field(min_length=3, max_length=8, description="The same sections, written out")
    launch_notes: list[Line] = Field(min_length=2, max_length=8, description="What to check before it goes live")


class BrandKit(PacketModel):
    """Voice and looks."""

    voice: Annotated[str, squeeze(400), Field(min_length=4, max_length=400)]
    color_palette: list[Annotated[str, squeeze(80), Field(min_length=3, max_length=80)]] = Field(
        min_length=3,
        max_length=8,
        description="Each a hex colour and its role, for instance '#1F4D3A deep green, text'",
    )
    font_pairing: Annotated[str, squeeze(160), Field(min_length=3, max_length=160)] = Field(
        description="Heading and body, of fonts that a browser has"
    )
    logo_prompt: Annotated[str, squeeze(600), Field(min_length=8, max_length=600)]


class Waitlist(PacketModel):
    """How interest is captured."""

    capture_stack: Annotated[str, squeeze(240), Field(min_length=2, max_length=240)]
    double_opt_in: bool
    form_fields: list[Annotated[str, squeeze(60), Field(min_length=2, max_length=60)]] = Field(
        min_length=2, max_length=6
    )
    target_conversion_rate: Annotated[str, squeeze(160), Field(min_length=2, max_length=160)] = Field(
        description="The rate to aim at, and what it rests on; or that none can be set before traffic is measured"
    )


class Analytics(PacketModel):
    """What is measured."""

    provider: Annotated[str, squeeze(120), Field(min_length=2, max_length=120)]
    events: list[Annotated[str, squeeze(120), Field(min_length=2, max_length=120)]] = Field(min_length=3, max_length=12)
    dashboard_views: list[Short] = Field(min_length=2, max_length=8)


class WaitlistPlan(PacketModel):
    """Waitlist and analytics, which are planned together."""

    waitlist: Waitlist
    analytics: Analytics


class SequenceEmail(PacketModel):
    """A mail of a sequence: when, why, and its words."""

    day: Annotated[str, squeeze(40), Field(min_length=1, max_length=40)] = Field(
        description="For instance 'Day 0', counted from the confirmation of the address"
    )
    subject: Subject
    goal: Annotated[str, squeeze(300), Field(min_length=8, max_length=300)] = Field(
        description="What it is for; internal, never sent"
    )
    body: list[Paragraph] = Field(
        min_length=1, max_length=8, description="What the subscriber reads, paragraph by paragraph"
    )
    cta_label: Button | None = None


class EmailSequence(PacketModel):
    """The welcome sequence for those who have confirmed their address."""

    emails: list[SequenceEmail] = Field(min_length=3, max_length=8)


class SocialStrategy(PacketModel):
    """Where and what to post."""

    channels: list[Short] = Field(min_length=2, max_length=8)
    content_pillars: list[Line] = Field(min_length=3, max_length=8)
    posting_cadence: Annotated[str, squeeze(240), Field(min_length=2, max_length=240)]


class PhaseSynopsis(PacketModel):
    """The CEO's verdict over the parts of a phase, and what to do next. Used by phases 1 to 3."""

    summary: Annotated[str, squeeze(1200), Field(min_length=20, max_length=1200)]
    recommendation: Verdict
    confidence: Percent
    rationale: list[Line] = Field(min_length=3, max_length=8, description="At least three reasons")
    risks: list[Line] = Field(max_length=8)
    next_actions: list[Line] = Field(max_length=8, description="What people should do next, in words")
    proposed_actions: list[ProposedAction] = Field(
        max_length=5, description="What the studio could do itself after an approval; may be empty"
    )
    evidence: EvidenceClaims


class Phase1Patch(SynopsisPatch):
    """A revision of Phase 1: the parts that the guidance changes, each complete."""

    landing_page: LandingCopy | None = None
    waitlist: Waitlist | None = None
    analytics: Analytics | None = None
    brand_kit: BrandKit | None = None
    social_strategy: SocialStrategy | None = None
    email_sequence: EmailSequence | None = None
    page_direction: Annotated[str, squeeze(400), Field(min_length=3, max_length=400)] | None = Field(
        default=None, description="What the guidance asks of how the landing page looks; null where it asks nothing"
    )


class PhaseReasoning(ReasoningSynopsis):
    """The synopsis of phases 1 to 3 as stored."""

    proposed_actions: list[ProposedAction] = Field(default_factory=list)


class Phase1Packet(PacketModel):
    """The Phase 1 packet as stored in `phase_packets.packet`."""

    summary: Annotated[str, Field(min_length=20)]
    landing_page: LandingCopy
    waitlist: Waitlist
    analytics: Analytics
    brand_kit: BrandKit
    social_strategy: SocialStrategy
    email_sequence: EmailSequence
    recommendation: Verdict
    reasoning_synopsis: PhaseReasoning

    @model_validator(mode="after")
    def _one_verdict(self) -> Phase1Packet:
        if self.recommendation != self.reasoning_synopsis.decision:
            raise ValueError("recommendation and reasoning_synopsis.decision differ")
        return self
