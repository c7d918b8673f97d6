"""A report as a PDF: a page for each slide, in any script, with its own fonts, links, and text that can be read out.

All scripts stand in one report, because starting a browser takes most of the time.
"""

from __future__ import annotations

import io
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from pypdf import PageObject, PdfReader
from pypdf.generic import ContentStream

from studio.browser.chromium import find
from studio.errors import BrowserUnavailable
from studio.reports import rendering
from studio.reports.model import Report
from studio.reports.rendering import Rendered
from studio.settings import Settings
from tests.support import report_samples as samples
from tests.support.size import FULL

TEXTS = (
    samples.JAPANESE[1],
    samples.ARABIC[1],
    samples.HEBREW[1],
    samples.HINDI[1],
    "Grüße, Ζ, Ж, e\u0302\u030a 🔧",
    samples.CHINESE[1],
)
PAGES = 9
# The families that the studio brings along; what a browser draws as a font of type 3 has no name.
OWN = ("SourceS", "Noto")


def printed(report: Report, pages: int, settings: Settings | None = None) -> Rendered:
    return rendering.render(
        report, format="pdf", pages=pages, brand=samples.brand(), settings=settings or Settings(_env_file=None)
    )


@pytest.fixture(scope="module")
def made() -> Rendered:
    return printed(samples.translated(TEXTS, "en", "All scripts"), PAGES)


@pytest.fixture(scope="module")
def pdf(made: Rendered) -> PdfReader:
    return PdfReader(io.BytesIO(made.data))


def operations(page: PageObject) -> Iterator[tuple[list[object], bytes]]:
    stream = ContentStream(page["/Contents"], page.pdf)
    yield from stream.operations


def text_of(pdf: PdfReader) -> str:
    """Return what stands in the PDF, with what it says of glyphs that are not letters one by one."""
    actual = [
        str(operands[1]["/ActualText"])  # type: ignore[index]
        for page in pdf.pages
        for operands, operator in operations(page)
        if operator == b"BDC" and isinstance(operands[1], dict) and "/ActualText" in operands[1]
    ]
    return unicodedata.normalize("NFKC", "".join(page.extract_text() for page in pdf.pages) + "".join(actual))


def test_there_is_one_wide_page_for_each_slide(made: Rendered, pdf: PdfReader) -> None:
    assert len(pdf.pages) == made.pages == PAGES
    assert {(float(page.mediabox.width), float(page.mediabox.height)) for page in pdf.pages} == {(960.0, 540.0)}
    assert (made.mime_type, made.filename) == ("application/pdf", "all-scripts.pdf")
    assert made.thumbnail_png is not None


def test_its_text_can_be_read_out_in_every_script(pdf: PdfReader) -> None:
    told = text_of(pdf)
    for text in TEXTS:
        letters = {char for char in unicodedata.normalize("NFKC", text) if char.isalpha()}
        assert letters - set(told) == set()


def test_it_brings_its_fonts_and_no_glyph_is_missing(pdf: PdfReader) -> None:
    named, glyphs = set(), 0
    for page in pdf.pages:
        wide = set()
        for name, reference in page["/Resources"]["/Font"].items():
            font = reference.get_object()
            if font["/Subtype"] == "/Type0":
                wide.add(name)
                below = font["/DescendantFonts"][0].get_object()
                assert "/FontFile2" in below["/FontDescriptor"].get_object()
                named.add(str(font["/BaseFont"]).partition("+")[2])
        used = None
        for operands, operator in operations(page):
            if operator == b"Tf":
                used = operands[0]
            elif operator in (b"Tj", b"TJ") and used in wide:
                parts = operands[0] if isinstance(operands[0], list) else [operands[0]]
                for part in parts:
                    if isinstance(part, str | bytes):
                        data = getattr(part, "original_bytes", part)
                        codes = [data[at : at + 2] for at in range(0, len(data), 2)]
                        assert b"\x00\x00" not in codes
                        glyphs += len(codes)
    assert glyphs > 1000
    assert all(name.startswith(OWN) for name in named), named


def test_its_links_lead_to_the_pages_and_it_says_what_it_is(pdf: PdfReader) -> None:
    targets = {
        str(note.get_object()["/A"]["/URI"])
        for page in pdf.pages
        for note in page.get("/Annots", [])
        if "/URI" in note.get_object().get("/A", {})
    }
    assert targets >= {source.url for source in samples.SOURCES[:5]}
    assert pdf.metadata is not None
    assert pdf.metadata.title == "All scripts: Research report"


def test_without_a_browser_the_reason_and_a_remedy_are_said() -> None:
    settings = Settings(_env_file=None, browser_path="/no/such/browser")
    with pytest.raises(BrowserUnavailable, match="no browser at /no/such/browser") as caught:
        printed(samples.report(), 5, settings)
    assert caught.value.remedy


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: one more browser")
def test_a_browser_that_takes_no_fonts_is_found_out() -> None:
    """Chromium ignores the fonts of a document where the machine has none at all."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        folder.chmod(0o755)
        empty = folder / "fonts.conf"
        empty.write_text("<?xml version='1.0'?><fontconfig><dir>/nowhere</dir></fontconfig>")
        browser = folder / "chromium"
        browser.write_text(f'#!/bin/sh\nFONTCONFIG_FILE={empty} exec {find(Settings(_env_file=None))} "$@"\n')
        browser.chmod(0o755)
        settings = Settings(_env_file=None, browser_path=str(browser))
        with pytest.raises(BrowserUnavailable, match="did not take the fonts"):
            printed(samples.in_script("hebrew"), 3, settings)
    finally:
        shutil.rmtree(folder)


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: a browser for each")
@pytest.mark.parametrize("name", ["japanese", "chinese", "arabic", "hebrew", "hindi", "odd"])
@pytest.mark.parametrize("pages", [3, 30])
def test_every_script_is_printed_at_any_length(name: str, pages: int) -> None:
    made = printed(samples.in_script(name), pages)
    assert len(PdfReader(io.BytesIO(made.data)).pages) == pages
