"""How what is measured is written: milliseconds, shares, counts of tokens, statuses of traces."""

from __future__ import annotations

import re

from jinja2 import Environment

from studio.operations.figures import dollars, duration
from web.pages.operations.kinds import kind_of

# What a round time says for nothing: 4.0 s, 2 min 0 s, 1 h 0 min.
_NOTHING = re.compile(r"\.0(?= )|(?<=min) 0 s$|(?<=h) 0 min$")
# A status as a word and a tone; the sign beside it is the icon's. Nothing is told by a colour alone.
STATUSES: dict[str, tuple[str, str, str]] = {
    "running": ("running", "run", "run"),
    "ok": ("ok", "go", "check"),
    "error": ("error", "stop", "cross"),
    "cancelled": ("cancelled", "quiet", "stop"),
    "lost": ("lost", "warn", "alert"),
}


def install(environment: Environment) -> None:
    """Give the templates their filters."""
    environment.filters |= {"ms": ms, "share": share, "many": many, "kind": kind_of, "dollars": money}
    environment.globals["trace_statuses"] = STATUSES


def ms(value: float | None) -> str:
    """Return milliseconds as a person says them: 0.4 ms, 640 ms, 4.2 s, 3 min 5 s, 2 h 4 min."""
    if value is None:
        return "–"
    return duration(value) if value else "0 ms"


def round_ms(value: float) -> str:
    """Return round milliseconds as an axis says them: 0, 40 ms, 4 s, 2 min, 1 h."""
    return _NOTHING.sub("", ms(value)) if value else "0"


def share(value: float | None) -> str:
    """Return a share of 1 in percent: 0.042 is 4.2 %, 0.31 is 31 %."""
    if value is None:
        return "–"
    percent = value * 100
    if 0 < percent < 0.1:
        return "< 0.1 %"
    return f"{percent:.1f} %" if percent < 9.95 else f"{percent:.0f} %"


def many(count: int | None) -> str:
    """Return a count as it fits into a table: 412, 8,420, 1.2 M."""
    if count is None:
        return "–"
    return f"{count:,}" if count < 1_000_000 else f"{count / 1_000_000:.1f} M"


def money(micros: int | None) -> str:
    """Return micro-dollars to the digit that says something of a single call: $0.0214, $1.24."""
    return "–" if micros is None else dollars(micros)
