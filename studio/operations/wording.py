"""How durations, moments, counts and lists read in a sentence."""

from __future__ import annotations

from datetime import UTC, datetime

_MINUTE = 60.0
_HOUR = 3600.0
_DAY = 86_400.0


def lasting(milliseconds: float) -> str:
    """Return a duration in words: `340 ms`, `4.2 s`, `12 s`, `1 min 12 s`, `2 h 5 min`, `3 d 4 h`."""
    if milliseconds < 999.5:
        return f"{max(0.0, milliseconds):.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    for size, unit, smaller, name in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1.0, "s"),
    ):
        whole, rest = divmod(round(seconds / smaller), round(size / smaller))
        if whole:
            return f"{whole} {unit} {rest} {name}" if rest else f"{whole} {unit}"
    return f"{seconds:.0f} s"


def moment(at: datetime) -> str:
    """Return a moment in UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def times(count: int) -> str:
    """Return `once`, `twice`, `3 times`."""
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def several(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun: `1 job`, `3 jobs`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(items: list[str]) -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))
