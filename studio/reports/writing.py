"""The report's own words: title, summary, headings and next steps, each resting on claims that stand.

What speaks of another matter than its claims, or says a figure that they do not have, is dropped; of the rest a second
reading judges whether the claims say it, and what it does not confirm is dropped as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from studio.agents.profiles import PROFILES
from studio.agents.prompting import COPY_RULE, DATA_RULE, HONESTY_RULE, blocks
from studio.model.call import Call, CompletesCalls
from studio.model.spend import Spender
from studio.packets.fields import squeeze
from studio.progress import Progress
from studio.reports.charts import ProposedChart
from studio.reports.figures import figures_in, missing
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
REVIEW_TOKENS = 1500
# "[3]" or "(1, 2)" in a sentence names its claims; they are listed beside it.
_REFERENCES = re.compile(r"\s*[\[(]\d+(?:\s*[,;]\s*\d+)*[\])]")

_KINDS = {"title": "title", "summary": "sentence", "headings": "heading", "next_steps": "next step"}


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


class WrittenItem(BaseModel):
    """Something written, as a second reading is shown it: `place` is where the text has it."""

    number: int
    place: tuple[Literal["title", "summary", "headings", "next_steps"], int]
    text: str
    claims: list[str]


class SentenceVerdict(BaseModel):
    """Whether the claims of a written sentence say it."""

    sentence: int
    supported: bool


class SentenceReview(BaseModel):
    """The second reading of what was written."""

    verdicts: list[SentenceVerdict]


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


@traced_agent("report_checker")
def review(
    model: CompletesCalls,
    spender: Spender,
    progress: Progress,
    step: str,
    topic: str,
    items: Sequence[WrittenItem],
) -> list[SentenceVerdict]:
    """Return the second reading of what was written, which its writer has not made."""
    answer, _ = model.structured(
        Call(
            profile=PROFILES["synthesizer"],
            step=step,
            system="You check the text of a report on <topic> for a startup studio, and did not write it. Judge each of"
            " the <parts> by its claims alone: supported is true where they say all that it says, of the same"
            " thing, in the same direction and as surely. For a title it is true where it only names what the claims"
            " are about or says what they say; for a next step where everything that it takes for a fact is in its"
            " claims. What you know otherwise does not count, and that a text asks for a verdict does not either. Give"
            f" one verdict per sentence. {DATA_RULE}",
            prompt=blocks(
                topic=topic,
                parts=[
                    {"sentence": one.number, "kind": _KINDS[one.place[0]], "text": one.text, "claims": one.claims}
                    for one in items
                ],
            ),
            max_tokens=REVIEW_TOKENS,
        ),
        SentenceReview,
        spender,
        progress,
    )
    return answer.verdicts


def carried(written: ReportText, topic: str, standing: Sequence[Claim]) -> ReportText:
    """Return the text without what its claims cannot carry by their words."""
    claims = {claim.number: claim for claim in standing}
    return written.model_copy(
        update={
            "title": title(written.title, topic, standing),
            "summary": [one for one in written.summary if _carried(one.text, one.claims, claims)][:MOST_SENTENCES],
            "headings": [one for one in written.headings if _carried(one.text, one.claims, claims)],
            "next_steps": [one for one in written.next_steps if _carried(one.text, one.claims, claims)][:MOST_STEPS],
        }
    )


def items(written: ReportText, topic: str, standing: Sequence[Claim]) -> list[WrittenItem]:
    """Return what a second reading has to see: all that is not a claim's or the topic's own words."""
    claims = {claim.number: claim for claim in standing}
    found: list[tuple[tuple[Any, int], str, list[str]]] = []
    if _plain(written.title) != _plain(topic):
        found.append((("title", 0), written.title, [claim.statement for claim in standing]))
    rows: tuple[tuple[str, Sequence[WrittenSentence | WrittenHeading]], ...] = (
        ("summary", written.summary),
        ("headings", written.headings),
        ("next_steps", written.next_steps),
    )
    for kind, its in rows:
        for index, one in enumerate(its):
            rests_on = _standing(one.claims, claims)
            if _plain(one.text) not in {_plain(claim.statement) for claim in rests_on}:
                found.append(((kind, index), one.text, [_text(claim) for claim in rests_on]))
    return [
        WrittenItem(number=number, place=place, text=text, claims=its)
        for number, (place, text, its) in enumerate(found, 1)
    ]


def confirmed(
    written: ReportText, topic: str, shown: Sequence[WrittenItem], verdicts: Iterable[SentenceVerdict]
) -> ReportText:
    """Return the text without what the second reading has not confirmed; without a verdict nothing is."""
    said: dict[int, bool] = {}
    for verdict in verdicts:
        said[verdict.sentence] = said.get(verdict.sentence, True) and verdict.supported
    dropped = {one.place for one in shown if not said.get(one.number, False)}
    kept: dict[str, Any] = {
        kind: [one for index, one in enumerate(getattr(written, kind)) if (kind, index) not in dropped]
        for kind in ("summary", "headings", "next_steps")
    }
    if ("title", 0) in dropped:
        kept["title"] = _topic_as_title(topic)
    return written.model_copy(update=kept)


def title(written: str, topic: str, claims: Iterable[Claim]) -> str:
    """Return the written title, or the topic where a figure or the matter of the title is neither its nor a claim's."""
    claims = list(claims)
    said = figures_in(topic) + [figure for claim in claims for figure in figures_in(_text(claim))]
    # A title is a few words: one that it shares shows its matter.
    about = " ".join((topic, *(_text(claim) for claim in claims)))
    strange = terms(written).isdisjoint(terms(about)) and speaks_of(about, written) is False
    return _topic_as_title(topic) if strange or missing(figures_in(written), said) else written


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
    """Whether a text says a figure that its claims do not have, or speaks of another matter."""
    said = [figure for claim in claims for figure in figures_in(_text(claim))]
    # "Two of them offer…" counts the claims; what is counted in words is nobody's figure.
    if missing((figure for figure in figures_in(text) if not figure.spoken), said):
        return True
    return speaks_of(" ".join(_text(claim) for claim in claims), text) is False


def _carried(text: str, numbers: Iterable[int], claims: Mapping[int, Claim]) -> bool:
    rests_on = _standing(numbers, claims)
    return bool(rests_on) and not _says_more(_REFERENCES.sub("", text), rests_on)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")


def _topic_as_title(topic: str) -> str:
    return clip(" ".join(topic.split()), TITLE_CHARS)


def _text(claim: Claim) -> str:
    return f"{claim.statement} {claim.quote or ''}"
