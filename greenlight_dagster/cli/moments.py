"""Stretches of time as a person types them: 24h, 90m, 7d, 250ms."""

from __future__ import annotations

import re
from datetime import timedelta

from studio.errors import InvalidInput

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_STRETCH = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*(ms|s|m|h|d|w)")
# As far back as nothing is kept.
_LONGEST = timedelta(days=3660)


def parse_stretch(text: str, what: str) -> timedelta:
    """Return a stretch of time such as 24h, or raise `InvalidInput` that names `what`."""
    found = _STRETCH.fullmatch(text.strip().lower())
    stretch = timedelta(0) if found is None else min(float(found[1]) * _UNITS[found[2]], _LONGEST)
    if stretch <= timedelta(0):
        raise InvalidInput(f"{what} {text!r} is no stretch of time.", "Give one like 250ms, 30s, 90m, 24h, 7d or 2w.")
    return stretch
