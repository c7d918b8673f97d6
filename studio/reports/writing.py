"""The report's own words: title, summary, headings and next steps, each resting on claims that stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field

from studio.agents.profiles import PROFILES
from studio.agents.prompting import COPY_RULE, DATA_RULE, HONESTY_RULE, blocks
from studio.model.call import Call, CompletesCalls
from studio.model.spend import Spender
from studio.packets.fields import squeeze
from studio.progress import Progress
from studio.reports.charts import ProposedChart
from studio.reports.figures import figures_in, missing
from studio.reports.model import CitedText, Claim
from studio.text import clip
from studio.tracing.genai import traced_agent

TITLE_CHARS = 120
HEADING_CHARS = 140
SENTENCE_CHARS = 360
MOST_SENTENCES, MOST_STEPS = 6, 5
# Where no sentence of the summary rests on anything, so many statements stand in its place.
FALLBACK_SENTENCES = 4
TEXT_TOKENS = 4000
# "[3]" or "(1, 2)" in a sentence names its claims; they are listed beside it.
_REFERENCES = re.compile(r"\s*[\[(]\d+(?:\s*[,;]\s*\d+)*[\])]")


class WrittenSentence(BaseModel):
    """A sentence and the numbers of the claims that it says again."""

    text: Annotated[str, squeeze(SENTENCE_CHARS), Field(min_length=1, max_length=SENTENCE_CHARS)]
    claims: list[int]


class WrittenHeading(BaseModel):
    """A question's answer in a few words, and the numbers of the claims that say it."""

    question: int
    text: Annotated[str, squeeze(HEADING_CHARS), Field(min_length=1, max_length=HEADING_CHARS)]
    claims: list[int]


class ReportText(BaseModel):
    """What the report says in its own words."""

    title: Annotated[str, squeeze(TITLE_CHARS), Field(min_length=1, max_length=TITLE_CHARS)]
    summary: list[WrittenSentence]
    headings: list[WrittenHeading]
    next_steps: list[WrittenSentence]
    charts: list[ProposedChart]


@traced_agent("report_writer")
def write(
    model: CompletesCalls,
    spender: Spender,
    progress: Progress,
    step: str,
    facts: dict[str, Any],
    claims: Sequence[Claim],
) -> tuple[ReportText, str]:
    """Return the words as the model writes them of claims that stand, unchecked, and the model's name."""
    answer, call = model.structured(
        Call(
            profile=PROFILES["synthesizer"],
            step=step,
            system="You are the research agent of a startup studio and write a report on <topic> for a founder. All"
            " that you may say is in the numbered <claims>. Write, in the language of <topic>: a title; a summary of at"
            f" most {MOST_SENTENCES} sentences, the most telling first; for each of the <questions> that has claims a"
            " heading that answers it in a few words; up to three next steps that follow from the claims; and where"
            " claims of one question give figures of one unit that can fairly be compared, a chart of them, each bar"
            " with a label of the claim's own words and the figure as the claim writes it. Put to each sentence,"
            " heading and step the numbers of the claims that it rests on, in the list and not in the text. Use no"
            " figure that its claims do not have, compute none, and name no cause that they do not name."
            f" {COPY_RULE} {HONESTY_RULE} {DATA_RULE}",
            prompt=blocks(
                **facts,
                claims=[
                    {"claim": one.number, "question": one.question, "statement": one.statement, "quote": one.quote}
                    for one in claims
                ],
            ),
            max_tokens=TEXT_TOKENS,
        ),
        ReportText,
        spender,
        progress,
    )
    return answer, call.model


def title(written: str, topic: str, claims: Iterable[Claim]) -> str:
    """Return the written title, or the topic where the title says a figure that neither it nor a claim has."""
    said = figures_in(topic) + [figure for claim in claims for figure in figures_in(_text(claim))]
    return written if not missing(figures_in(written), said) else clip(" ".join(topic.split()), TITLE_CHARS)


def sentences(written: Iterable[WrittenSentence], claims: Mapping[int, Claim], most: int) -> tuple[CitedText, ...]:
    """Return the sentences that rest on claims that stand, with these claims alone; figures must be theirs."""
    kept: list[CitedText] = []
    for sentence in written:
        rests_on = _standing(sentence.claims, claims)
        text = _REFERENCES.sub("", sentence.text).strip()
        if rests_on and text and not _says_more(text, rests_on):
            kept.append(CitedText(text=text, claims=tuple(claim.number for claim in rests_on)))
    return tuple(kept[:most])


def summary(written: Iterable[WrittenSentence], claims: Mapping[int, Claim]) -> tuple[CitedText, ...]:
    """Return the summary; where none of its sentences can stand, the surest statements themselves."""
    kept = sentences(written, claims, MOST_SENTENCES)
    if kept:
        return kept
    standing = [claim for claim in claims.values() if claim.outcome == "supported"]
    surest = sorted(standing, key=lambda claim: (-claim.confidence, claim.number))[:FALLBACK_SENTENCES]
    return tuple(CitedText(text=claim.statement, claims=(claim.number,)) for claim in surest)


def headings(
    written: Iterable[WrittenHeading], questions: Sequence[str], claims: Mapping[int, Claim]
) -> dict[int, str]:
    """Return a heading for each question by number: the written one where claims to it say that, else itself."""
    found = {number: clip(text, HEADING_CHARS) for number, text in enumerate(questions, 1)}
    for heading in written:
        rests_on = [claim for claim in _standing(heading.claims, claims) if claim.question == heading.question]
        text = _REFERENCES.sub("", heading.text).strip()
        if rests_on and text and heading.question in found and not _says_more(text, rests_on):
            found[heading.question] = text
    return found


def _standing(numbers: Iterable[int], claims: Mapping[int, Claim]) -> list[Claim]:
    named = (claims.get(number) for number in dict.fromkeys(numbers))
    return [claim for claim in named if claim is not None and claim.outcome == "supported"]


def _says_more(text: str, claims: Sequence[Claim]) -> bool:
    """Whether a text says a figure that its claims do not have."""
    said = [figure for claim in claims for figure in figures_in(_text(claim))]
    # "Two of them offer…" counts the claims; what is counted in words is nobody's figure.
    return bool(missing((figure for figure in figures_in(text) if not figure.spoken), said))


def _text(claim: Claim) -> str:
    return f"{claim.statement} {claim.quote or ''}"
