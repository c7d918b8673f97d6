"""The appendix: the pages that were read, what each of them carries, and the register of statements."""

from __future__ import annotations

from collections.abc import Sequence

from studio.brand import Brand
from studio.decks.content.common import plural
from studio.decks.layouts.flow import numbered_title
from studio.decks.model import Cell, Slide, Table
from studio.reports.drawing import notes
from studio.reports.drawing.paging import Pages, left_in_studio, paged
from studio.reports.drawing.reading import Page, Reading
from studio.reports.drawing.words import LABEL, QUOTE, STATEMENT, TITLE, quoted, shortened
from studio.reports.model import Claim

_ADDRESS = 90
# Numbers of statements that a row names.
_MOST_NUMBERS = 12


def sources(reading: Reading, brand: Brand, most: int) -> Pages:
    """Return the pages that were read, those that statements rest on first."""
    carried = reading.cited_pages
    listed = [reading.pages[key] for key in carried if key in reading.pages]
    cited = sum(bool(claims) for claims in carried.values())

    def make(pages: Sequence[Page], index: int, count: int, more: int) -> Slide:
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (
                Cell(page.key, strong=True),
                Cell(shortened(page.title, TITLE), _carries(carried[page.key])),
                Cell(shortened(page.address, _ADDRESS), url=page.url),
                Cell(page.day),
                Cell(page.short_hash),
            )
            for page in pages
        )
        rows += left_in_studio(more, "page is", "pages are", 5)
        title = f"{plural(cited, 'page carries', 'pages carry')} this report"
        return Slide(
            numbered_title(title, index, count),
            Table(("", "Page", "Address", "Retrieved", "Hash"), (0.7, 3.4, 3.6, 1.7, 1.4), rows),
            notes.on_pages("The pages that were read, with the time and the hash of the text that was kept.", pages),
            "Sources",
        )

    return paged(brand, listed, make, most) if listed else ()


def _carries(claims: Sequence[Claim]) -> str:
    if not claims:
        return "Read; no statement rests on it"
    shown = ", ".join(str(claim.number) for claim in claims[:_MOST_NUMBERS])
    more = f" and {len(claims) - _MOST_NUMBERS} more" if len(claims) > _MOST_NUMBERS else ""
    return f"{'Statement' if len(claims) == 1 else 'Statements'} {shown}{more}"


def source(page: Page, claims: Sequence[Claim], reading: Reading, brand: Brand) -> Pages:
    """Return one page with everything that was taken from it."""

    def make(taken: Sequence[Claim], index: int, count: int, more: int) -> Slide:
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (
                Cell(str(claim.number), strong=True),
                Cell(quoted(shortened(claim.quote or "", QUOTE))),
                Cell(shortened(claim.statement, STATEMENT)),
            )
            for claim in taken
        )
        rows += left_in_studio(more, "passage is", "passages are", 3)
        told = f"{page.host}, retrieved {page.day}, text {page.short_hash}."
        say = f"What was taken from one page: {page.title}. {page.address} SHA-256 of its text: {page.sha256}"
        return Slide(
            numbered_title(shortened(page.title, TITLE), index, count),
            Table(("No.", "Its words", "What the report says"), (0.6, 5, 4), rows, note=told),
            notes.on_claims(say, taken, reading),
            f"{page.key} · {shortened(page.host, LABEL)}",
        )

    return paged(brand, claims, make, 1)


def register(reading: Reading, brand: Brand, most: int) -> Pages:
    """Return every statement that is shown, by its number, with what became of it."""
    listed = sorted(reading.shown, key=lambda claim: claim.number)

    def make(claims: Sequence[Claim], index: int, count: int, more: int) -> Slide:
        rows: tuple[tuple[Cell, ...], ...] = tuple(_registered(claim, reading) for claim in claims)
        rows += left_in_studio(more, "statement is", "statements are", 5)
        return Slide(
            numbered_title("Every statement of this report", index, count),
            Table(("No.", "Statement", "Check", "Confidence", "Page"), (0.6, 5, 1.5, 1.4, 2.2), rows),
            notes.on_claims("The register of all statements that this report shows.", claims, reading),
            "Register",
        )

    return paged(brand, listed, make, most)


def _registered(claim: Claim, reading: Reading) -> tuple[Cell, ...]:
    page = reading.page_of(claim)
    stands = claim.outcome == "supported"
    return (
        Cell(str(claim.number), strong=True),
        Cell(shortened(claim.statement, STATEMENT)),
        Cell("Supported" if stands else "Marked"),
        Cell(f"{claim.confidence} of 100" if stands else "–"),
        Cell(page.host, page.key, url=page.url) if page else Cell("No page"),
    )
