"""From a report to a file: a presentation, or a PDF for any reader and any script, of exactly as many pages as asked.

Both are drawn from the same slides. A presentation can be edited and has notes; a PDF carries its own fonts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from studio.brand import Brand
from studio.decks import layouts, pptx
from studio.decks.model import Outline, clean
from studio.decks.scene import Page
from studio.errors import InvalidInput
from studio.reports.drawing import opening, plan, printing, thumbnail, typefaces
from studio.reports.drawing.reading import Reading
from studio.reports.model import Report
from studio.settings import Settings
from studio.storage.names import type_of
from studio.text import clip

Format = Literal["pptx", "pdf"]

_NAME_CHARS = 60
_UNNAMED = "report"
# A presentation's properties hold 255 characters; a language tag is far shorter.
_PROPERTY_CHARS, _LANGUAGE_CHARS = 200, 35


@dataclass(frozen=True)
class Rendered:
    """A report as a file. `thumbnail_png` is a picture of its first page, 480 pixels wide, where one could be made."""

    data: bytes
    filename: str
    mime_type: str
    pages: int
    thumbnail_png: bytes | None


def render(report: Report, *, format: Format, pages: int, brand: Brand, settings: Settings) -> Rendered:
    """Return the report with exactly `pages` pages (3 to 30), or with three where nothing was found.

    The same report and brand give the same bytes as a presentation. Raises `InvalidInput` for another number of
    pages, and `BrowserUnavailable` where a PDF is asked for and no browser can print it.
    """
    if not plan.FEWEST <= pages <= plan.MOST:
        raise InvalidInput(
            f"A report of {pages} slides was asked for.", f"Ask for {plan.FEWEST} to {plan.MOST} slides."
        )
    if format == "pdf":
        fonts = typefaces.printed_in(brand, _texts(report))
        brand, reading = fonts.brand, Reading(report, fonts.show)
        drawn = _pages(reading, brand, pages)
        data = printing.pdf(_outline(reading, report), drawn, fonts, settings)
    else:
        reading = Reading(report)
        drawn = _pages(reading, brand, pages)
        data = pptx.render(_outline(reading, report), drawn, brand, report.asked_at)
    filename = f"{_slug(reading.title)}.{format}"
    return Rendered(data, filename, type_of(filename), len(drawn), thumbnail.png(drawn[0], brand))


def _pages(reading: Reading, brand: Brand, count: int) -> Sequence[Page]:
    name = f"{opening.SANDBOX} · {reading.title}" if reading.sandbox else reading.title
    return layouts.finished(plan.planned(reading, brand, count), name, brand, leftwards=reading.leftwards)


def _outline(reading: Reading, report: Report) -> Outline:
    return Outline(
        name=clip(reading.title, _PROPERTY_CHARS),
        subject="Research report",
        slides=(),
        language=clip(clean(report.language), _LANGUAGE_CHARS) or "en",
        keywords=("research report", clip(reading.project, _PROPERTY_CHARS)),
    )


def _texts(value: object) -> Iterator[str]:
    """Go through every text of a report."""
    match value:
        case str():
            yield value
        case Report():
            yield from _texts(value.model_dump())
        case dict():
            for item in value.values():
                yield from _texts(item)
        case list() | tuple():
            for item in value:
                yield from _texts(item)


def _slug(title: str) -> str:
    """Return a file name that any storage and any mail program takes."""
    words = re.sub(r"[^a-z0-9]+", "-", title.lower())[:_NAME_CHARS].strip("-")
    return words or _UNNAMED
