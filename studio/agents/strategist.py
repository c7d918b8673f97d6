"""The strategist: writes the parts of Phase 1, one call each, so that they can be written side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from studio.agents.profiles import PROFILES
from studio.agents.prompting import COPY_RULE, DATA_RULE, HONESTY_RULE, LANGUAGE_RULE, blocks
from studio.model.answers import Answer
from studio.model.call import Call, CompletesCalls
from studio.model.spend import Spender
from studio.packets.phase1 import BrandKit, EmailSequence, LandingCopy, SocialStrategy, WaitlistPlan
from studio.progress import Progress
from studio.tracing.genai import traced_agent


@dataclass(frozen=True)
class Part:
    """A part of Phase 1: its name, schema and token limit, what to write, and the task that lists it."""

    name: str
    schema: type[BaseModel]
    max_tokens: int
    task: str
    agent: str
    listed_as: str


# Token limits are those of the domain specification §3, except where the schema asks for the texts themselves
# (sections, mails), which the specification's plans did not hold.
PARTS: tuple[Part, ...] = (
    Part(
        "landing_page",
        LandingCopy,
        3000,
        "Write the words of a landing page on which people join a waitlist. The headline says in one line what the"
        " product lets the person in target_persona do; the subheadline says how, and for whom. Then three to five"
        " sections, each of two to four sentences and about one thing: the problem as this person meets it, how it"
        " works step by step, what the first version does and what it leaves for later (mvp_scope), and what the person"
        " will reasonably doubt. The button says what happens when it is pressed. The product is not finished: say so"
        " where it matters. Put into launch_notes what a person has to check or decide before the page goes live.",
        "design_agent",
        "landing_page",
    ),
    Part(
        "brand_kit",
        BrandKit,
        2200,
        "Define how the product sounds and looks, so that nobody would take it for another one in its market. Voice:"
        " three or four traits, each with what it means for a sentence, drawn from who the product is for. Palette:"
        " four to six colours with their roles (background, text, accent, second accent), taken from the world of the"
        " idea rather than from fashion; text must be readable on the background. Font pairing: fonts that browsers"
        " have, with their fallbacks. Logo prompt: one simple mark, described so that an illustrator could draw it.",
        "brand_agent",
        "brand_kit",
    ),
    Part(
        "waitlist",
        WaitlistPlan,
        2600,
        "Plan how interest is captured and measured. The studio itself serves the page, stores the signups and sends"
        " the confirmation: double opt-in, one entry per address. Ask for as little as the next decision needs: an"
        " address, and at most a question or two that tell the segments apart. Name the events that show whether the"
        " idea holds (visit, signup, confirmed, and what is particular to this idea), and the views in which somebody"
        " would look at them. Aim at a conversion rate only if <figures> or the sources give a ground for one;"
        " otherwise say that it is set after the first hundred visits.",
        "outreach_agent",
        "waitlist_plan",
    ),
    Part(
        "email_sequence",
        EmailSequence,
        3200,
        "Write the welcome sequence for people who have confirmed their address: three or four mails, day 0 to about"
        " day 10, each with one purpose and under 120 words, as a person writes to a person. The first thanks and says"
        " what happens next; the others tell one useful thing each and ask one question that the studio needs answered"
        " (how they solve the problem today, what they would pay for). The goal is internal; subject and body are read"
        " by the subscriber. Do not write a greeting with a name, a signature, links or an unsubscribe note: those are"
        " added.",
        "outreach_agent",
        "waitlist_sequence",
    ),
    Part(
        "social_strategy",
        SocialStrategy,
        1800,
        "Choose two to four places where the person in target_persona already is, each with why there and what one post"
        " would be; prefer one specific community to a large platform. Three to five subjects to write about, each"
        " something that these people want to know even if they never buy. A cadence that one person can keep.",
        "growth_agent",
        "social_strategy",
    ),
)


class Strategist:
    """Writes one part of a validation plan."""

    def __init__(self, model: CompletesCalls, spender: Spender, progress: Progress) -> None:
        self._model = model
        self._spender = spender
        self._progress = progress

    @traced_agent("strategist")
    def run(self, part: Part, step: str, facts: dict[str, Any]) -> tuple[BaseModel, Answer]:
        """Return the part, written from the given facts: idea, packets, company, memory, permissions, guidance."""
        return self._model.structured(
            Call(
                profile=PROFILES["strategist"],
                step=step,
                system="You are a strategist of a startup studio and prepare the validation of an idea whose Phase 0"
                f" packet is in <packets>. {part.task} Keep to what <memory> says was decided or preferred."
                f" {LANGUAGE_RULE} {COPY_RULE} {HONESTY_RULE} {DATA_RULE}",
                prompt=blocks(**facts),
                max_tokens=part.max_tokens,
            ),
            part.schema,
            self._spender,
            self._progress,
        )
