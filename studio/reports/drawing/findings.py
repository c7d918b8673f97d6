"""The findings: statements beside the words that carry them, charts of their figures, and each one by itself."""

from __future__ import annotations

from collections.abc import Sequence

from studio.brand import Brand
from studio.decks.charts import AS_SHOWN
from studio.decks.content.common import plural
from studio.decks.layouts.flow import numbered_title
from studio.decks.model import Bar, Bars, Cell, Slide, Table
from studio.reports.drawing import notes, passages
from studio.reports.drawing.paging import Pages, left_in_studio, one, paged
from studio.reports.drawing.passages import Passage, Passages
from studio.reports.drawing.reading import Asked, Reading
from studio.reports.drawing.words import LABEL, QUOTE, STATEMENT, TITLE, marks, quoted, shortened
from studio.reports.model import Chart, Claim

_HEADER = ("No.", "Statement", "What the page says", "Page")
_WEIGHTS = (0.55, 3.3, 4.1, 2.0)
# Bars that stand on one page.
_MOST_BARS = 8
_UNSUPPORTED = "Not supported"


def row(claim: Claim, reading: Reading) -> tuple[Cell, ...]:
    """Return a statement as a row: its number, itself, its passage, and the page, which the row leads to."""
    page = reading.page_of(claim)
    number, stands = Cell(str(claim.number), strong=True), claim.outcome == "supported"
    tag = "" if stands else shortened(f"{_UNSUPPORTED}: {claim.reason or 'no page carries it'}", STATEMENT)
    quote = quoted(shortened(claim.quote, QUOTE)) if claim.quote else "No passage."
    where = Cell(page.host, f"{page.key} · {page.day}", url=page.url) if page else Cell("No page")
    return (number, Cell(shortened(claim.statement, STATEMENT), tag, strong=stands), Cell(quote), where)


def table(title: str, kicker: str, claims: Sequence[Claim], reading: Reading, more: int = 0) -> Slide:
    """Return statements as a table; `more` is how many there is no room for."""
    rows = (*(row(claim, reading) for claim in claims), *left_in_studio(more, "statement is", "statements are", 4))
    say = f"{plural(len(claims), 'statement')}, each beside the passage that it rests on."
    return Slide(title, Table(_HEADER, _WEIGHTS, rows), notes.on_claims(say, claims, reading), kicker)


def strongest(reading: Reading, brand: Brand, most: int) -> Pages:
    """Return the statements of all questions, the strongest first, on at most so many pages."""

    def make(claims: Sequence[Claim], index: int, count: int, more: int) -> Slide:
        title = "The strongest statements" if more or count > 1 else "What was found"
        return table(numbered_title(title, index, count), "Findings", claims, reading, more)

    return paged(brand, reading.shown, make, most)


def answer(asked: Asked, reading: Reading, brand: Brand, most: int) -> Pages:
    """Return what was found to a question, on at most so many pages."""

    def make(claims: Sequence[Claim], index: int, count: int, more: int) -> Slide:
        title = numbered_title(shortened(asked.heading, TITLE), index, count)
        return table(title, _kicker(asked), claims, reading, more)

    return paged(brand, asked.claims, make, most)


def _kicker(asked: Asked) -> str:
    return f"Question {asked.number} · {shortened(asked.text, TITLE)}"


def charts(asked: Asked, reading: Reading, brand: Brand) -> list[Pages]:
    """Return the charts of a question, each on its page; figures below zero stand in a table."""
    return [_chart(chart, asked, reading, brand) for chart in asked.charts]


def _chart(chart: Chart, asked: Asked, reading: Reading, brand: Brand) -> Pages:
    carrying = [claim for claim in asked.claims if claim.number in {datum.claim for datum in chart.data}]
    told = [f"{datum.label}: {datum.shown} [{datum.claim}]" for datum in chart.data]
    kept = chart.data[:_MOST_BARS]
    known = notes.on_claims("The figures as the pages give them.", carrying, reading, told)
    title = shortened(chart.title or chart.unit or asked.heading, TITLE)
    if min(datum.value for datum in chart.data) < 0:
        return one(brand, Slide(title, _figures(chart, reading), known, _kicker(asked)))
    bars = tuple(Bar(shortened(datum.label, LABEL), datum.value, shortened(datum.shown, LABEL // 2)) for datum in kept)
    series = shortened(chart.unit, LABEL)
    slide = Slide(title, Bars(series, bars, AS_SHOWN, None, remarks=_remarks(chart, reading)), known, _kicker(asked))
    return one(brand, slide)


def _remarks(chart: Chart, reading: Reading) -> tuple[str, ...]:
    standing = {claim.number: claim for claim in reading.supported}
    carried: dict[str, list[int]] = {}
    for datum in chart.data[:_MOST_BARS]:
        page = reading.page_of(standing[datum.claim])
        carried.setdefault(page.host if page else "", []).append(datum.claim)
    told = [f"{marks(sorted(set(numbers)))} {host}" for host, numbers in carried.items()]
    more = len(chart.data) - _MOST_BARS
    left = [f"{plural(more, 'more figure is', 'more figures are')} in the studio."] if more > 0 else []
    unit = [f"Unit: {shortened(chart.unit, LABEL)}"] if chart.unit else []
    return (*unit, *told, *left)


def _figures(chart: Chart, reading: Reading) -> Table:
    standing = {claim.number: claim for claim in reading.supported}
    rows: list[tuple[Cell, ...]] = []
    for datum in chart.data[:_MOST_BARS]:
        page = reading.page_of(standing[datum.claim])
        where = Cell(page.host, page.key, url=page.url) if page else Cell("")
        label = Cell(shortened(datum.label, LABEL), strong=True)
        rows.append((label, Cell(shortened(datum.shown, LABEL)), Cell(str(datum.claim)), where))
    more = len(chart.data) - _MOST_BARS
    rows += left_in_studio(max(0, more), "figure is", "figures are", 4)
    unit = f"Figure, {shortened(chart.unit, LABEL // 2)}" if chart.unit else "Figure"
    return Table(("What", unit, "Statement", "Page"), (4, 2, 1.2, 2.4), tuple(rows))


def detail(claim: Claim, asked: Asked, reading: Reading, brand: Brand, *, whole: bool = False) -> Pages:
    """Return one statement with its passage and its page; the `whole` passage may take further pages."""
    title = claim.statement if len(shortened(claim.statement, TITLE)) == len(claim.statement) else ""
    shown = Passages(
        title=title or f"Statement {claim.number}: {shortened(asked.heading, TITLE)}",
        kicker=_kicker(asked),
        passages=(passage(claim, reading, statement="" if title else shortened(claim.statement, 2 * QUOTE)),),
        notes=notes.on_claims("One statement, and the words that it rests on.", (claim,), reading),
    )
    return passages.laid(brand, shown, whole=whole)


def passage(claim: Claim, reading: Reading, *, statement: str, label: str = "") -> Passage:
    """Return a statement as it stands on a card."""
    page = reading.page_of(claim)
    stands = claim.outcome == "supported"
    where = f"{page.key} · {shortened(page.title, TITLE)}, {page.host}" if page else "No page"
    found = f"Retrieved {page.day} · text {page.short_hash}" if page else "Nothing was retrieved for it"
    sure = f"Confidence {claim.confidence} of 100" if stands else f"{_UNSUPPORTED}: {claim.reason or ''}"
    return Passage(
        label=label or f"Statement {claim.number}",
        statement=statement,
        quote=quoted(claim.quote) if claim.quote else "",
        source=where,
        url=page.url if page else "",
        detail=f"{sure} · {found}",
        sourced=stands,
    )
