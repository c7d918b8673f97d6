"""The CEO: weighs the research, decides, and revises on guidance."""

from __future__ import annotations

from typing import Any

from studio.agents.profiles import PROFILES
from studio.agents.prompting import DATA_RULE, HONESTY_RULE, blocks
from studio.model.answers import Answer
from studio.model.call import Call, CompletesCalls
from studio.model.spend import Spender
from studio.packets.phase0 import Phase0Patch, Phase0Synthesis
from studio.progress import Progress

SYNTHESIS_TOKENS = 6000
PATCH_TOKENS = 4000


class Ceo:
    """Turns facts into a verdict and a plan."""

    def __init__(self, model: CompletesCalls, spender: Spender, progress: Progress) -> None:
        self._model = model
        self._spender = spender
        self._progress = progress

    def run(self, step: str, facts: dict[str, Any]) -> tuple[Phase0Synthesis, Answer]:
        """Return the synthesis of the given facts: idea, research findings, sources, presence, memory."""
        return self._model.structured(
            Call(
                profile=PROFILES["ceo_phase0"],
                step=step,
                system="You are the CEO agent of a startup studio and judge an idea before money is spent on it. Weigh"
                " the competitors and the market figures you are given; do not replace them by others. Recommend"
                " greenlight, revise or kill, with a confidence that reflects the evidence: without retrieved"
                " evidence it stays below 40. Cite sources by their ids in the evidence list."
                f" {HONESTY_RULE} {DATA_RULE}",
                prompt=blocks(**facts),
                max_tokens=SYNTHESIS_TOKENS,
            ),
            Phase0Synthesis,
            self._spender,
            self._progress,
        )

    def revise(self, step: str, facts: dict[str, Any]) -> tuple[Phase0Patch, Answer]:
        """Return what the founder's guidance changes in the prior packet, and only that."""
        return self._model.structured(
            Call(
                profile=PROFILES["synthesizer"],
                step=step,
                system="You are the CEO agent of a startup studio and revise a packet. Return only the keys that the"
                " guidance changes, each complete; leave out all others. At least one key changes."
                f" {HONESTY_RULE} {DATA_RULE}",
                prompt=blocks(**facts),
                max_tokens=PATCH_TOKENS,
            ),
            Phase0Patch,
            self._spender,
            self._progress,
        )
