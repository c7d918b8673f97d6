"""The printed report: the twin of the presentation, with its own fonts, laid on paper by a browser."""

from __future__ import annotations

import re
from collections.abc import Sequence

from studio.decks import html
from studio.decks.model import Outline
from studio.decks.scene import HEIGHT, WIDTH, Grid, Page
from studio.errors import BrowserUnavailable
from studio.reports.drawing.typefaces import Printed
from studio.settings import Settings

_POINTS_AN_INCH = 72
# Scripts with tall letters need the room between their lines that pages were measured with.
_TALL = ".text p[lang],.grid p[lang]{line-height:1.38}"
_PAGE = re.compile(rb"/Type\s*/Page\b")
# How a browser names the families of further scripts in a PDF, or draws those that it cannot name.
_OTHER_FONT = re.compile(rb"\+Noto|/Type3\b")


def pdf(outline: Outline, pages: Sequence[Page], fonts: Printed, settings: Settings) -> bytes:
    """Return the pages as a PDF, one on each, in these fonts.

    Raises `BrowserUnavailable` where there is no browser, or where it did not print every page, or not in the fonts.
    """
    # Here, because processes that draw presentations alone need no browser.
    from studio.browser.printing import print_pdf

    document = html.render(outline, pages, fonts.brand, fonts=f"{fonts.sheet}\n{_TALL}")
    data = print_pdf(settings, document, width_in=WIDTH / _POINTS_AN_INCH, height_in=HEIGHT / _POINTS_AN_INCH)
    count = len(_PAGE.findall(data))
    if count != len(pages):
        raise BrowserUnavailable(
            f"The browser printed {count} of {len(pages)} pages.", "Run it again, or ask for a presentation."
        )
    if not fonts.others.isdisjoint(_letters(pages)) and not _OTHER_FONT.search(data):
        # Chromium takes no fonts from a document where the machine has not a single one.
        raise BrowserUnavailable(
            "The browser did not take the fonts that the report brings along.",
            "Install any font, such as with `apt install fonts-dejavu-core`, or ask for a presentation.",
        )
    return data


def _letters(pages: Sequence[Page]) -> set[str]:
    paras = [para for page in pages for text in page.texts() for para in text.paras]
    grids = [element for page in pages for element in page.elements if isinstance(element, Grid)]
    paras += [para for grid in grids for row in grid.rows for cell in row.cells for para in cell]
    return {char for para in paras for char in para.text}
