"""The parts of a paper on the sheet: headings hang in a column of their own, texts stand beside them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from studio.packets.export.parts import (
    Bars,
    Block,
    Claim,
    Claims,
    Entry,
    Grid,
    Listed,
    Paper,
    Section,
    Swatches,
    Words,
    texts,
)
from studio.packets.export.sheet import (
    AMBER,
    AMBER_PALE,
    BODY_X,
    BOTTOM,
    GREEN,
    HANG,
    HEIGHT,
    INK,
    LEFT,
    MEASURE,
    PALE,
    RED,
    RIGHT,
    RULE,
    SOFT,
    TOP,
    WIDTH,
    Color,
    Sheet,
    Style,
    leftwards,
    parted,
)
from studio.packets.fields import Source
from studio.text import clip

VERDICTS: dict[str, tuple[str, Color]] = {
    "greenlight": ("Greenlight", GREEN),
    "revise": ("Revise", AMBER),
    "kill": ("Kill", RED),
}
SANDBOX = "Made by the sandbox model"
SANDBOX_NOTE = (
    "It wrote this packet from the project's own words, to show how the studio works. No language model has judged the"
    " idea, so confidence and recommendation count for nothing."
)
# A passage in print; the whole one is stored with its hash.
QUOTE_CHARS = 420

BODY = Style("sans", "", 10, 4.95)
STRONG = Style("sans", "B", 10, 4.95)
LEAD = Style("sans", "", 12.2, 6.1)
NOTE = Style("sans", "", 9.2, 4.5, SOFT)
SMALL = Style("sans", "", 8.6, 4.2, SOFT)
SMALL_STRONG = Style("sans", "B", 8.6, 4.2, SOFT)
QUOTE = Style("sans", "I", 9.2, 4.5, SOFT)
LINK = Style("sans", "", 8.6, 4.2, GREEN)
HEADING = Style("serif", "B", 12.2, 5.2)
NAME = Style("serif", "B", 27, 10.6)
TAGLINE = Style("sans", "", 13.2, 6.6, SOFT)
KICKER = Style("sans", "B", 8.6, 4.2, GREEN)
_WORDS = {"body": BODY, "lead": LEAD, "note": NOTE, "strong": STRONG}


def drawn(paper: Paper, moment: datetime) -> bytes:
    """Return the PDF; `moment` is the one that it says it was made at. The same paper gives the same bytes."""
    # The PDF library takes fonts as files, and reads them until the end.
    with tempfile.TemporaryDirectory(prefix="greenlight-pdf-") as folder:
        press = Press(paper, moment, Path(folder))
        press.title_page()
        for section in paper.sections:
            press.section(section)
        if paper.sources:
            press.bibliography()
        press.footers()
        return bytes(press.pdf.output())


class Press(Sheet):
    """Draws one paper."""

    def __init__(self, paper: Paper, moment: datetime, folder: Path) -> None:
        super().__init__(texts(paper), f"{paper.name}: {paper.kind}", moment, folder)
        self.paper = paper
        self._numbers = {(source.url, source.quote_sha256): at for at, source in enumerate(paper.sources, 1)}

    def title_page(self) -> None:
        """Draw the head of the first page: what it is, how sure it is, and who made it."""
        paper, pdf = self.paper, self.pdf
        pdf.set_fill_color(*GREEN)
        pdf.rect(0, 0, WIDTH, 3.2, "F")
        self.y = 20
        self.line(LEFT, self.y, paper.kind.upper(), KICKER, spacing=0.35)
        self.line(LEFT, self.y, paper.edition, SMALL, width=WIDTH - LEFT - RIGHT, at_right=True)
        self.y += 8.5
        self.flow(paper.name, self.fitting(paper.name, NAME, WIDTH - LEFT - RIGHT), LEFT, WIDTH - LEFT - RIGHT)
        if paper.tagline:
            self.y += 1.6
            self.flow(paper.tagline, TAGLINE, LEFT, WIDTH - LEFT - RIGHT - 20)
        self.y += 6
        self._verdict()
        if paper.sandbox:
            self._sandbox_note()
        self.y += 4

    def _verdict(self) -> None:
        paper, pdf = self.paper, self.pdf
        label, color = VERDICTS.get(paper.verdict.lower(), (clip(paper.verdict, 30) or "No verdict", SOFT))
        height, top = 17.0, self.y
        pdf.set_fill_color(*PALE)
        pdf.rect(LEFT, top, WIDTH - LEFT - RIGHT, height, "F")
        pdf.set_fill_color(*color)
        pdf.rect(LEFT, top, 1.4, height, "F")
        self.line(LEFT + 6, top + 3, "Recommendation", SMALL)
        self.line(LEFT + 6, top + 7.6, label, Style("serif", "B", 15, 6.4, color))
        x = LEFT + 76
        self.line(x, top + 3, "Confidence", SMALL)
        self.line(x, top + 7.6, f"{paper.confidence}", Style("serif", "B", 15, 6.4))
        number = self.width(f"{paper.confidence}", Style("serif", "B", 15, 6.4))
        self.line(x + number + 1.2, top + 9.4, "of 100", SMALL)
        self.bar(x + 26, top + 10.2, 58, 2.2, paper.confidence, color)
        self.y = top + height

    def _sandbox_note(self) -> None:
        width = WIDTH - LEFT - RIGHT
        lines = self.broken(SANDBOX_NOTE, NOTE, width - 12)
        height = 5.6 + BODY.leading + len(lines) * NOTE.leading
        self.y += 3.5
        self.pdf.set_fill_color(*AMBER_PALE)
        self.pdf.rect(LEFT, self.y, width, height, "F")
        self.pdf.set_fill_color(*AMBER)
        self.pdf.rect(LEFT, self.y, 1.4, height, "F")
        self.y += 2.6
        self.line(LEFT + 6, self.y, SANDBOX, Style("sans", "B", 10, 4.95, AMBER))
        self.y += BODY.leading + 0.3
        self.flow(SANDBOX_NOTE, NOTE, LEFT + 6, width - 12)
        self.y += 2.7

    def section(self, section: Section) -> None:
        """Draw a section: its heading hangs at the left, beside the beginning of its text."""
        style = self.fitting(section.title, HEADING, HANG - 7)
        heading = self.broken(section.title, style, HANG - 7)
        self.need(max(len(heading) * HEADING.leading, self._head_height(section.blocks)) + 8)
        self.y += 0 if self.y == TOP else 5.5
        self.rule(LEFT, WIDTH - LEFT - RIGHT)
        self.y += 4
        self.pdf.set_y(self.y)
        self.pdf.start_section(self.safe(section.title))
        for number, line in enumerate(heading):
            self.line(LEFT, self.y - 0.3 + number * HEADING.leading, line, style)
        page, bottom = self.pdf.page, self.y + len(heading) * HEADING.leading
        for number, block in enumerate(section.blocks):
            if number:
                self.y += self._gap(section.blocks[number - 1], block)
            self._block(block)
        if self.pdf.page == page:
            self.y = max(self.y, bottom)

    def _head_height(self, blocks: Sequence[Block]) -> float:
        """How much of a section's beginning must stand on one page, so that no heading ends one."""
        if not blocks:
            return 0
        first = blocks[0]
        if isinstance(first, Words) and first.style == "strong" and len(blocks) > 1:
            return BODY.leading * 4
        if isinstance(first, Swatches):
            return 20
        return 24 if isinstance(first, Entry | Claims | Grid) else BODY.leading * 3

    @staticmethod
    def _gap(before: Block, after: Block) -> float:
        if isinstance(before, Words) and before.style == "strong":
            return 0.8
        if isinstance(before, Words) and isinstance(after, Words) and before.label and after.label:
            return 1.2
        return 4.2 if isinstance(after, Entry) or (isinstance(after, Words) and after.style == "strong") else 2.6

    def _block(self, block: Block) -> None:
        match block:
            case Words():
                self._words(block, BODY_X, MEASURE)
            case Listed():
                self._listed(block)
            case Bars():
                self._bars(block)
            case Claims():
                self._claims(block)
            case Grid():
                self._grid(block)
            case Entry():
                self._entry(block)
            case Swatches():
                self._swatches(block)

    def _words(self, words: Words, x: float, width: float) -> None:
        style = _WORDS[words.style]
        if words.style == "strong":
            self.need(style.leading * 3)
        if not words.label:
            self.flow(words.text, style, x, width)
            return
        label = f"{words.label}  "
        indent = self.width(label, STRONG)
        if indent > width / 2 or leftwards(words.text):
            self.flow(words.label, STRONG, x, width)
            self.flow(words.text, style, x, width)
            return
        lines = self.broken(words.text, style, width, first=width - indent)
        for number, line in enumerate(lines):
            self.need(style.leading * (2 if parted(number, len(lines)) else 1))
            if number == 0:
                self.line(x, self.y, words.label, STRONG)
            self.line(x + (indent if number == 0 else 0), self.y, line, style)
            self.y += style.leading

    def _listed(self, listed: Listed) -> None:
        indent = 6.2
        for number, item in enumerate(listed.items, 1):
            if number > 1:
                self.y += 1.1
            lines = self.broken(item, BODY, MEASURE - indent)
            rtl = leftwards(item)
            self.need(BODY.leading * min(2, len(lines)))
            at = BODY_X + MEASURE - 4 if rtl else BODY_X
            self._mark(listed.marks, number, at)
            for line in lines:
                self.need(BODY.leading)
                self.line(BODY_X if rtl else BODY_X + indent, self.y, line, BODY, MEASURE - indent, at_right=rtl)
                self.y += BODY.leading

    def _mark(self, marks: str, number: int, x: float) -> None:
        pdf = self.pdf
        if marks == "numbers":
            self.line(x, self.y, f"{number}", Style("sans", "B", 10, 4.95, GREEN))
        elif marks == "checks":
            pdf.set_draw_color(*GREEN)
            pdf.set_line_width(0.3)
            pdf.rect(x + 0.2, self.y + 0.95, 2.9, 2.9)
        else:
            pdf.set_fill_color(*GREEN)
            pdf.ellipse(x + 0.4, self.y + 1.85, 1.5, 1.5, "F")

    def _bars(self, bars: Bars) -> None:
        for name, value in bars.values:
            self.need(6.4)
            self.line(BODY_X, self.y, name, BODY)
            self.bar(BODY_X + 34, self.y + 1.6, MEASURE - 48, 2.2, value, GREEN)
            self.line(BODY_X, self.y, str(value), STRONG, width=MEASURE, at_right=True)
            self.y += 6.4

    def _claims(self, table: Claims) -> None:
        left, gap = MEASURE * 0.56, 5.0
        right = MEASURE - left - gap
        self._header([("Claim", BODY_X, left), ("Source", BODY_X + left + gap, right)])
        for claim in table.claims:
            said = [(line, BODY, "") for line in self.broken(claim.text, BODY, left)]
            if claim.label:
                said = [(line, STRONG, "") for line in self.broken(claim.label, STRONG, left)] + said
            self._row(
                [(BODY_X, left, said), (BODY_X + left + gap, right, self._cited(claim.sources, right, claim.without))]
            )

    def _cited(
        self, sources: Sequence[Source], width: float, without: str = Claim.without
    ) -> list[tuple[str, Style, str]]:
        if not sources:
            return [(without, Style("sans", "I", 9.2, 4.5, AMBER if without == Claim.without else SOFT), "")]
        found: list[tuple[str, Style, str]] = []
        for source in sources:
            number = self._numbers.get((source.url, source.quote_sha256))
            title = clip(_flat(source.title) or _host(source.url), 120)
            head = f"[{number}] {title}" if number else title
            found += [(line, Style("sans", "", 9.2, 4.5, GREEN), source.url) for line in self.broken(head, NOTE, width)]
            found.append((_host(source.url), SMALL, source.url))
        return found

    def _grid(self, table: Grid) -> None:
        gap = 4.0
        room = MEASURE - gap * (len(table.shares) - 1)
        columns, x = [], BODY_X
        for share in table.shares:
            columns.append((x, room * share))
            x += room * share + gap
        self._header([(title, at, width) for title, (at, width) in zip(table.header, columns, strict=True)])
        for row in table.rows:
            self._row(
                [
                    (at, width, [(line, style, "") for line in self.broken(text, style, width)])
                    for text, (at, width), style in zip(row, columns, (STRONG, BODY, BODY), strict=False)
                ]
            )

    def _header(self, cells: Sequence[tuple[str, float, float]]) -> None:
        self.need(22)
        for title, x, _ in cells:
            self.line(x, self.y, title, SMALL_STRONG)
        self.y += SMALL.leading + 1
        self.rule(BODY_X, MEASURE, INK, 0.25)

    def _row(self, cells: Sequence[tuple[float, float, list[tuple[str, Style, str]]]]) -> None:
        """Draw the cells of a row side by side; one that is longer than a page goes on on the next."""
        height = max(sum(style.leading for _, style, _ in lines) for _, _, lines in cells) + 4
        self.need(min(height, HEIGHT - TOP - BOTTOM - 20))
        left = [list(lines) for _, _, lines in cells]
        while True:
            top = self.y + 2
            bottom = top
            for (x, width, _), lines in zip(cells, left, strict=True):
                at = top
                while lines and at + lines[0][1].leading <= HEIGHT - BOTTOM:
                    text, style, url = lines.pop(0)
                    self.line(x, at, text, style, width, at_right=leftwards(text), link=url)
                    at += style.leading
                bottom = max(bottom, at)
            self.y = bottom + 2
            if not any(left):
                break
            self.new_page()
        self.rule(BODY_X, MEASURE)

    def _entry(self, entry: Entry) -> None:
        inset = 5.0 if entry.framed else 0.0
        self.need(BODY.leading * 3)
        start, page = self.y, self.pdf.page
        self.flow(entry.title, STRONG, BODY_X + inset, MEASURE - inset)
        for remark in entry.remarks:
            self.y += 0.7
            self._words(remark, BODY_X + inset, MEASURE - inset)
        if entry.sources is not None:
            self.y += 0.7
            for text, style, url in self._cited(entry.sources, MEASURE - inset):
                self.need(style.leading)
                self.line(BODY_X + inset, self.y, text, style, link=url)
                self.y += style.leading
        if entry.framed:
            self._sidebar(page, start)

    def _sidebar(self, page: int, start: float) -> None:
        """Draw the line at the left of an entry, on every page that it stands on."""
        pdf, last, end = self.pdf, self.pdf.page, self.y
        for number in range(page, last + 1):
            if number != pdf.page:
                self.turn_to(number)
            pdf.set_fill_color(*RULE)
            top = start + 0.6 if number == page else TOP
            bottom = end if number == last else HEIGHT - BOTTOM
            pdf.rect(BODY_X, top, 0.8, max(0.0, bottom - top), "F")
        if pdf.page != last:
            self.turn_to(last)

    def _swatches(self, swatches: Swatches) -> None:
        for color, role in swatches.colors:
            self.need(9)
            rgb = tuple(int(color[at : at + 2], 16) for at in (1, 3, 5))
            self.pdf.set_fill_color(*rgb)
            self.pdf.set_draw_color(*RULE)
            self.pdf.set_line_width(0.2)
            self.pdf.rect(BODY_X, self.y, 12, 7, "DF")
            self.line(BODY_X + 16, self.y + 1.1, color.upper(), STRONG)
            self.line(BODY_X + 36, self.y + 1.1, role, BODY)
            self.y += 8.6

    def bibliography(self) -> None:
        """Draw every passage that the packet rests on, with its address."""
        self.section(Section("Sources", (Words("What was really retrieved, as it was read.", "note"),)))
        for number, source in enumerate(self.paper.sources, 1):
            self.y += 3
            self.need(BODY.leading * 3)
            self.line(BODY_X, self.y, f"[{number}]", Style("sans", "B", 10, 4.95, GREEN))
            x, width = BODY_X + 9, MEASURE - 9
            self.flow(_flat(source.title) or _host(source.url), STRONG, x, width)
            self.flow(f"“{clip(_flat(source.quote), QUOTE_CHARS)}”", QUOTE, x, width)
            self.flow(_flat(source.url), LINK, x, width, link=source.url)

    def footers(self) -> None:
        """Draw what stands at the end of every page, now that their number is known."""
        pdf, paper = self.pdf, self.paper
        told = f"{clip(paper.name, 60)} · {paper.kind} · {paper.edition.partition(' · ')[0]}"
        for number in range(1, pdf.pages_count + 1):
            self.turn_to(number)
            y = HEIGHT - 14
            self.rule(LEFT, WIDTH - LEFT - RIGHT, at=y - 2.5)
            self.line(LEFT, y, told, SMALL)
            page = f"Page {number} of {pdf.pages_count}"
            self.line(LEFT, y, page, SMALL, WIDTH - LEFT - RIGHT, at_right=True)
            if paper.sandbox:
                at = WIDTH - RIGHT - self.width(page, SMALL) - self.width(SANDBOX, SMALL) - 8
                self.line(at, y, SANDBOX, Style("sans", "B", 8.6, 4.2, AMBER))


def _flat(text: str) -> str:
    return " ".join(text.split())


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or clip(url, 60)
    except ValueError:
        return clip(url, 60)
