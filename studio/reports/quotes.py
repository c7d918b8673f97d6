"""Whether a quote stands on a page, letter for letter; only white space and the shape of quotation marks may differ."""

from __future__ import annotations

import functools
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator

from studio.reports.figures import Figure, figures_of_part
from studio.reports.languages import CLEAR, language_of
from studio.text import storable

# Shorter quotes stand on nearly every page. A Chinese letter says what three of an alphabet do.
FEWEST_LETTERS = 12
LETTERS_PER_IDEOGRAM = 3
# A longer one is no quote any more, but the page.
LONGEST_QUOTE = 1200

# Stands between passages of a page that are kept as one text: no white space, so that no quote crosses it.
PASSAGES_APART = "␞"

_UNPARTED = "[　-ヿ一-鿿㐀-䶿＀-￯]"
_IDEOGRAM = re.compile(_UNPARTED)
# Lines break beside Chinese letters without a meaning.
_EMPTY_SPACE = re.compile(f"(?<={_UNPARTED}) | (?={_UNPARTED})")
# No reader sees these. In Persian and Hindi they shape letters, so a page that has them keeps them in its quotes.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\u2066-\u2069\u202a-\u202e\ufeff]")
# What typographers and keyboards write differently, each letter for a letter; and the bracket that a prompt puts in
# place of one that could close its block.
_FOLDED = str.maketrans({char: group[0] for group in ("'’‘‚ʼ′", '"“”„«»″', "-‐‑‒–—−", "<‹") for char in group})
_OUTER = '"“”„«»…'
# Letters of these scripts stand beside each other without a word's being cut.
_CLOSE = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff00-\uffef\U00020000-\U0003ffff]"
)
_MAGNITUDES = frozenset("千천万萬만百十億亿억兆조")
_HYPHENS, _SIGNS = frozenset("-‐‑"), frozenset("-–−")
_ONE_NUMBER = re.compile(r"(?<!\d)\d{1,3}(?: \d{3})+(?!\d)|\d+(?:[.,'’٫٬．，]\d+)+")
# No number is longer.
_NUMBER_CHARS = 40
# A quote that stands inside other words so often, and never by itself, is not looked for any further.
_MOST_PLACES = 1000
# Normalizing takes the square of a run of marks; no script puts so many on a letter.
_MOST_MARKS = 30
_FIRST_MARK, _LAST_MARK = 0x300, 0x1FFFF


class PageText:
    """The text of a page, to look for quotes in. Time is linear in its length, whatever it says."""

    def __init__(self, text: str) -> None:
        self.text = squeezed(text)

    @functools.cached_property
    def language(self) -> str | None:
        """The page's language, None where its text does not clearly tell."""
        return language_of(self.text, CLEAR)

    @functools.cached_property
    def _folded(self) -> str:
        return self.text.translate(_FOLDED)

    @functools.cached_property
    def _empty_spaces(self) -> list[int]:
        return [space.start() for space in _EMPTY_SPACE.finditer(self._folded)]

    @functools.cached_property
    def _gaps(self) -> list[int]:
        """Where each space that was taken out would stand in the tight text."""
        return [place - count for count, place in enumerate(self._empty_spaces)]

    @functools.cached_property
    def _tight(self) -> str:
        return _EMPTY_SPACE.sub("", self._folded)

    @functools.cached_property
    def _visible(self) -> PageText:
        return PageText(_INVISIBLE.sub("", self.text))

    def find(self, quote: str) -> str | None:
        """Return the page's own words that are `quote`, None where they do not stand on it.

        They differ from `quote` in white space and in the shape of quotation marks and dashes, if at all, and neither
        begin nor end inside a word or a number: "12 million" does not stand in "112 million".
        """
        text, begin, end = self._placed(quote)
        return text[begin:end] if end else None

    def around(self, quote: str, chars: int) -> str:
        """Return the quote with what stands before and after it on the page, `chars` in all, cut between words.

        Of several passages it is the quote's own: no sentence is made of two.
        """
        text, first, end = self._placed(quote)
        if not end:
            return ""
        least, most = _passage(text, first, end)
        begin = max(least, (first + end) // 2 - chars // 2)
        part = text[begin : min(most, begin + chars)]
        if begin > least:
            part = part[part.find(" ") + 1 :]
        return part.strip()

    def figures(self, quote: str) -> list[Figure]:
        """Return the figures of a quote as the page has them; one that a quote's edge has cut is none of its."""
        text, begin, end = self._placed(quote)
        least, most = _passage(text, begin, end)
        return figures_of_part(text[least:most], begin - least, end - least, self.language)

    def _placed(self, quote: str) -> tuple[str, int, int]:
        """Return the text in which a quote stands, and where it begins and ends; 0 and 0 where it does not stand."""
        wanted = bare(quote)
        if not wanted or PASSAGES_APART in wanted:
            return self.text, 0, 0
        place = self._place(wanted)
        if place is None and (_INVISIBLE.search(wanted) or _INVISIBLE.search(self.text)):
            wanted = _INVISIBLE.sub("", wanted)
            if wanted and (place := self._visible._place(wanted)) is not None:
                return self._visible.text, *place
        return self.text, *(place or (0, 0))

    def _place(self, wanted: str) -> tuple[int, int] | None:
        size = len(wanted)
        for text, words in ((self.text, wanted), (self._folded, wanted.translate(_FOLDED))):
            for begin in _places(text, words):
                if self._apart(begin, begin + size):
                    return begin, begin + size
        tight = _EMPTY_SPACE.sub("", wanted.translate(_FOLDED))
        if not tight:
            return None
        for found in _places(self._tight, tight):
            last = found + len(tight) - 1
            begin, end = found + bisect_right(self._gaps, found), last + bisect_right(self._gaps, last) + 1
            if self._apart(begin, end):
                return begin, end
        return None

    def _apart(self, begin: int, end: int) -> bool:
        """Whether what stands between two places neither begins nor ends inside a word or a number."""
        return not _inside(self.text, begin) and not _inside(self.text, end)


def _passage(text: str, begin: int, end: int) -> tuple[int, int]:
    """Return where the passage begins and ends in which `text[begin:end]` stands: all of a text that is one."""
    most = text.find(PASSAGES_APART, end)
    return text.rfind(PASSAGES_APART, 0, begin) + 1, len(text) if most < 0 else most


def _places(text: str, words: str) -> Iterator[int]:
    begin = -1
    for _ in range(_MOST_PLACES):
        begin = text.find(words, begin + 1)
        if begin < 0:
            return
        yield begin


def _inside(text: str, place: int) -> bool:
    """Whether a cut of `text` at `place` would cut a word or a number."""
    left = _INVISIBLE.sub("", text[max(0, place - _NUMBER_CHARS) : place])
    right = _INVISIBLE.sub("", text[place : place + _NUMBER_CHARS])
    if not left or not right:
        return False
    before, after = left[-1], right[0]
    if before.isdigit() and (after.isdigit() or after in _MAGNITUDES):
        return True
    if any(number.start() < len(left) < number.end() for number in _ONE_NUMBER.finditer(left + right)):
        return True
    if before in _SIGNS and after.isdigit():
        return len(left) == 1 or not left[-2].isalnum()
    if before in _HYPHENS:
        return len(left) > 1 and left[-2].isalpha() and after.isalpha()
    if after in _HYPHENS:
        return len(right) > 1 and before.isalpha() and right[1].isalpha()
    return _of_a_word(before) and _of_a_word(after) and not _CLOSE.match(before) and not _CLOSE.match(after)


def _of_a_word(char: str) -> bool:
    return char.isalnum() or char == "_" or unicodedata.category(char)[0] == "M"


@functools.cache
def _crowd() -> re.Pattern[str]:
    """Return what finds a run of too many marks, its first ones as a group."""
    marks = (chr(code) for code in range(_FIRST_MARK, _LAST_MARK) if unicodedata.category(chr(code))[0] == "M")
    every = re.escape("".join(marks))
    return re.compile(f"([{every}]{{{_MOST_MARKS}}})[{every}]+")


def composed(text: str) -> str:
    """Return `text` in Unicode's composed form, in linear time: of a run of marks the first ones are kept."""
    return text if text.isascii() else unicodedata.normalize("NFC", _crowd().sub(r"\1", text))


def apart(passages: Iterable[str]) -> str:
    """Return passages as one text in which each still stands by itself."""
    return f"\n\n{PASSAGES_APART}\n\n".join(passages)


def squeezed(text: str) -> str:
    """Return `text` in Unicode's composed form, every run of white space as one space."""
    return " ".join(composed(storable(text)).split())


def bare(quote: str) -> str:
    """Return a quote without the marks that somebody has put around it, and at most `LONGEST_QUOTE` long.

    It is cut between words and gets no ellipsis: what is left is still what the page says.
    """
    words = squeezed(quote).strip(_OUTER + " ").removesuffix("...").strip()
    if len(words) <= LONGEST_QUOTE:
        return words
    cut = words[: LONGEST_QUOTE + 1]
    return cut[: cut.rfind(" ")].rstrip() if " " in cut else words[:LONGEST_QUOTE]


def says_something(quote: str) -> bool:
    """Return whether a quote is long enough to carry a statement."""
    letters = sum(LETTERS_PER_IDEOGRAM if _IDEOGRAM.match(char) else 1 for char in quote if char.isalnum())
    return letters >= FEWEST_LETTERS
