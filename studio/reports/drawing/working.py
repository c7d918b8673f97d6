"""Working slides, for reports with fewer findings than slides: what a reader can do next with what there is.

They come after everything that was found, say nothing that was not, and are called working slides.
"""

from __future__ import annotations

from collections.abc import Iterator

from studio.brand import Brand
from studio.decks.content.common import plural
from studio.decks.model import Column, Columns, Item, Listing, Slide, Statement
from studio.reports.drawing import doubts, notes
from studio.reports.drawing.paging import Pages, one
from studio.reports.drawing.reading import Asked, Page, Reading
from studio.reports.drawing.words import LABEL, QUOTE, STATEMENT, TITLE, marks, quoted, shortened
from studio.reports.model import Claim

_KICKER = "Working slide"
# What a working slide of a question asks: three slides, each with its own way to find out more.
_SHEETS = (
    (
        "Who could know",
        (
            "Somebody who has done it: name, and what to ask",
            "Somebody who pays for it today",
            "An office or association that keeps figures",
        ),
    ),
    (
        "What to read next",
        (
            "A page that was made later than those read here",
            "A page whose author gains nothing by it",
            "Figures that somebody counted, and how",
        ),
    ),
    (
        "What would change the answer",
        (
            "A figure that is twice as high, or half",
            "A page that says the opposite",
            "The same question asked in another place",
        ),
    ),
)


def sheets(reading: Reading, brand: Brand) -> Iterator[tuple[str, Pages]]:
    """Go through working slides without end: checks by hand, then questions, then pages for notes."""
    for claim in reading.supported:
        yield f"check {claim.number}", check(claim, reading, brand)
    for page in reading.pages.values():
        yield f"page {page.key}", read(page, reading, brand)
    for index in range(len(_SHEETS)):
        for asked in reading.questions:
            yield f"question {asked.number} {index}", question(asked, index, reading, brand)
    number = 1
    while True:
        yield f"notes {number}", free(number, reading, brand)
        number += 1


def check(claim: Claim, reading: Reading, brand: Brand) -> Pages:
    """Return how to check one statement by hand."""
    page = reading.page_of(claim)
    steps = (
        Item(page.address if page else "", heading="Open the page"),
        Item(quoted(shortened(claim.quote or "", QUOTE // 2)), heading="Find these words on it"),
        Item(shortened(claim.statement, STATEMENT), heading="Compare them with the statement"),
        Item("Who wrote it, when, and for whom? Has it been changed since?", heading="Look at the page itself"),
    )
    listed = tuple(Item(shortened(step.text, STATEMENT), step.heading) for step in steps)
    title = f"Check statement {claim.number} by hand"
    told = notes.on_claims("How to check one statement without the studio.", (claim,), reading)
    return one(brand, Slide(title, Listing(listed, mark="check"), told, f"{_KICKER} · Statement {claim.number}"))


def read(page: Page, reading: Reading, brand: Brand) -> Pages:
    """Return what to look for in a page that was read only as far as the report needed it."""
    claims = reading.cited_pages.get(page.key, ())
    taken = f"{plural(len(claims), 'statement rests', 'statements rest')} on it: {marks(c.number for c in claims)}"
    column = Column(
        "What is known of it",
        (
            taken if claims else "No statement rests on it.",
            f"Retrieved {page.day}.",
            f"{page.host}, text {page.short_hash}.",
        ),
    )
    todo = Column(
        "Read it in full", ("Who is behind it?", "What does it leave out?", "Which pages does it name itself?"), "check"
    )
    told = notes.on_pages("A page to read in full.", (page,))
    return one(brand, Slide(shortened(page.title, TITLE), Columns((column, todo)), told, f"{_KICKER} · {page.key}"))


def question(asked: Asked, index: int, reading: Reading, brand: Brand) -> Pages:
    """Return one of the three working slides of a question."""
    heading, entries = _SHEETS[index]
    supported = [claim for claim in asked.claims if claim.outcome == "supported"]
    known = (
        (shortened(asked.heading, STATEMENT), f"{plural(len(supported), 'statement')} with a source:"
         f" {marks(claim.number for claim in supported[:12])}.")
        if supported
        else (f"Nothing that a page carries. {shortened(doubts.why(asked), STATEMENT)}",)
    )  # fmt: skip
    columns = (Column("What stands so far", known), Column(heading, entries, mark="check"))
    told = notes.own("A slide to work on one question.", (asked.text,))
    kicker = f"{_KICKER} · Question {asked.number}: {heading.lower()}"
    return one(brand, Slide(shortened(asked.text, TITLE), Columns(columns), told, kicker))


def free(number: int, reading: Reading, brand: Brand) -> Pages:
    """Return a page that is left for notes, and says so."""
    text = (
        f"This slide is left for your notes. {shortened(reading.title, LABEL)} rests on"
        f" {plural(len(reading.supported), 'statement')}; more slides were asked for than that fills."
    )
    told = notes.own("Nothing more was found that would fill this slide.")
    return one(brand, Slide(f"Notes, page {number}", Statement(text), told, _KICKER))
