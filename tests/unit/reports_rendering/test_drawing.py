"""What reports ask of the decks' drawing: tables known to fit, other scripts, colours, and fonts of their own."""

from __future__ import annotations

import io
import re

import pptx
import pytest

from studio.decks import html, metrics, setting
from studio.decks import pptx as presentation
from studio.decks.layouts import finished, laid
from studio.decks.layouts.tables import stands
from studio.decks.model import Cell, Item, Listing, Notes, Outline, Slide, Table
from studio.decks.scene import Grid
from studio.reports.drawing import typefaces
from tests.support import report_samples as samples

NOTES = Notes("said", unsourced=("nothing.",))
OUTLINE = Outline("A name", "A subject", ())


@pytest.mark.parametrize("rows", range(1, 16))
@pytest.mark.parametrize("size", [11.0, 12.0, 14.0])
def test_a_table_is_known_to_fit_without_being_drawn(rows: int, size: float) -> None:
    brand = samples.brand("idea 3")
    line = (Cell("A statement of some length that takes two lines in its column", "tag"), Cell("word " * 20))
    slide = Slide("A title", table := Table(("One", "Two"), (1, 2), (line,) * rows), NOTES)
    pages = laid(brand, slide)
    grid = next(element for element in pages[0].elements if isinstance(element, Grid))
    drawn = len(pages) == 1 and grid.rows[0].cells[0][0].size >= size
    assert stands(brand, slide, table, size) == drawn


def test_a_title_without_spaces_is_as_large_as_one_with_them() -> None:
    brand = samples.brand()
    assert metrics.unbroken("漢字 half-way") == ["漢", "字", "half-", "way"]
    size, shown = setting.title_size(brand, samples.JAPANESE[0][:40], 848, 84, setting.sizes(34, 20))
    assert size > 24
    assert shown == samples.JAPANESE[0][:40]


def listing(*texts: str) -> Slide:
    return Slide("שוק", Listing(tuple(Item(text, tag="[1]") for text in texts)), NOTES)


def test_an_english_line_in_a_hebrew_list_keeps_its_figure_and_its_full_stop() -> None:
    brand = samples.brand()
    pages = finished(laid(brand, listing("4 questions asked.", samples.HEBREW[0])), "שם", brand, leftwards=True)
    slide = pptx.Presentation(io.BytesIO(presentation.render(OUTLINE, pages, brand, samples.ASKED_AT))).slides[0]
    texts = [para.text for shape in slide.shapes if shape.has_text_frame for para in shape.text_frame.paragraphs]
    mark = "\N{LEFT-TO-RIGHT MARK}"
    assert f"{mark}4 questions asked.  [1]{mark}" in texts
    assert f"{samples.HEBREW[0]}  [1]" in texts


def test_the_twin_has_the_colours_of_pieces_of_text_and_runs_charts_to_the_right() -> None:
    brand = samples.brand()
    document = html.render(OUTLINE, laid(brand, listing("One")), brand)
    assert re.search(r'<span style="color:var\(--muted-text\)">\s+\[1\]</span>', document)
    assert ".chart svg{display:block;direction:ltr" in document
    assert "font-src" not in document


def test_only_a_document_with_its_own_fonts_may_read_them() -> None:
    fonts = typefaces.printed_in(samples.brand(), ["한국어 text"])
    document = html.render(OUTLINE, laid(fonts.brand, listing("한국어 text")), fonts.brand, fonts=fonts.sheet)
    assert "font-src data:;" in document
    assert "default-src 'none'" in document
    assert fonts.others >= set("한국어")
    families = re.findall(r"@font-face\{font-family:'([^']+)'", document)
    assert {"Source Sans 3", "Source Serif 4", "notosanscjk"} <= set(families)
    assert "'notosanscjk'" in fonts.brand.body_stack


def test_what_no_font_has_is_marked() -> None:
    show = typefaces.printed_in(samples.brand(), ["a \U00013000"]).show
    assert show("a \U00013000") == "a \N{REPLACEMENT CHARACTER}"
