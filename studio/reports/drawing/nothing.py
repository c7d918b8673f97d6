"""The report that says that nothing was found: three slides, whatever was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from studio.brand import Brand
from studio.decks.content.common import plural
from studio.decks.model import Notes, Slide, Statement
from studio.reports.drawing import doubts, notes, opening
from studio.reports.drawing.paging import Pages, one, paged
from studio.reports.drawing.reading import Asked, Reading
from studio.reports.drawing.words import STATEMENT, TITLE, shortened

SLIDES = 3


def found_nothing(reading: Reading, brand: Brand) -> Pages:
    """Return the cover, what was asked and why there is no answer, and how it was searched."""
    return (*opening.cover(reading, brand), *_asked(reading, brand), *_searched(reading, brand))


def _asked(reading: Reading, brand: Brand) -> Pages:
    if not reading.questions:
        text = "No question could be planned, so nothing was searched."
        return one(brand, Slide("Nothing was found", Statement(text), notes.own(text), "Result"))

    def make(asked: Sequence[Asked], index: int, count: int, more: int) -> Slide:
        return doubts.open_questions("Nothing was found that a page carries", asked, index, count, more)

    return paged(brand, reading.questions, make, 1)


def _searched(reading: Reading, brand: Brand) -> Pages:
    def make(most: int) -> Slide:
        pages = list(reading.pages.values())
        more = len(pages) - most
        listed = (
            *(f"{page.key} · {shortened(page.title, TITLE)}, {page.host}, {page.day}, text {page.short_hash}"
              for page in pages[:most]),
            *((f"{plural(more, 'more page is', 'more pages are')} in the studio.",) if more > 0 else ()),
        )  # fmt: skip
        limits = tuple(shortened(limit, STATEMENT) for limit in reading.limits)[:most]
        told = (
            ("What was done", doubts.made_how(reading)),
            ("Pages that were read", listed),
            ("Limits", limits),
        )
        slide = doubts.columns("How it was searched", "Method", reading, told)
        return replace(slide, notes=_notes(slide.notes, reading))

    return doubts.first_that_fits(brand, make)


def _notes(known: Notes, reading: Reading) -> Notes:
    listed = notes.on_pages("", tuple(reading.pages.values())).details
    return replace(known, details=(*known.details, *listed))
