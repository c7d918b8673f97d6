"""Whether a quote stands on a page, letter for letter; only white space and the shape of quotation marks may differ."""

from __future__ import annotations

import functools
import re
import unicodedata
from bisect import bisect_right

from studio.text import storable

# Shorter quotes stand on nearly every page. A Chinese letter says what three of an alphabet do.
FEWEST_LETTERS = 12
LETTERS_PER_IDEOGRAM = 3
# A longer one is no quote any more, but the page.
LONGEST_QUOTE = 1200

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


class PageText:
    """The text of a page, to look for quotes in. Time is linear in its length, whatever it says."""

    def __init__(self, text: str) -> None:
        self.text = squeezed(text)

    @functools.cached_property
    def _folded(self) -> str:
        return self.text.translate(_FOLDED)

    @functools.cached_property
    def _empty_spaces(self) -> list[int]:
        return [space.start() for space in _EMPTY_SPACE.finditer(self._folded)]

    @functools.cached_property
    def _tight(self) -> str:
        return _EMPTY_SPACE.sub("", self._folded)

    @functools.cached_property
    def _visible(self) -> PageText:
        return PageText(_INVISIBLE.sub("", self.text))

    def find(self, quote: str) -> str | None:
        """Return the page's own words that are `quote`, None where they do not stand on it.

        They differ from `quote` in white space and in the shape of quotation marks and dashes, if at all.
        """
        wanted = bare(quote)
        if not wanted:
            return None
        words = self._find(wanted)
        if words is None and (_INVISIBLE.search(wanted) or _INVISIBLE.search(self.text)):
            words = self._visible._find(_INVISIBLE.sub("", wanted))
        return words

    def _find(self, wanted: str) -> str | None:
        if wanted in self.text:
            return wanted
        wanted = wanted.translate(_FOLDED)
        if (begin := self._folded.find(wanted)) >= 0:
            return self.text[begin : begin + len(wanted)]
        tight = _EMPTY_SPACE.sub("", wanted)
        begin = self._tight.find(tight) if tight else -1
        if begin < 0:
            return None
        # Where each space that was taken out would stand in the tight text.
        gaps = [place - count for count, place in enumerate(self._empty_spaces)]
        last = begin + len(tight) - 1
        return self.text[begin + bisect_right(gaps, begin) : last + bisect_right(gaps, last) + 1]

    def around(self, quote: str, chars: int) -> str:
        """Return the quote with what stands before and after it on the page, `chars` in all, cut between words."""
        words = self.find(quote)
        if words is None:
            return ""
        middle = self.text.find(words) + len(words) // 2
        begin = max(0, middle - chars // 2)
        part = self.text[begin : begin + chars]
        if begin:
            part = part[part.find(" ") + 1 :]
        return part


def squeezed(text: str) -> str:
    """Return `text` in Unicode's composed form, every run of white space as one space."""
    return " ".join(unicodedata.normalize("NFC", storable(text)).split())


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
