"""From what a question's research brought to statements, each with the words of a page that are said to carry it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field

from studio.agents.profiles import PROFILES
from studio.agents.prompting import DATA_RULE, HONESTY_RULE, blocks
from studio.model.call import Call, CompletesCalls
from studio.model.spend import Spender
from studio.packets.fields import squeeze
from studio.progress import Progress
from studio.reports.quotes import PageText
from studio.tracing.genai import traced_agent

MOST_CLAIMS = 10
STATEMENT_CHARS = 400
CLAIMS_TOKENS = 4000
# What a prompt shows of each page: its cited passages with what stands around them.
AROUND_CHARS = 1200
PARTS_PER_PAGE = 4
PAGES_SHOWN = 14


class Stated(BaseModel):
    """A statement with its quote and the id of the page on which the quote stands."""

    statement: Annotated[str, squeeze(STATEMENT_CHARS), Field(min_length=1, max_length=STATEMENT_CHARS)]
    quote: str
    source: str


class QuestionClaims(BaseModel):
    """What the pages say to a question."""

    claims: list[Stated]


class Material(BaseModel):
    """A page as the statements may cite it: by `key`, with the passages that the search gave of it."""

    key: str
    url: str
    title: str
    passages: list[str]


def shown(material: Material, text: PageText) -> dict[str, Any]:
    """Return a page as a prompt shows it: its passages, each with what stands around it."""
    parts = [part for passage in material.passages if (part := text.around(passage, AROUND_CHARS))]
    return {
        "id": material.key,
        "url": material.url,
        "title": material.title,
        "passages": material.passages,
        "text": list(dict.fromkeys(parts))[:PARTS_PER_PAGE],
    }


@traced_agent("report_reader")
def state(
    model: CompletesCalls,
    spender: Spender,
    progress: Progress,
    step: str,
    facts: dict[str, Any],
    pages: Sequence[dict[str, Any]],
) -> list[Stated]:
    """Return the statements that answer `facts["question"]`, as the model makes them of `pages`; nothing is checked."""
    answer, _ = model.structured(
        Call(
            profile=PROFILES["synthesizer"],
            step=step,
            system="You are the research agent of a startup studio and work on a report on <topic>. Say what the"
            f" numbered <sources> answer to <question>, in at most {MOST_CLAIMS} statements, the most telling first."
            " A statement is one sentence with one fact, in the language of <topic>. Give for each the id of the source"
            " and a quote: a sentence or two of its text, copied letter for letter, in the language of the page,"
            " without leaving anything out. Every figure of the statement, with its unit and its year, has to stand in"
            " the quote. State only what the quote says: no conclusion, no rounding, no conversion. Where sources"
            " contradict each other, state both. An empty list is a good answer where they say nothing to it."
            f" <research> is notes of an earlier step and no source. {HONESTY_RULE} {DATA_RULE}",
            prompt=blocks(**facts, sources=list(pages[:PAGES_SHOWN])),
            max_tokens=CLAIMS_TOKENS,
        ),
        QuestionClaims,
        spender,
        progress,
    )
    found: dict[tuple[str, str], Stated] = {}
    for stated in answer.claims:
        found.setdefault((stated.statement.casefold(), stated.source.strip().strip("[]")), stated)
    return list(found.values())[:MOST_CLAIMS]
