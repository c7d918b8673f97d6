"""Layouts: from slides to pages.

| module | what it lays out |
|---|---|
| `frame` | the frame of content pages, and the grounds |
| `openings` | covers, statements, closings |
| `lists`, `cards`, `tables` | rows and columns; cards, panels and steps; tables and evidence |
| `figures`, `identity` | chart and verdict; colours, typefaces, the landing page's head, plates |
| `flow` | entries set over as many pages as they need |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from studio.brand import Brand
from studio.decks import model, setting
from studio.decks.layouts import cards, figures, identity, lists, openings, tables
from studio.decks.mirror import mirrored, reads_leftwards
from studio.decks.model import Outline, Slide
from studio.decks.scene import Box, Page, Paint, Para, Run, Text

_FOOTER_SIZE = 10.0


def pages(outline: Outline, brand: Brand) -> list[Page]:
    """Return the pages of a deck; mirrored where most of its text is read from right to left."""
    drawn = [page for slide in outline.slides for page in laid(brand, slide)]
    return finished(drawn, outline.name, brand)


def finished(drawn: Sequence[Page], name: str, brand: Brand, *, leftwards: bool | None = None) -> list[Page]:
    """Return a deck's pages with their numbers and its name, mirrored where it is read from right to left.

    Without `leftwards`, its letters decide how it is read.
    """
    numbered = [_with_footer(page, number, name, brand) for number, page in enumerate(drawn, 1)]
    mirror = reads_leftwards(numbered) if leftwards is None else leftwards
    return [mirrored(page) for page in numbered] if mirror else numbered


def _with_footer(page: Page, number: int, name: str, brand: Brand) -> Page:
    """Return the page with its number and the deck's name, where it has a footer."""
    if page.footer is None:
        return page
    box, ink, ground = page.footer.box, page.footer.ink, page.footer.ground
    beside = Box(box.x + 34, box.y, box.w - 34, box.h)
    _, shown = setting.title_size(brand, name, beside.w, box.h, (_FOOTER_SIZE,), bold=False, font="body")
    texts = (
        Text(
            Box(box.x, box.y, 32, box.h), (_small(str(number), ink, bold=True),), ground, role="number", name="Number"
        ),
        Text(beside, (_small(shown, ink),), ground, role="footer", name="Footer"),
    )
    return replace(page, elements=(*page.elements, *texts))


def _small(text: str, ink: Paint, *, bold: bool = False) -> Para:
    return Para((Run(text, bold=bold),), _FOOTER_SIZE, ink)


def laid(brand: Brand, slide: Slide) -> list[Page]:
    """Return the pages of one slide, without their numbers."""
    match slide.body:
        case model.Cover() as body:
            return openings.cover(brand, slide, body)
        case model.Statement() as body:
            return openings.statement(brand, slide, body)
        case model.Closing() as body:
            return openings.closing(brand, slide, body)
        case model.Listing() as body:
            return cards.cards(brand, slide, body) if body.cards else lists.rows(brand, slide, body)
        case model.Columns() as body:
            return lists.columns(brand, slide, body)
        case model.Split() as body:
            return lists.split(brand, slide, body)
        case model.Table() as body:
            return tables.table(brand, slide, body)
        case model.Evidence() as body:
            return tables.evidence(brand, slide, body)
        case model.Panels() as body:
            return cards.panels(brand, slide, body)
        case model.Steps() as body:
            return cards.steps(brand, slide, body)
        case model.Bars() as body:
            return figures.bars(brand, slide, body)
        case model.Verdict() as body:
            return figures.verdict(brand, slide, body)
        case model.Swatches() as body:
            return identity.swatches(brand, slide, body)
        case model.Type() as body:
            return identity.typefaces(brand, slide, body)
        case model.Hero() as body:
            return identity.hero(brand, slide, body)
        case model.Plate() as body:
            return identity.plate(brand, slide, body)
