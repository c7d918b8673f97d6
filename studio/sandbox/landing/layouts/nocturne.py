"""Nocturne: a dark room with one light; at dawn for those who prefer a light scheme."""

from __future__ import annotations

from studio.sandbox.landing import motifs, parts
from studio.sandbox.landing.brief import Brief
from studio.sandbox.landing.inks import Inks
from studio.sandbox.landing.parts import Page, esc

_HALO = "".join(f'<circle cx="120" cy="120" r="{radius}"/>' for radius in (119, 101, 84))


def page(brief: Brief) -> Page:
    """Return the page."""
    root = parts.root(
        "dark light",
        _colors(brief.inks.dark),
        _colors(brief.inks.light),
        head=brief.head,
        text=brief.body,
        h1=brief.headline_size(2.6, 6.2, 5.4, 0.9),
    )
    first, second = motifs.chosen(brief)
    verses = "".join(
        parts.section(number, section, "verse first" if number == 1 else "verse")
        for number, section in enumerate(brief.sections, 1)
    )
    body = (
        f'<div class="night">{parts.top(brief)}<main><div class="hero"><div class="lamp" aria-hidden="true">'
        f"{motifs.ornament(_HALO, '0 0 240 240', 'halo')}{motifs.drawing(first)}</div>"
        f'<h1>{esc(brief.headline)}</h1><p class="sub">{esc(brief.sub)}</p></div>{verses}'
        f'<div class="door">{motifs.drawing(second)}{parts.form(brief)}</div></main>{parts.footer(brief)}</div>'
    )
    return Page("nocturne", root, body, "dark light")


def _colors(inks: Inks) -> dict[str, str]:
    return {
        "paper": inks.paper,
        "ink": inks.ink,
        "soft": inks.soft,
        "warm": inks.second_spot,
        "onwarm": inks.on(inks.second_spot),
        "line": inks.tint(inks.ink, 0.3),
        "glow": inks.tint(inks.first, 0.3),
        "lift": inks.sheet,
        "m1": inks.first,
        "m2": inks.second,
        "m3": inks.tint(inks.first, 0.16),
        "mk": inks.ink,
    }
