"""How the parts of a report come together: pages by their keys, claims by their numbers, and the report of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from studio.claims import Json
from studio.model.answers import FetchedPage, Passage
from studio.packets.fields import Source
from studio.reports import charts, checking, writing
from studio.reports.checking import Checked
from studio.reports.claims import Material, Stated
from studio.reports.languages import primary
from studio.reports.model import Claim, Contradiction, Question, Report, ReportSource
from studio.reports.quotes import PageText
from studio.reports.searching import Findings
from studio.reports.snapshots import MOST_CHARS, Snapshot
from studio.reports.wording import say
from studio.text import clip

Pages = Mapping[str, tuple[Snapshot, PageText]]


class Answered(BaseModel):
    """What the research of a question answered, as it is kept before any of its pages is stored.

    `declined` says that the model would not look for it.
    """

    notes: str
    passages: list[Passage]
    pages: list[FetchedPage]
    searches: int
    model: str
    at: datetime
    declined: bool = False


class Brought(BaseModel):
    """What the research of a question brought, as its checkpoint keeps it."""

    notes: str
    passages: list[dict[str, Any]]
    fetched: list[Snapshot]
    searches: int
    model: str
    at: datetime
    declined: bool = False


def answered(found: Findings) -> Json:
    """Return the checkpoint of what was paid for, with the texts of its pages as far as they are kept."""
    # One character more than is kept shows that a text was cut.
    pages = [replace(page, text=page.text and page.text[: MOST_CHARS + 1]) for page in found.pages]
    return Answered(
        notes=found.notes,
        passages=list(found.passages),
        pages=pages,
        searches=found.searches,
        model=found.model,
        at=datetime.now(UTC),
    ).model_dump(mode="json")


def declined() -> Json:
    """Return the checkpoint of a question that the model declined to look up: nothing, and that it is so."""
    nothing = Answered(notes="", passages=[], pages=[], searches=0, model="", at=datetime.now(UTC), declined=True)
    return nothing.model_dump(mode="json")


def brought(found: Answered, fetched: Sequence[Snapshot]) -> Json:
    """Return the checkpoint of a question's research, its pages stored."""
    return Brought(
        notes=found.notes,
        passages=[{"url": one.url, "title": one.title, "quote": one.quote, "tool": one.tool} for one in found.passages],
        fetched=list(fetched),
        searches=found.searches,
        model=found.model,
        at=found.at,
        declined=found.declined,
    ).model_dump(mode="json")


def source_of(passage: Passage) -> Source:
    """Return a passage as it is stored with all other research."""
    return Source(url=passage.url, title=passage.title, quote=passage.quote, quote_sha256=passage.quote_sha256)


def keyed(snapshots: Sequence[Snapshot]) -> dict[str, Snapshot]:
    """Return the snapshots by the keys under which claims name them: `S1`, `S2` and so on."""
    return {f"S{number}": snapshot for number, snapshot in enumerate(snapshots, 1)}


def materials(found: Brought, pages: Pages) -> list[Material]:
    """Return the pages that a question's research cites, each with those of its passages that stand on it."""
    cited: dict[str, list[str]] = {}
    for passage in found.passages:
        cited.setdefault(passage["url"], []).append(passage["quote"])
    result: list[Material] = []
    for key, (snapshot, text) in pages.items():
        its = [quote for quote in dict.fromkeys(cited.get(snapshot.url, [])) if text.find(quote)]
        if its:
            result.append(Material(key=key, url=snapshot.url, title=snapshot.title, passages=its))
    order = list(cited)
    return sorted(result, key=lambda material: order.index(material.url))


def checked(stated: Sequence[Sequence[Stated]], pages: Pages, language: str) -> list[list[Checked]]:
    """Return each question's statements after the look at their words, numbered through.

    What an earlier question has stated already, with the same page, is not stated again, unless its words did not carry
    it there.
    """
    number, known = 0, set()
    result: list[list[Checked]] = []
    for question, its in enumerate(stated, 1):
        row: list[Checked] = []
        for one in its:
            if _identity(one) in known:
                continue
            number += 1
            row.append(checking.check(number, question, one, pages, language))
            if row[-1].claim.outcome != "removed":
                known.add(_identity(one))
        result.append(row)
    return result


def repeated(
    stated: Sequence[Sequence[Stated]], rows: Sequence[Sequence[Checked]], judged: Sequence[Claim]
) -> list[int]:
    """Return the questions of which all statements are made under another one, where at least one of them is shown."""
    shown = {_said(claim.statement) for claim in judged if claim.outcome != "removed"}
    return [
        number
        for number, (its, row) in enumerate(zip(stated, rows, strict=True), 1)
        if its and not row and any(_said(one.statement) in shown for one in its)
    ]


def _identity(stated: Stated) -> tuple[str, str]:
    return _said(stated.statement), stated.source.strip().strip("[]")


def _said(statement: str) -> str:
    return " ".join(statement.casefold().split())


def report(
    topic: str,
    planned: Json,
    found: Sequence[Brought],
    snapshots: Mapping[str, Snapshot],
    outcome: Json,
    text: writing.ReportText | None,
) -> Report:
    """Return the report. `text` is what was written of what stands; without it the statements stand for themselves."""
    language, questions = planned["language"], planned["questions"]
    claims = [Claim.model_validate(one) for one in outcome["claims"]]
    by_number = {claim.number: claim for claim in claims}
    standing = [claim for claim in claims if claim.outcome == "supported"]
    spoken = primary(language)
    drawn = charts.charts(text.charts, by_number, spoken) if text else {}
    headings = writing.headings(text.headings if text else (), questions, by_number, spoken)
    named = {claim.source for claim in claims}
    return Report(
        project=planned["project"],
        topic=topic,
        title=writing.title(text.title, topic, standing, spoken)
        if text
        else clip(" ".join(topic.split()), writing.TITLE_CHARS),
        language=language,
        asked_at=datetime.fromisoformat(planned["asked_at"]),
        summary=writing.summary(text.summary if text else (), by_number, spoken),
        questions=tuple(
            Question(
                number=number,
                text=question,
                heading=headings[number],
                claims=tuple(claim.number for claim in claims if claim.question == number),
                charts=tuple(drawn.get(number, ())),
                unanswered=_unanswered(number, claims, found[number - 1], outcome, language),
            )
            for number, question in enumerate(questions, 1)
        ),
        claims=tuple(claims),
        contradictions=tuple(Contradiction.model_validate(one) for one in outcome["contradictions"]),
        sources=tuple(
            ReportSource(
                key=key,
                url=snapshot.url,
                title=snapshot.title,
                text_sha256=snapshot.text_sha256,
                retrieved_at=snapshot.retrieved_at,
            )
            for key, snapshot in snapshots.items()
            if key in named
        ),
        searches=sum(one.searches for one in found),
        limits=_limits(language, found, list(snapshots.values()), outcome["unread"], bool(standing), planned["model"]),
        sandbox=planned["model"].startswith("sandbox"),
        next_steps=writing.sentences(text.next_steps, by_number, writing.MOST_STEPS, spoken) if text else (),
    )


def _unanswered(number: int, claims: Sequence[Claim], found: Brought, outcome: Json, language: str) -> str | None:
    its = [claim for claim in claims if claim.question == number]
    if any(claim.outcome == "supported" for claim in its):
        return None
    if found.declined:
        return say(language, "declined")
    if not found.passages:
        return say(language, "nothing_retrieved")
    if number in outcome["unstated"]:
        return say(language, "nothing_usable")
    if number in outcome["repeated"]:
        return say(language, "said_elsewhere")
    return say(language, "nothing_stands" if number in outcome["stated"] else "nothing_claimed")


def _limits(
    language: str,
    found: Sequence[Brought],
    snapshots: Sequence[Snapshot],
    unread: int,
    anything: bool,
    model: str,
) -> tuple[str, ...]:
    """Return what a reader has to know of how far the report reaches."""
    told = ["limit_carries" if anything else "limit_nothing"]
    if any(one.searches for one in found):
        told.append("limit_searched")
    if model.startswith("sandbox"):
        told.append("limit_sandbox")
    whole = {snapshot.url for snapshot in snapshots if snapshot.whole}
    counts = {
        "limit_unfetched": len({snapshot.url for snapshot in snapshots} - whole),
        "limit_cut": len({snapshot.url for snapshot in snapshots if snapshot.cut}),
        "limit_no_second": unread,
    }
    return (
        *(say(language, key) for key in told),
        *(say(language, key, count=count) for key, count in counts.items() if count),
    )
