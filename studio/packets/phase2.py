"""The Phase 2 packet (distribute): what the CEO returns, and what is stored (domain specification §4).

What the founder has permitted is not asked of a model: whether ads may run, and for how much a day, is forced into
the stored packet.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field, PlainSerializer, model_validator

from studio.packets.fields import Line, PacketModel, Short, Verdict, squeeze
from studio.packets.phase1 import PhaseReasoning, PhaseSynopsis, SequenceEmail
from studio.packets.revision import SynopsisPatch

PROMPT_VERSION = "phase2-1"

# Exact here, a JSON number in the packet: that is what other clients read.
Dollars = Annotated[Decimal, Field(ge=0), PlainSerializer(float, return_type=float, when_used="json")]


class ChannelPlan(PacketModel):
    """One channel and what it is for."""

    channel: Annotated[str, squeeze(120), Field(min_length=2, max_length=120)]
    objective: Annotated[str, squeeze(300), Field(min_length=4, max_length=300)]
    weekly_budget: Dollars = Field(description="Dollars a week; 0 for work without money")


class DistributionStrategy(PacketModel):
    """How people hear of it."""

    north_star_metric: Annotated[str, squeeze(240), Field(min_length=3, max_length=240)]
    channel_plan: list[ChannelPlan] = Field(min_length=2, max_length=8)


class PaidAcquisition(PacketModel):
    """Paid ads. `enabled` and the cap are what the project's permissions say."""

    enabled: bool
    budget_cap_per_day: Dollars
    target_audiences: list[Line] = Field(min_length=1, max_length=8)
    creative_angles: list[Line] = Field(min_length=2, max_length=8)
    kill_switch: Annotated[str, squeeze(300), Field(min_length=6, max_length=300)] = Field(
        description="What stops the campaign"
    )


class Outreach(PacketModel):
    """Direct messages to people one by one."""

    sequence_type: Annotated[str, squeeze(160), Field(min_length=3, max_length=160)]
    target_segments: list[Short] = Field(min_length=1, max_length=8)
    daily_send_cap: int = Field(ge=0)


class LifecycleEmail(PacketModel):
    """Mail to people who know the product already."""

    journeys: list[Line] = Field(min_length=2, max_length=8)
    send_window: Annotated[str, squeeze(160), Field(min_length=3, max_length=160)]
    emails: list[SequenceEmail] = Field(min_length=1, max_length=6, description="The mails to send first, written out")


class _Plan(PacketModel):
    distribution_strategy: DistributionStrategy
    paid_acquisition: PaidAcquisition
    outreach: Outreach
    lifecycle_email: LifecycleEmail
    weekly_experiments: list[Line] = Field(min_length=3, max_length=10)
    guardrails: list[Line] = Field(min_length=3, max_length=10)


class Phase2Plan(_Plan):
    """What the model returns."""

    synopsis: PhaseSynopsis


class Phase2Patch(SynopsisPatch):
    """A revision of Phase 2: the parts that the guidance changes, each complete."""

    distribution_strategy: DistributionStrategy | None = None
    paid_acquisition: PaidAcquisition | None = None
    outreach: Outreach | None = None
    lifecycle_email: LifecycleEmail | None = None
    weekly_experiments: list[Line] | None = Field(default=None, min_length=3, max_length=10)
    guardrails: list[Line] | None = Field(default=None, min_length=3, max_length=10)


class Phase2Packet(_Plan):
    """The Phase 2 packet as stored in `phase_packets.packet`."""

    summary: Annotated[str, Field(min_length=20)]
    recommendation: Verdict
    reasoning_synopsis: PhaseReasoning

    @model_validator(mode="after")
    def _one_verdict(self) -> Phase2Packet:
        if self.recommendation != self.reasoning_synopsis.decision:
            raise ValueError("recommendation and reasoning_synopsis.decision differ")
        return self
