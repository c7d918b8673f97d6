"""Whether two texts speak of the same matter, told by the words that they share.

It is the rule by which research is checked elsewhere (`studio.research`), for every script: where words are not
parted by spaces, pairs of letters stand for them. It shows what a text speaks of, not what it proves.
"""

from __future__ import annotations

import re

from studio.reports.languages import language_of
from studio.research import SHARED_STEMS, STEM_CHARS

_UNPARTED = re.compile("[぀-ヿ一-鿿㐀-䶿\u0e00-\u0e7f]+")
_WORD = re.compile(r"[^\W\d_]+")
# Words of these scripts are short, and begin with an article or a conjunction.
_SEMITIC = re.compile("[\u0590-\u06ff]")
_SEMITIC_HEAD = re.compile("^(?:[وف]?(?:ال|لل)|[והב])(?=..)")
_SEMITIC_STEM = 4
_HANGUL = re.compile("[가-힯]")
_HANGUL_STEM = 2
# Two pairs of letters may be one word of three letters.
SHARED_PAIRS = 3


def terms(text: str) -> set[str]:
    """Return what tells of a text's matter: the beginnings of its longer words, the pairs of its unparted letters."""
    found: set[str] = set()
    for run in _UNPARTED.findall(text):
        found.update(run[start : start + 2] for start in range(len(run) - 1))
    for word in _WORD.findall(_UNPARTED.sub(" ", text)):
        word = word.casefold()
        if _SEMITIC.search(word):
            word = _SEMITIC_HEAD.sub("", word)
            if len(word) > 2:
                found.add(word[:_SEMITIC_STEM])
        elif _HANGUL.search(word):
            found.add(word[:_HANGUL_STEM])
        elif len(word) >= STEM_CHARS:
            found.add(word[:STEM_CHARS])
    return found


def speaks_of(carrier: str, text: str) -> bool | None:
    """Return whether `carrier` speaks of the matter of `text`; None where their languages cannot be compared."""
    told = terms(text)
    shared = told & terms(carrier)
    wanted = SHARED_PAIRS if any(_UNPARTED.fullmatch(term) for term in told) else SHARED_STEMS
    if told and len(shared) >= min(wanted, len(told)):
        return True
    mine, its = language_of(text), language_of(carrier)
    return None if mine is not None and its is not None and mine != its else False
