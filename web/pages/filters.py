"""How values are written on pages: moments, money, durations, identifiers."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from studio.model.prices import MICROS


def install(environment: Environment) -> None:
    """Give the templates their filters."""
    environment.filters |= {"moment": moment, "usd": usd, "duration": duration, "words": words, "short": short}


def moment(value: datetime | None, style: str = "relative") -> Markup | str:
    """Return a moment as `<time>`, in UTC; a script of the page writes it in the reader's own time and words."""
    if value is None:
        return "–"
    at = value.astimezone(UTC)
    return Markup('<time datetime="{}" data-moment="{}">{}</time>').format(
        at.isoformat(timespec="milliseconds").replace("+00:00", "Z"), style, at.strftime("%d %b %Y, %H:%M UTC")
    )


def usd(micros: int | None) -> str:
    """Return micro-dollars as dollars: to the cent, and below a cent as that."""
    if micros is None:
        return "–"
    if 0 < micros < MICROS // 100:
        return "< $0.01"
    return f"${Decimal(micros) / MICROS:,.2f}"


def duration(seconds: float | None) -> str:
    """Return a duration as a person says it: 0.4 s, 12 s, 3 min 5 s, 2 h 4 min."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def words(name: Any) -> str:
    """Return a name of code as words: `deploy_landing_page` is deploy landing page."""
    return str(name).replace("_", " ").replace(".", " ")


def short(identifier: Any) -> str:
    """Return the beginning of an id, by which a person tells it from others."""
    return str(identifier)[:8]
