"""Figures in sentences: how long, how many, how much."""

from __future__ import annotations

from studio.model.prices import MICROS


def duration(ms: float) -> str:
    """Return milliseconds as a person says them: 0 ms, 0.4 ms, 340 ms, 12.4 s, 3 min 5 s, 2 h 4 min."""
    if ms < 0.05:
        return "0 ms"
    if ms < 9.95:
        return f"{ms:.1f} ms"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    if ms < 59_950:
        return f"{ms / 1000:.1f} s"
    minutes, seconds = divmod(round(ms / 1000), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    return f"{minutes // 60} h {minutes % 60} min"


def number(value: float) -> str:
    """Return a number without places that say nothing: 4, 4.5, 12,000."""
    text = f"{value:,.1f}"
    return text.removesuffix(".0")


def dollars(micros: float) -> str:
    """Return micro-dollars to the cent, and what is below ten cents to a hundredth of one: $4.20, $0.05, $0.0031."""
    if micros >= MICROS / 10:
        return f"${micros / MICROS:,.2f}"
    whole, _, places = f"{micros / MICROS:.4f}".partition(".")
    return f"${whole}.{places.rstrip('0').ljust(2, '0')}"


def counted(value: float, noun: str) -> str:
    """Return a number with its noun, which has a plural with s: 1 retry is not among them."""
    return f"{number(value)} {noun}" if value == 1 else f"{number(value)} {noun}s"
