"""Words on slides: shortened where they stand beside others, and dates and counts written out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import datetime

from studio.decks.metrics import breaks_anywhere

# How much of a text a table, a title and a label show; the notes of the slide have it whole.
STATEMENT, QUOTE, TITLE, LABEL = 240, 300, 110, 56
_JOINER = "\u200d"


def shortened(text: str, room: int) -> str:
    """Return the text cut to `room` letters, a wide one counted twice, with an ellipsis where it was cut.

    It is cut between words where it has some, and never inside a letter that is made of several characters.
    """
    used = 0
    for at, char in enumerate(text):
        used += 2 if unicodedata.east_asian_width(char) in "WF" else 0 if _joins(char) else 1
        if used > room:
            return _cut(text, at)
    return text


def _cut(text: str, at: int) -> str:
    while at and (_joins(text[at]) or text[at - 1] == _JOINER):
        at -= 1
    space = text.rfind(" ", 0, at)
    if space > at * 0.5 and not breaks_anywhere(text[at]):
        at = space
    return text[:at].rstrip(" ,;:–-") + "…"


def _joins(char: str) -> bool:
    return char == _JOINER or unicodedata.category(char) in ("Mn", "Me", "Cf") or "\U0001f3fb" <= char <= "\U0001f3ff"


def day(moment: datetime) -> str:
    """Return a date as "3 March 2026"."""
    return f"{moment.day} {moment:%B %Y}"


def marks(numbers: Iterable[int]) -> str:
    """Return how statements are cited: "[1] [4]"."""
    return " ".join(f"[{number}]" for number in numbers)


def quoted(text: str) -> str:
    """Return a passage between quotation marks."""
    return f"“{text}”"
