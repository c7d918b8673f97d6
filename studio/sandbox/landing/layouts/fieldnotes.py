"""Field notes: a naturalist's notebook with a margin line, plates and captions in italics."""

from __future__ import annotations

from studio.sandbox.landing import motifs, parts
from studio.sandbox.landing.brief import Brief
from studio.sandbox.landing.faces import stack
from studio.sandbox.landing.inks import Inks, legible_on, on
from studio.sandbox.landing.parts import Page, esc

_TILTS = (-1.6, 1.4, -0.8, 2)


def page(brief: Brief) -> Page:
    """Return the page."""
    root = parts.root(
        "light dark",
        _day(brief.inks),
        _night(brief.inks),
        text=stack("oldstyle", *brief.fonts),
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
    return Page("fieldnotes", root, body, "light dark")


def _day(inks: Inks) -> dict[str, str]:
    paper, sheet = inks.paper(0.952, 0.022), inks.paper(0.985, 0.01)
    leaf = legible_on(inks.a(0.4), paper, sheet)
    return {
        "paper": paper,
        "sheet": sheet,
        "ink": inks.ink,
        "soft": legible_on(inks.a(0.46, 0.03), paper, sheet),
        "leaf": leaf,
        "onleaf": on(leaf, sheet),
        "ripe": legible_on(inks.second, paper, sheet),
        "line": inks.a(0.8, 0.03),
        "margin": inks.b(0.72, 0.1),
        "m1": inks.a(0.68, 0.11),
        "m2": inks.b(0.76, 0.12),
        "m3": inks.paper(0.93, 0.04),
    }


def _night(inks: Inks) -> dict[str, str]:
    paper, sheet = inks.a(0.21, 0.022), inks.a(0.255, 0.026)
    leaf = legible_on(inks.a(0.82, 0.08), paper, sheet)
    return {
        "paper": paper,
        "sheet": sheet,
        "ink": inks.paper(0.93, 0.02),
        "soft": legible_on(inks.a(0.75, 0.02), paper, sheet),
        "leaf": leaf,
        "onleaf": on(leaf, paper),
        "ripe": legible_on(inks.b(0.78, 0.12), paper, sheet),
        "line": inks.a(0.4, 0.03),
        "margin": inks.b(0.5, 0.09),
        "m1": inks.a(0.5, 0.1),
        "m2": inks.b(0.56, 0.11),
        "m3": inks.a(0.32, 0.03),
    }
