"""The Phase 3 packet (go live): what the CEO returns, and what is stored (domain specification §4).

Runtime mode and protected branch are facts of the project, forced into the stored packet.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from studio.packets.fields import Line, PacketModel, Short, Verdict, squeeze
from studio.packets.phase1 import PhaseReasoning, PhaseSynopsis
from studio.packets.revision import SynopsisPatch

PROMPT_VERSION = "phase3-1"
PROTECTED_BRANCH = "main"


class ArchitectureReview(PacketModel):
    """What the product is made of."""

    runtime_mode: Literal["shared", "attached"]
    system_components: list[Line] = Field(min_length=3, max_length=12)
    critical_dependencies: list[Line] = Field(min_length=2, max_length=12)


class Milestone(PacketModel):
    """A milestone and how one sees that it is reached."""

    name: Annotated[str, squeeze(160), Field(min_length=3, max_length=160)]
    owner: Annotated[str, squeeze(80), Field(min_length=2, max_length=80)]
    exit_criteria: Annotated[str, squeeze(400), Field(min_length=8, max_length=400)]


class BuildPlan(PacketModel):
    """From here to a live product."""

    milestones: list[Milestone] = Field(min_length=3, max_length=10)


class QaPlan(PacketModel):
    """What is tested, and what must hold before a launch."""

    test_suites: list[Line] = Field(min_length=3, max_length=12)
    acceptance_gates: list[Line] = Field(min_length=3, max_length=12)


class RollbackPlan(PacketModel):
    """When and how to go back."""

    triggers: list[Line] = Field(min_length=2, max_length=8)
    steps: list[Line] = Field(min_length=3, max_length=10)


class MergePolicy(PacketModel):
    """How a change reaches the protected branch: never unreviewed."""

    review_required: bool
    approvals_required: int = Field(ge=1)
    protected_branch: Short


class _Plan(PacketModel):
    architecture_review: ArchitectureReview
    build_plan: BuildPlan
    qa_plan: QaPlan
    launch_checklist: list[Line] = Field(min_length=4, max_length=16)
    rollback_plan: RollbackPlan
    merge_policy: MergePolicy
    operational_readiness: list[Line] = Field(min_length=3, max_length=12)


class Phase3Plan(_Plan):
    """What the model returns."""

    synopsis: PhaseSynopsis


class Phase3Patch(SynopsisPatch):
    """A revision of Phase 3: the parts that the guidance changes, each complete."""

    architecture_review: ArchitectureReview | None = None
    build_plan: BuildPlan | None = None
    qa_plan: QaPlan | None = None
    launch_checklist: list[Line] | None = Field(default=None, min_length=4, max_length=16)
    rollback_plan: RollbackPlan | None = None
    merge_policy: MergePolicy | None = None
    operational_readiness: list[Line] | None = Field(default=None, min_length=3, max_length=12)


class Phase3Packet(_Plan):
    """The Phase 3 packet as stored in `phase_packets.packet`."""

    summary: Annotated[str, Field(min_length=20)]
    recommendation: Verdict
    reasoning_synopsis: PhaseReasoning

    @model_validator(mode="after")
    def _one_verdict(self) -> Phase3Packet:
        if self.recommendation != self.reasoning_synopsis.decision:
            raise ValueError("recommendation and reasoning_synopsis.decision differ")
        return self
