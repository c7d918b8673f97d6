"""The synthesizer: weighs the parts of a phase into one verdict."""

from __future__ import annotations

from typing import Any

from studio.agents.profiles import PROFILES
from studio.agents.prompting import DATA_RULE, HONESTY_RULE, LANGUAGE_RULE, blocks, proposals_rule
from studio.model.answers import Answer
from studio.model.call import Call, CompletesCalls
from studio.model.spend import Spender
from studio.packets.phase1 import PhaseSynopsis
from studio.progress import Progress
from studio.tracing.genai import traced_agent

SYNOPSIS_TOKENS = 2400


class Synthesizer:
    """Turns written parts into a summary, a verdict and next steps."""

    def __init__(self, model: CompletesCalls, spender: Spender, progress: Progress) -> None:
        self._model = model
        self._spender = spender
        self._progress = progress

    @traced_agent("synthesizer")
    def run(self, phase: int, step: str, facts: dict[str, Any]) -> tuple[PhaseSynopsis, Answer]:
        """Return the verdict over the parts of `facts`, weighed against the earlier packets, sources and figures."""
        return self._model.structured(
            Call(
                profile=PROFILES["synthesizer"],
                step=step,
                system=f"You are the CEO agent of a startup studio and close Phase {phase}. Read the <parts> together:"
                " say where they contradict each other or the Phase 0 packet, and judge whether they can show that the"
                " idea holds. The summary tells a founder in a few sentences what was prepared and what is open."
                " Recommend greenlight (publish and measure), revise (name what) or kill. The confidence says how"
                " likely this plan is to answer the open question, not how good it sounds; without measured figures and"
                " retrieved evidence it stays below 40. Cite sources by their ids in the evidence list."
                f" {proposals_rule(phase)} {LANGUAGE_RULE} {HONESTY_RULE} {DATA_RULE}",
                prompt=blocks(**facts),
                max_tokens=SYNOPSIS_TOKENS,
            ),
            PhaseSynopsis,
            self._spender,
            self._progress,
        )
