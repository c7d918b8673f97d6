"""Which typeface a style asks for first: `font-family`, and the family within the shorthand `font`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Any

from studio.landing.vocabulary import words

_KEEPS = words("inherit unset")
_SIZES = words("xx-small x-small small medium large x-large xx-large xxx-large smaller larger math")
# One word for all of it: fonts of the visitor's system, or of the browser.
_WHOLE = words("caption icon menu message-box small-caption status-bar initial revert revert-layer")


def computed(family: Sequence[Any], shorthand: Sequence[Any], above: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the font list of an element: its own `font-family`, else that of its `font`, else `above`'s.

    All three are tokens with every `var()` replaced; `family` is empty where a later `font` has taken it back.
    """
    own = tuple(family) or _in_shorthand(shorthand)
    if not own or _is_word(own[0], _KEEPS):
        return above
    return own


def first(family: Iterable[Any]) -> str:
    """Return the first name of a font list as it is compared: in lower case, without quotation marks."""
    named = takewhile(lambda token: not (token.type == "literal" and token.value == ","), family)
    return " ".join(str(token.value) for token in named if token.type in ("string", "ident")).strip().casefold()


def is_void(shorthand: Sequence[Any]) -> bool:
    """Return whether a browser passes over a `font` as written: it has no size, or no family behind it."""
    substituted = any(token.type == "function" and token.lower_name == "var" for token in shorthand)
    return not substituted and not _in_shorthand(shorthand)


def _in_shorthand(tokens: Sequence[Any]) -> tuple[Any, ...]:
    """Return what stands behind the size and the line height, nothing where there is no size."""
    if len(tokens) == 1 and tokens[0].type == "ident" and tokens[0].lower_value in _KEEPS | _WHOLE:
        return tuple(tokens)
    for index, token in enumerate(tokens):
        if not _is_size(token):
            continue
        rest = tokens[index + 1 :]
        return tuple(rest[2:] if rest and rest[0].type == "literal" and rest[0].value == "/" else rest)
    return ()


def _is_size(token: Any) -> bool:
    # Weights are bare numbers, so a size is what has a unit; a slant's angle stands in no shorthand but `oblique`'s.
    if token.type == "dimension":
        return token.lower_unit not in ("deg", "grad", "rad", "turn")
    return token.type in ("percentage", "function") or _is_word(token, _SIZES)


def _is_word(token: Any, among: frozenset[str]) -> bool:
    return token.type == "ident" and token.lower_value in among
