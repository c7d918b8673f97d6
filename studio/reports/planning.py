"""From a topic to the questions that are researched."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from studio.agents.profiles import PROFILES
from studio.agents.prompting import DATA_RULE, HONESTY_RULE, blocks
from studio.claims import Json
from studio.model.call import Call, CompletesCalls
from studio.model.spend import Spender
from studio.packets.fields import squeeze
from studio.progress import Progress
from studio.reports.languages import checked_tag
from studio.tracing.genai import traced_agent

FEWEST_QUESTIONS, MOST_QUESTIONS = 3, 8
# A report of three slides has no room for eight answers, and each question costs searches.
SLIDES_PER_QUESTION = 3
PLAN_TOKENS = 1500
STEP = "plan/questions"


class ReportPlan(BaseModel):
    """The questions of a report, in the language of its topic (`language`, a BCP 47 tag)."""

    language: str
    questions: list[Annotated[str, squeeze(300), Field(min_length=1, max_length=300)]] = Field(
        min_length=FEWEST_QUESTIONS, max_length=MOST_QUESTIONS
    )


def wanted_questions(slides: int) -> int:
    """Return how many questions a report of so many slides has room for."""
    return min(MOST_QUESTIONS, max(FEWEST_QUESTIONS, slides // SLIDES_PER_QUESTION))


@traced_agent("report_planner")
def plan(model: CompletesCalls, spender: Spender, progress: Progress, facts: dict[str, Any], slides: int) -> Json:
    """Return `language` and `questions` of a report on `facts["topic"]`; the same question is asked once."""
    count = wanted_questions(slides)
    answer, call = model.structured(
        Call(
            profile=PROFILES["synthesizer"],
            step=STEP,
            system="You are the research agent of a startup studio and plan a report on <topic>. Break it into"
            f" {FEWEST_QUESTIONS} to {count} questions that pages of the web can answer, each by itself, without"
            " overlap; together they cover what a founder has to know of the topic. Ask for facts and figures, not for"
            " opinions, and do not assume an answer. Name the language of <topic> as a BCP 47 tag, and write the"
            f" questions in it. {HONESTY_RULE} {DATA_RULE}",
            prompt=blocks(**facts),
            max_tokens=PLAN_TOKENS,
        ),
        ReportPlan,
        spender,
        progress,
    )
    questions = list({" ".join(text.casefold().split()): text for text in answer.questions}.values())
    return {
        "language": checked_tag(answer.language, str(facts["topic"])),
        "questions": questions[:count],
        "model": call.model,
    }
