"""Putting the packets of phases 1 to 3 together: parts or a plan in, a stored packet out."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from studio.packets import phase1, phase2, phase3
from studio.packets.evidence import evidence
from studio.packets.fields import Source
from studio.packets.phase1 import PhaseReasoning, PhaseSynopsis
from studio.packets.revision import SynopsisPatch, replaced
from studio.packets.schemas import SCHEMAS

# What is stored, and what a revision of it may change, by phase.
PACKETS: dict[int, type[BaseModel]] = {phase: SCHEMAS[phase] for phase in (1, 2, 3)}
PATCHES: dict[int, type[SynopsisPatch]] = {1: phase1.Phase1Patch, 2: phase2.Phase2Patch, 3: phase3.Phase3Patch}
PROMPT_VERSIONS: dict[int, str] = {
    1: phase1.PROMPT_VERSION,
    2: phase2.PROMPT_VERSION,
    3: phase3.PROMPT_VERSION,
}


def assemble(phase: int, parts: dict[str, Any], synopsis: PhaseSynopsis, sources: dict[str, Source]) -> dict[str, Any]:
    """Return the packet of a phase as JSON; `parts` holds everything but the verdict, by the packet's keys.

    The decision of the synopsis is the recommendation, so that they cannot disagree.
    """
    packet = {
        **parts,
        "summary": synopsis.summary,
        "recommendation": synopsis.recommendation,
        "reasoning_synopsis": _reasoning(synopsis, sources).model_dump(mode="json"),
    }
    return validated(phase, packet)


def patched(phase: int, prior: dict[str, Any], patch: SynopsisPatch) -> dict[str, Any]:
    """Return the prior packet with the patch's keys replaced, validated again; raise where it does not fit."""
    return validated(phase, replaced(prior, patch))


def validated(phase: int, packet: dict[str, Any]) -> dict[str, Any]:
    """Return the packet as its schema has it; raise `pydantic.ValidationError` where it does not fit."""
    return PACKETS[phase].model_validate(packet).model_dump(mode="json")


def _reasoning(synopsis: PhaseSynopsis, sources: dict[str, Source]) -> PhaseReasoning:
    return PhaseReasoning(
        decision=synopsis.recommendation,
        confidence=synopsis.confidence,
        rationale=list(synopsis.rationale),
        risks=list(synopsis.risks),
        next_actions=list(synopsis.next_actions),
        evidence=[evidence(claim.claim, claim.source_ids, sources) for claim in synopsis.evidence],
        proposed_actions=list(synopsis.proposed_actions),
    )
