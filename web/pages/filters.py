"""How values are written on pages: moments, money, durations, identifiers."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape

from studio.kpis import counted
from studio.model.prices import MICROS
from web import wording
from web.packet_view import web_address

_PROVIDERS = {"github": "GitHub", "meta": "Meta", "vercel": "Vercel", "resend": "Resend"}
_EFFECTS = {
    "create_campaign": "Create the campaign",
    "repository_dispatch": "Start the workflow",
    "trigger_deploy": "Call the deploy hook",
}


def install(environment: Environment) -> None:
    """Give the templates their filters."""
    environment.filters |= {
        "moment": moment,
        "usd": usd,
        "duration": duration,
        "words": words,
        "short": short,
        "counted": counted,
        "size": size,
        "percent": percent,
        "agent": agent,
        "provider": provider,
        "web_link": web_link,
        "effect_name": effect_name,
        "check_name": check_name,
        "plainly": plainly,
        "why_failed": why_failed,
    }


def moment(value: datetime | None, style: str = "relative", *, running: bool = False) -> Markup | str:
    """Return a moment as `<time>`, in UTC; a script of the page writes it in the reader's own time and words.

    In the style `elapsed` and `running` it counts from there.
    """
    if value is None:
        return "–"
    at = value.astimezone(UTC)
    return Markup('<time datetime="{}" data-moment="{}"{}>{}</time>').format(
        at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        style,
        Markup(" data-running") if running else "",
        at.strftime("%d %b %Y, %H:%M UTC"),
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
    """Return a name of code as words: its title where it has one, else `launch_notes` is launch notes."""
    return wording.named(str(name)) or str(name).replace("_", " ").replace(".", " ")


def short(identifier: Any) -> str:
    """Return the beginning of an id, by which a person tells it from others."""
    return str(identifier)[:8]


def size(count: int | None) -> str:
    """Return a number of bytes as a person says it: 812 bytes, 14.2 kB, 3.1 MB."""
    if count is None:
        return "–"
    if count < 1000:
        return counted(count, "byte")
    return f"{count / 1000:,.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:,.1f} MB"


def percent(rate: Decimal | None) -> str:
    """Return a rate in percent: 0.0312 is 3.12 %."""
    return "–" if rate is None else f"{rate * 100:.2f} %"


def agent(key: str | None) -> str:
    """Return who did something as a person reads it: `ceo_agent` is CEO agent, `night_shift` is Night shift."""
    return wording.agent(key or "")


def plainly(text: str | None) -> str:
    """Return a sentence of the studio's without its own names, ids and commands."""
    return wording.plainly(text or "")


def why_failed(error: str | None, project_id: Any) -> Markup:
    """Return why something failed; where a budget is used up, with the way to raise it."""
    told = wording.plainly(error or "")
    if not wording.is_of_budget(told):
        return escape(told)
    for remedy in wording.BUDGET_REMEDIES:
        told = told.removesuffix(remedy).rstrip()
    link = Markup('{} <a href="/projects/{}/settings#budget">Raise the project’s budget</a>.')
    return link.format(told, project_id)


def web_link(address: str | None) -> str | None:
    """Return an address where it is one of the web's; what else a row may hold is no link."""
    return web_address(address) if address else None


def provider(name: str) -> str:
    """Return a provider as it writes itself."""
    return _PROVIDERS.get(name, name)


def effect_name(effect: str | None) -> str:
    """Return what an effect does, in words: `repository_dispatch` is Start the workflow."""
    return _EFFECTS.get(effect or "", words(effect or "An effect").capitalize())


def check_name(name: str) -> str:
    """Return what a browser looks at, in words: `mobile_responsive` is Fits a phone."""
    return wording.CHECKS.get(name) or words(name).capitalize()
