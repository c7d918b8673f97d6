"""Lines and pages: where a text breaks, where a page ends, and how one line gets on it.

Every line is placed here and not by the PDF library, which knows neither that a heading needs two lines below it nor
that a Japanese line does not begin with a full stop.
"""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from studio.packets.export.typefaces import faces_for

Color = tuple[int, int, int]

# A4 in millimetres; a US printer shrinks it by six per cent, and everything stays on the page.
WIDTH, HEIGHT = 210.0, 297.0
LEFT, RIGHT, TOP, BOTTOM = 22.0, 20.0, 22.0, 24.0
HANG = 40.0
MEASURE = WIDTH - LEFT - RIGHT - HANG
BODY_X = LEFT + HANG

INK: Color = (28, 33, 38)
SOFT: Color = (91, 100, 110)
RULE: Color = (216, 220, 224)
PALE: Color = (244, 246, 245)
GREEN: Color = (17, 94, 70)
AMBER: Color = (150, 95, 8)
RED: Color = (168, 43, 34)
AMBER_PALE: Color = (253, 246, 231)
_LEAST_SHARE = 0.6
_STRONG_LEFTWARDS = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_STRONG = re.compile(r"[^\W\d_]")
# Scripts without spaces between words, where a line may end after any character but one of those that follow.
_SPACELESS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f\u0e00-\u0eff\u1780-\u17ff]")
_NO_START = frozenset("、。，．・：；？！」』）〕］｝〉》】ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ…")
_NO_END = frozenset("「『（〔［｛〈《【")


@dataclass(frozen=True)
class Style:
    """How a text is set. `leading` is from one baseline to the next, in millimetres."""

    family: str
    weight: str
    size: float
    leading: float
    color: Color = INK


class Sheet:
    """A document being written; `y` is where the next line begins."""

    def __init__(self, texts: Iterable[str], title: str, moment: datetime, folder: Path) -> None:
        """Begin the first page. `texts` are all that will be written, `folder` holds the fonts until the end."""
        self._faces = faces_for(texts)
        self._widths: dict[tuple[str, Style], float] = {}
        self.pdf = pdf = FPDF(format="A4")
        pdf.set_auto_page_break(False)
        pdf.set_margins(LEFT, TOP, RIGHT)
        pdf.c_margin = 0
        for number, face in enumerate(self._faces.faces):
            file = folder / f"{number}{face.suffix}"
            file.write_bytes(face.data)
            pdf.add_font(face.family, face.style, file)
        pdf.set_fallback_fonts(list(self._faces.fallbacks), exact_match=False)
        pdf.set_text_shaping(True)
        # Else a text that holds these four characters would become a number.
        pdf.str_alias_nb_pages = ""
        pdf.set_title(self.safe(title))
        pdf.set_creator("Greenlight")
        pdf.set_producer("Greenlight")
        pdf.set_creation_date(moment)
        pdf.add_page()
        self.y = TOP

    # --- lines

    def flow(self, text: str, style: Style, x: float, width: float, *, link: str = "") -> None:
        """Draw a text over as many lines and pages as it takes."""
        rtl = leftwards(text)
        lines = self.broken(text, style, width)
        for number, line in enumerate(lines):
            self.need(style.leading * (2 if parted(number, len(lines)) else 1))
            self.line(x, self.y, line, style, width, at_right=rtl, link=link)
            self.y += style.leading

    def line(
        self, x: float, y: float, text: str, style: Style, width: float = 0.0, *, at_right: bool = False,
        link: str = "", spacing: float = 0.0,
    ) -> None:  # fmt: skip
        """Draw one line at a place; `spacing` stands between its letters."""
        pdf = self.pdf
        text = self.safe(text)
        size = self.width(text, style)
        pdf.set_text_color(*style.color)
        if at_right:
            x += width - size
        # What was drawn before may have left another font than the one that the library takes for set.
        pdf.font_family = ""
        self._set(style)
        pdf.set_xy(x, y)
        with _spaced(pdf, spacing):
            pdf.cell(size + 0.01, style.leading, text, link=_web(link), new_x=XPos.RIGHT, new_y=YPos.TOP)

    def broken(self, text: str, style: Style, width: float, *, first: float | None = None) -> list[str]:
        """Return the lines of a text; the first may have less room than the others."""
        lines: list[str] = []
        line, used = "", 0.0
        room = width if first is None else first
        for piece, spaced in _pieces(self.safe(text)):
            gap = self.width(" ", style) if spaced and line else 0.0
            size = self.width(piece, style)
            if line and used + gap + size > room:
                lines.append(line)
                line, used, gap, room = "", 0.0, 0.0, width
            if size <= room:
                line, used = f"{line} {piece}" if gap else line + piece, used + gap + size
                continue
            *whole, line = self._cut(piece, style, room, width)
            lines += whole
            used, room = self.width(line, style), width
        return [*lines, line] if line or not lines else lines

    def fitting(self, text: str, style: Style, width: float) -> Style:
        """Return the style in a size at which the longest word fits, but not below a readable share of it."""
        widest = max((self.width(piece, style) for piece, _ in _pieces(self.safe(text))), default=0.0)
        share = max(_LEAST_SHARE, min(1.0, width / widest)) if widest else 1.0
        return replace(style, size=round(style.size * share, 1), leading=style.leading * share)

    def _cut(self, word: str, style: Style, first: float, width: float) -> Iterator[str]:
        """Yield the parts of a word that is wider than a line."""
        part, used, room = "", 0.0, first
        for char in word:
            size = self.width(char, style)
            if part and used + size > room:
                yield part
                part, used, room = "", 0.0, width
            part, used = part + char, used + size
        yield part

    def width(self, text: str, style: Style) -> float:
        """Return how wide a text is, in millimetres."""
        known = self._widths.get((text, style))
        if known is None:
            self._set(style)
            known = self._widths[text, style] = self.pdf.get_string_width(text)
        return known

    def _set(self, style: Style) -> None:
        self.pdf.set_font(style.family, style.weight, style.size)

    def safe(self, text: str) -> str:
        """Return `text` with a mark in the place of each character that no font has."""
        return self._faces.drawable(text)

    # --- pages and shapes

    def turn_to(self, page: int) -> None:
        """Go on drawing on another page that is there already."""
        pdf = self.pdf
        pdf.page = page
        # The library leaves out what it takes for set; here that was on another page.
        pdf.font_family = ""
        pdf.set_draw_color(1, 1, 1)
        pdf.set_fill_color(1, 1, 1)
        pdf.set_line_width(1)

    def need(self, height: float) -> None:
        """Begin another page where this one has less room than `height`."""
        if self.y + height > HEIGHT - BOTTOM:
            self.new_page()

    def new_page(self) -> None:
        """Go on at the top of another page."""
        self.pdf.add_page()
        self.y = TOP

    def rule(self, x: float, width: float, color: Color = RULE, weight: float = 0.2, at: float | None = None) -> None:
        """Draw a line across, at `y` or at another height."""
        self.pdf.set_draw_color(*color)
        self.pdf.set_line_width(weight)
        y = self.y if at is None else at
        self.pdf.line(x, y, x + width, y)

    def bar(self, x: float, y: float, width: float, height: float, value: int, color: Color) -> None:
        """Draw a bar that is filled to `value` of 100."""
        self.pdf.set_fill_color(*RULE)
        self.pdf.rect(x, y, width, height, "F")
        self.pdf.set_fill_color(*color)
        if value > 0:
            self.pdf.rect(x, y, width * min(100, value) / 100, height, "F")


@contextlib.contextmanager
def _spaced(pdf: FPDF, spacing: float) -> Iterator[None]:
    if spacing:
        pdf.set_char_spacing(spacing)
    yield
    if spacing:
        pdf.set_char_spacing(0)


def parted(number: int, lines: int) -> bool:
    """Whether a page may not end after this line: neither the first nor the last of a paragraph stands alone."""
    return lines > 1 and number in (0, lines - 2)


def _pieces(text: str) -> Iterable[tuple[str, bool]]:
    """Yield what may not be broken, and whether a space stands before it."""
    for word in text.split(" "):
        if not word:
            continue
        if not _SPACELESS.search(word):
            yield word, True
            continue
        piece, spaced = "", True
        for char in word:
            breakable = piece and (_SPACELESS.match(char) or _SPACELESS.match(piece[-1]))
            mark = unicodedata.category(char)[0] == "M" or char in _NO_START
            if breakable and not mark and piece[-1] not in _NO_END:
                yield piece, spaced
                piece, spaced = "", False
            piece += char
        yield piece, spaced


def leftwards(text: str) -> bool:
    """Whether a text runs from right to left, by its first letter."""
    found = _STRONG.search(text)
    return found is not None and _STRONG_LEFTWARDS.match(found.group()) is not None


def _web(url: str) -> str:
    """Return an address that a reader may follow: nothing but the web's."""
    return url if url.startswith(("https://", "http://")) else ""
