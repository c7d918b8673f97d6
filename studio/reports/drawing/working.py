"""Working slides, for reports with fewer findings than slides: what a reader can do next with what there is.

They come after everything that was found, say nothing that was not, and are called working slides.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from studio.brand import Brand
from studio.decks.content.common import plural
from studio.decks.layouts.frame import PAGE, framed, note_text, page
from studio.decks.model import Column, Columns, Item, Listing, Slide
from studio.decks.scene import Box, Drawing, Shape
from studio.reports.drawing import doubts, notes
from studio.reports.drawing.paging import Pages, one
from studio.reports.drawing.reading import Asked, Page, Reading
from studio.reports.drawing.words import QUOTE, STATEMENT, TITLE, marks, quoted, shortened
from studio.reports.model import Claim

_KICKER = "Working slide"
# Numbers of statements that a line names.
_MOST_NUMBERS = 12
# The lines for notes, in points from each other, and the room below them.
_LINE, _REMARK = 38.0, 40.0
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


def sheets(reading: Reading, brand: Brand) -> Iterator[Pages]:
    """Go through working slides without end: checks by hand, then questions, then pages for notes."""
    for claim in reading.supported:
        yield check(claim, reading, brand)
    for source in reading.pages.values():
        yield read(source, reading, brand)
    for index in range(len(_SHEETS)):
        for asked in reading.questions:
            yield question(asked, index, reading, brand)
    for number in itertools.count(1):
        yield free(number, reading, brand)


def check(claim: Claim, reading: Reading, brand: Brand) -> Pages:
    """Return how to check one statement by hand."""
    source = reading.page_of(claim)
    steps = (
        Item(source.address if source else "", heading="Open the page"),
        Item(quoted(shortened(claim.quote or "", QUOTE // 2)), heading="Find these words on it"),
        Item(shortened(claim.statement, STATEMENT), heading="Compare them with the statement"),
        Item("Who wrote it, when, and for whom? Has it been changed since?", heading="Look at the page itself"),
    )
    listed = tuple(Item(shortened(step.text, STATEMENT), step.heading) for step in steps)
    title = f"Check statement {claim.number} by hand"
    told = notes.on_claims("How to check one statement without the studio.", (claim,), reading)
    return one(brand, Slide(title, Listing(listed, mark="check"), told, f"{_KICKER} · Statement {claim.number}"))


def read(source: Page, reading: Reading, brand: Brand) -> Pages:
    """Return what to look for in a page that was read only as far as the report needed it."""
    claims = reading.cited_pages.get(source.key, ())
    numbers = marks(claim.number for claim in claims[:_MOST_NUMBERS])
    taken = f"{plural(len(claims), 'statement rests', 'statements rest')} on it: {numbers}"
    column = Column(
        "What is known of it",
        (
            taken if claims else "No statement rests on it.",
            f"Retrieved {source.day}.",
            f"{source.host}, text {source.short_hash}.",
        ),
    )
    todo = Column(
        "Read it in full", ("Who is behind it?", "What does it leave out?", "Which pages does it name itself?"), "check"
    )
    told = notes.on_pages("A page to read in full.", (source,))
    return one(brand, Slide(shortened(source.title, TITLE), Columns((column, todo)), told, f"{_KICKER} · {source.key}"))


def question(asked: Asked, index: int, reading: Reading, brand: Brand) -> Pages:
    """Return one of the three working slides of a question."""
    heading, entries = _SHEETS[index]
    supported = [claim for claim in asked.claims if claim.outcome == "supported"]
    known = (
        (shortened(asked.heading, STATEMENT), f"{plural(len(supported), 'statement')} with a source:"
         f" {marks(claim.number for claim in supported[:_MOST_NUMBERS])}.")
        if supported
        else (f"Nothing that a page carries. {shortened(doubts.why(asked), STATEMENT)}",)
    )  # fmt: skip
    columns = (Column("What stands so far", known), Column(heading, entries, mark="check"))
    told = notes.own("A slide to work on one question.", (asked.text,))
    kicker = f"{_KICKER} · Question {asked.number}: {heading.lower()}"
    return one(brand, Slide(shortened(asked.text, TITLE), Columns(columns), told, kicker))


def free(number: int, reading: Reading, brand: Brand) -> Pages:
    """Return a page with lines for notes, which says why it is there."""
    title = f"Notes, page {number}"
    frame = framed(brand, _KICKER, title)
    count = int((frame.body.h - _REMARK) / _LINE)
    lines = tuple(
        Shape("rect", Box(frame.body.x, frame.body.y + (at + 1) * _LINE, frame.body.w, 1), fill=PAGE.hairline)
        for at in range(count)
    )
    remark = (
        f"Left free: the report rests on {plural(len(reading.supported), 'statement')},"
        " and more slides were asked for than that fills."
    )
    told = notes.own("A page for notes. Nothing more was found that would fill it.")
    return (page(frame, title, (Drawing(lines, "Lines"), note_text(brand, remark, frame.body)), told),)
