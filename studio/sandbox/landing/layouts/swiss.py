"""International style: one grotesque, twelve columns, one saturated field."""

from __future__ import annotations

from studio.sandbox.landing import motifs, parts
from studio.sandbox.landing.brief import Brief
from studio.sandbox.landing.faces import stack
from studio.sandbox.landing.inks import legible_on, on
from studio.sandbox.landing.parts import Page, esc

_WHITE, _BLACK, _NIGHT, _LIGHT = "#FFFFFF", "#111111", "#131313", "#F4F4F4"
_TURNS = (-14, 11, -28, 24)


def page(brief: Brief) -> Page:
    """Return the page."""
    inks = brief.inks.swapped() if brief.either("field") else brief.inks
    field, readable = inks.accent, on(inks.accent, _WHITE, _BLACK)
    colors = {"paper": _WHITE, "ink": _BLACK, "mark": legible_on(field, _WHITE), "field": field, "on": readable}
    dark = {"paper": _NIGHT, "ink": _LIGHT, "mark": legible_on(field, _NIGHT)}
    second = inks.second if inks.second != field else readable
    motif = {"m1": readable, "m2": second, "m3": _WHITE if readable == _BLACK else field, "mk": _BLACK}
    root = parts.root(
        "light dark",
        colors | motif,
        dark,
        text=stack("grotesque", *brief.fonts),
        h1=brief.headline_size(3.1, 8.6, 8.2, 0.6),
        turn=f"{_TURNS[brief.draw('turn', len(_TURNS))]}deg",
    )
    first, _ = motifs.chosen(brief)
    rows = "".join(
        parts.section(
            number,
            section,
            "row first" if number == 1 else "row",
            before=f'<p class="no" aria-hidden="true">{number}</p>',
        )
        for number, section in enumerate(brief.sections, 1)
    )
    body = (
        f'<main><section class="hero"><p class="name">{esc(brief.name)}</p>{parts.anchors(brief, 3)}'
        f'<h1>{esc(brief.headline)}</h1><div class="sub">{parts.go(brief)}<p>{esc(brief.sub)}</p></div>'
        f'<div class="plane" aria-hidden="true">{motifs.drawing(first)}</div></section><div class="rows">{rows}</div>'
        f'<section class="join" aria-label="{esc(brief.cta)}"><p class="big">{esc(brief.name)}</p>{parts.form(brief)}'
        f"</section></main>{parts.footer(brief)}"
    )
    return Page("swiss", root, body, "light dark")
