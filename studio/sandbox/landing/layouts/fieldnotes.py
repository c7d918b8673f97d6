"""Field notes: a naturalist's notebook with a margin line, plates and captions in italics."""

from __future__ import annotations

from studio.sandbox.landing import motifs, parts
from studio.sandbox.landing.brief import Brief
from studio.sandbox.landing.inks import Inks
from studio.sandbox.landing.parts import Page, esc

_TILTS = (-1.6, 1.4, -0.8, 2)


def page(brief: Brief) -> Page:
    """Return the page."""
    root = parts.root(
        brief.inks.schemes,
        _colors(brief.inks),
        _colors(brief.inks.other),
        head=brief.head,
        text=brief.body,
        tilt=f"{_TILTS[brief.draw('tilt', len(_TILTS))]}deg",
        h1=brief.headline_size(2.7, 6.2, 5.6, 0.8),
    )
    first, second = motifs.chosen(brief)
    entries = "".join(
        parts.section(number, section, "entry first" if number == 1 else "entry")
        for number, section in enumerate(brief.sections, 1)
    )
    body = (
        f'<div class="book">{parts.top(brief)}<main><div class="hero"><div>'
        f'<h1>{esc(brief.headline)}</h1><p class="sub">{esc(brief.sub)}</p></div>'
        f'<figure class="plate">{motifs.drawing(first)}<figcaption>{esc(brief.name)}</figcaption></figure></div>'
        f'{entries}<div class="pocket">{motifs.drawing(second)}{parts.form(brief)}</div></main>'
        f"{parts.footer(brief)}</div>"
    )
    return Page("fieldnotes", root, body, brief.inks.schemes)


def _colors(inks: Inks) -> dict[str, str]:
    return {
        "paper": inks.paper,
        "sheet": inks.sheet,
        "ink": inks.ink,
        "soft": inks.soft,
        "leaf": inks.spot,
        "onleaf": inks.on(inks.spot),
        "ripe": inks.second_spot,
        "line": inks.tint(inks.ink, 0.16),
        "margin": inks.second,
        "m1": inks.first,
        "m2": inks.second,
        "m3": inks.tint(inks.second, 0.3),
    }
