"""The CEO: weighs the research, decides, plans the phases after validation, and revises on guidance."""

from __future__ import annotations

from typing import Any, TypeVar

from studio.agents.profiles import PROFILES
from studio.agents.prompting import DATA_RULE, HONESTY_RULE, LANGUAGE_RULE, blocks, proposals_rule
from studio.model.answers import Answer
from studio.model.call import Call, CompletesCalls
from studio.model.spend import Spender
from studio.packets.phase0 import Phase0Synthesis
from studio.packets.phase2 import Phase2Plan
from studio.packets.phase3 import Phase3Plan
from studio.packets.revision import Patch
from studio.progress import Progress
from studio.tracing.genai import traced_agent

P = TypeVar("P", bound=Patch)

SYNTHESIS_TOKENS = 6000
PLAN_TOKENS = 8000
# A revision may rewrite a whole part with its texts.
PATCH_TOKENS = 6000

PLANS: dict[int, type[Phase2Plan] | type[Phase3Plan]] = {2: Phase2Plan, 3: Phase3Plan}
_TASKS = {
    2: "Plan how the product reaches the people it is for. Start from one north-star metric that shows real use. Choose"
    " two to four channels; say of each what it is to achieve and why these people are there, and prefer one that a"
    " source shows them in. A budget is money: 0 where the work costs none; the channels that are paid ads together"
    " stay within ads_budget_cap times seven a week, and get nothing where <permissions> does not allow ads. Paid"
    " acquisition is still worth describing then: audiences, angles, and what would stop it. Outreach is written by"
    " people one by one: keep the daily cap low. Write the first one to three lifecycle mails out, each with one"
    " purpose and under 120 words, without greeting by name, signature or links: those are added. Each experiment names"
    " what is changed, what is measured and when it has failed. Guardrails are things that must not happen.",
    3: "Plan how the product goes live. Review its architecture from what is known: the runtime mode in <permissions>,"
    " the repository if there is one, the scope of the first version; name the components and what each depends on."
    " Milestones lead from here to a product that people use; each has an owner (a role) and a criterion that somebody"
    " else could check. Tests cover what would hurt people or lose data first. The launch checklist is the order of the"
    " day. Rollback names what triggers it and the steps back. Nothing reaches the protected branch unreviewed."
    " Operational readiness says who notices a failure, how, and what they do. Estimate no effort and promise no date.",
}


class Ceo:
    """Turns facts into a verdict and a plan."""

    def __init__(self, model: CompletesCalls, spender: Spender, progress: Progress) -> None:
        self._model = model
        self._spender = spender
        self._progress = progress

    @traced_agent("ceo")
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

    def plan(self, phase: int, step: str, facts: dict[str, Any]) -> tuple[Phase2Plan | Phase3Plan, Answer]:
        """Return the plan of phase 2 or 3 from the given facts: packets, sources, figures, permissions, memory."""
        return self._model.structured(
            Call(
                profile=PROFILES["ceo"],
                step=step,
                system=f"You are the CEO agent of a startup studio. {_TASKS[phase]} Keep to what earlier <packets> and"
                " <memory> have decided, and say where the <figures> speak against it. In the synopsis recommend"
                " greenlight, revise or kill; the confidence reflects the evidence: without measured figures or"
                " retrieved sources it stays below 40. Cite sources by their ids in the evidence list."
                f" {proposals_rule(phase)} {LANGUAGE_RULE} {HONESTY_RULE} {DATA_RULE}",
                prompt=blocks(**facts),
                max_tokens=PLAN_TOKENS,
            ),
            PLANS[phase],
            self._spender,
            self._progress,
        )

    def revise(self, step: str, facts: dict[str, Any], schema: type[P]) -> tuple[P, Answer]:
        """Return what the founder's guidance changes in the prior packet, and only that."""
        return self._model.structured(
            Call(
                profile=PROFILES["synthesizer"],
                step=step,
                system="You are the CEO agent of a startup studio and revise a packet. Return only the keys that the"
                " guidance changes, each complete; leave out all others. At least one key changes. What stays true of a"
                " key that changes stays in it, word for word."
                f" {LANGUAGE_RULE} {HONESTY_RULE} {DATA_RULE}",
                prompt=blocks(**facts),
                max_tokens=PATCH_TOKENS,
            ),
            schema,
            self._spender,
            self._progress,
        )
