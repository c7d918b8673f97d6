"""Revisions: a patch names the keys of a packet that the founder's guidance changes, and everything else stays.

What a patch leaves out is taken over to the letter, so that what the founder has read and not asked to change is
still what he has read.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from studio.packets.actions import ProposedAction
from studio.packets.fields import Line, PacketModel, Percent, Verdict, squeeze

# These keys of a patch belong into the packet's synopsis.
IN_SYNOPSIS = ("confidence", "rationale", "risks", "next_actions", "proposed_actions")


class Patch(PacketModel):
    """The keys that change, each complete; at least one."""

    @model_validator(mode="after")
    def _changes_something(self) -> Patch:
        if not changed_keys(self):
            raise ValueError("at least one key must change")
        return self


class SynopsisPatch(Patch):
    """What a revision of phases 1 to 3 may change in the verdict."""

    summary: Annotated[str, squeeze(1200), Field(min_length=20, max_length=1200)] | None = None
    recommendation: Verdict | None = None
    confidence: Percent | None = None
    rationale: list[Line] | None = Field(default=None, min_length=3, max_length=8)
    risks: list[Line] | None = Field(default=None, max_length=8)
    next_actions: list[Line] | None = Field(default=None, max_length=8)
    proposed_actions: list[ProposedAction] | None = Field(default=None, max_length=5)


def changed_keys(patch: Patch) -> list[str]:
    """Return the keys that a patch changes, sorted."""
    return sorted(patch.model_dump(exclude_none=True))


def replaced(prior: dict[str, Any], patch: Patch) -> dict[str, Any]:
    """Return the packet `prior` with the patch's keys replaced; the decision is the recommendation again.

    Keys that the packet does not have are notes to whoever makes its deliverables, and are left out.
    """
    synopsis = dict(prior["reasoning_synopsis"])
    packet = {**prior, "reasoning_synopsis": synopsis}
    for key, value in patch.model_dump(mode="json", exclude_none=True).items():
        if key in IN_SYNOPSIS:
            synopsis[key] = value
        elif key in packet:
            packet[key] = value
    synopsis["decision"] = packet["recommendation"]
    return packet
