"""The parts of a request, and which of them the product clearly meets.

What is meant by a part nobody here understands: it counts as met only where each of its words is one that the product
says of itself. What is listed as missing and is there hurts nobody; what is claimed and is not there does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from studio.sandbox import words
from studio.sandbox.code import kinds

_BETWEEN = re.compile(r"[,;，、；。]|\s+(?:and|as well as|und|sowie)\s+", re.IGNORECASE)
_BEFORE = re.compile(r"^(?:[^\w]+|(?:and|und|or|oder)\s+)+", re.IGNORECASE)
# Words that turn a part into its opposite, or bound it by a number: whether that is met its other words do not tell.
_TURNED = re.compile(
    r"\d|\b(?:no|not|never|none|without|except|only|instead|kein\w*|nicht|nie|ohne|außer|nur|statt)\b|n['’]t\b",
    re.IGNORECASE,
)
# Words in which anybody asks for a first version, whatever it is.
_ASKING = words.stems(
    "build make write create code first version mvp starter app application web simple small please"
    " baue bau mach schreibe schreib erstelle erste ersten version anwendung einfache kleine bitte"
)
# What each of the products has, whatever its kind.
_EVERYWHERE = "list search Liste Suche"


class Parts(NamedTuple):
    """The parts of a request in its own words; a part that asks for nothing but a first version is in neither."""

    met: tuple[str, ...]
    unmet: tuple[str, ...]


def parts_of(request: str, able: Iterable[str], named: Iterable[str], *, waitlist: bool) -> Parts:
    """Return which parts of a request a product meets that is `able` to do something, and whose things are `named`."""
    does = words.stems(" ".join([_EVERYWHERE, *able]))
    about = words.stems(" ".join(named))
    met: list[str] = []
    unmet: list[str] = []
    for part in words.unique(_split(request)):
        rest, listed = kinds.without_waitlist(part) if waitlist else (part, False)
        said = words.stems(rest)
        wanted = said - _ASKING
        if said and not wanted and not listed and not _TURNED.search(part):
            continue
        clear = wanted <= does | about and (listed or bool(wanted & does))
        (met if clear and not _TURNED.search(part) and not kinds.is_beyond(part) else unmet).append(part)
    return Parts(tuple(met), tuple(unmet))


def _split(request: str) -> Iterator[str]:
    for sentence in words.sentences(request):
        for piece in _BETWEEN.split(sentence):
            part = _BEFORE.sub("", words.plain(piece)).strip().rstrip(".!?…")
            if re.search(r"\w", part):
                yield part
