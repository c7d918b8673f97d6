"""The report's own words: title, summary, headings and next steps, each resting on claims that stand.

What speaks of another matter than its claims, or says a figure that they do not have, is dropped; of the rest a second
reading judges whether the claims say it, and what it does not confirm is dropped as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field

from studio.agents.profiles import PROFILES
from studio.agents.prompting import COPY_RULE, DATA_RULE, HONESTY_RULE, blocks
from studio.model.call import Call, CompletesCalls
from studio.model.spend import Spender
from studio.packets.fields import squeeze
from studio.progress import Progress
from studio.reports import charts
from studio.reports.charts import ProposedChart
from studio.reports.figures import figures_in, figures_of, missing
from studio.reports.matter import speaks_of, terms
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

_NUMBER = re.compile(r"\d+")


class WrittenSentence(BaseModel):
    """A sentence and the numbers of the claims that it says again."""

    text: Annotated[str, squeeze(SENTENCE_CHARS), Field(min_length=1, max_length=SENTENCE_CHARS)]
    claims: list[int]


class WrittenHeading(BaseModel):
    """A question's answer in a few words, and the numbers of the claims that say it."""

    question: int
    text: Annotated[str, squeeze(HEADING_CHARS), Field(min_length=1, max_length=HEADING_CHARS)]
    claims: list[int]


W = TypeVar("W", WrittenSentence, WrittenHeading)


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


def carried(written: ReportText, topic: str, standing: Sequence[Claim], language: str) -> ReportText:
    """Return the text without what its claims cannot carry by their words, and without their numbers in it.

    `language` is the report's, without script and country.
    """
    claims = {claim.number: claim for claim in standing}
    return written.model_copy(
        update={
            "title": title(written.title, topic, standing, language),
            "summary": _carried(written.summary, claims, language)[:MOST_SENTENCES],
            "headings": _carried(written.headings, claims, language),
            "next_steps": _carried(written.next_steps, claims, language)[:MOST_STEPS],
            "charts": charts.carried(written.charts, claims, language),
        }
    )


def title(written: str, topic: str, claims: Iterable[Claim], language: str) -> str:
    """Return the written title, or the topic where a figure or the matter of the title is neither its nor a claim's.

    `language` is the report's, without script and country, as in all that follows.
    """
    claims = list(claims)
    said = figures_in(topic, language) + [figure for claim in claims for figure in figures_of(claim, language)]
    # A title is a few words: one that it shares shows its matter.
    about = " ".join((topic, *(text_of(claim) for claim in claims)))
    strange = terms(written).isdisjoint(terms(about)) and speaks_of(about, written) is False
    return topic_as_title(topic) if strange or missing(figures_in(written, language), said) else written


def sentences(
    written: Iterable[WrittenSentence], claims: Mapping[int, Claim], most: int, language: str
) -> tuple[CitedText, ...]:
    """Return the sentences that rest on claims that stand, with these claims alone; figures must be theirs."""
    kept: list[CitedText] = []
    for sentence in written:
        rests_on = standing_among(sentence.claims, claims)
        if rests_on and not _says_more(sentence.text, rests_on, language):
            kept.append(CitedText(text=sentence.text, claims=tuple(claim.number for claim in rests_on)))
    return tuple(kept[:most])


def summary(written: Iterable[WrittenSentence], claims: Mapping[int, Claim], language: str) -> tuple[CitedText, ...]:
    """Return the summary; where none of its sentences can stand, the surest statements themselves."""
    kept = sentences(written, claims, MOST_SENTENCES, language)
    if kept:
        return kept
    standing = [claim for claim in claims.values() if claim.outcome == "supported"]
    surest = sorted(standing, key=lambda claim: (-claim.confidence, claim.number))[:FALLBACK_SENTENCES]
    return tuple(CitedText(text=claim.statement, claims=(claim.number,)) for claim in surest)


def headings(
    written: Iterable[WrittenHeading], questions: Sequence[str], claims: Mapping[int, Claim], language: str
) -> dict[int, str]:
    """Return a heading for each question by number: the written one where claims to it say that, else itself."""
    found = {number: clip(text, HEADING_CHARS) for number, text in enumerate(questions, 1)}
    for heading in written:
        rests_on = [claim for claim in standing_among(heading.claims, claims) if claim.question == heading.question]
        if rests_on and heading.question in found and not _says_more(heading.text, rests_on, language):
            found[heading.question] = heading.text
    return found


def standing_among(numbers: Iterable[int], claims: Mapping[int, Claim]) -> list[Claim]:
    """Return the claims of these numbers that stand, each once."""
    named = (claims.get(number) for number in dict.fromkeys(numbers))
    return [claim for claim in named if claim is not None and claim.outcome == "supported"]


def _says_more(text: str, claims: Sequence[Claim], language: str) -> bool:
    """Whether a text says a figure that its claims do not have, or speaks of another matter."""
    said = [figure for claim in claims for figure in figures_of(claim, language)]
    # "Two of them offer…" counts the claims; what is counted in words is nobody's figure.
    if missing((figure for figure in figures_in(text, language) if not figure.spoken), said):
        return True
    return speaks_of(" ".join(text_of(claim) for claim in claims), text) is False


def _carried(written: Iterable[W], claims: Mapping[int, Claim], language: str) -> list[W]:
    return [
        one
        for one in map(_bare, written)
        if one.text
        and (rests_on := standing_among(one.claims, claims))
        and not _says_more(one.text, rests_on, language)
    ]


def _bare(one: W) -> W:
    """Return something written without the numbers of its own claims; any other number in brackets is a part of it."""
    own = set(one.claims)

    def kept(reference: re.Match[str]) -> str:
        return "" if {int(number) for number in _NUMBER.findall(reference[0])} <= own else reference[0]

    return one.model_copy(update={"text": _REFERENCES.sub(kept, one.text).strip()})


def topic_as_title(topic: str) -> str:
    """Return the topic where no written title stands."""
    return clip(" ".join(topic.split()), TITLE_CHARS)


def text_of(claim: Claim) -> str:
    """Return a claim's statement with its quote."""
    return f"{claim.statement} {claim.quote or ''}"
