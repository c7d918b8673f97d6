"""International style: one grotesque, twelve columns, one saturated field."""

from __future__ import annotations

from studio.sandbox.landing import motifs, parts
from studio.sandbox.landing.brief import Brief
from studio.sandbox.landing.inks import Inks
from studio.sandbox.landing.parts import Page, esc

_TURNS = (-14, 11, -28, 24)


def page(brief: Brief) -> Page:
    """Return the page."""
    inks = brief.inks
    readable = inks.on(inks.first)
    # On the field in both colour schemes: the field is the same in both.
    motif = {"m1": readable, "m2": inks.beside(inks.first), "m3": inks.first, "mk": inks.on(readable)}
    root = parts.root(
        inks.schemes,
        _colors(inks) | motif,
        _colors(inks.other),
        text=brief.body,
        head=brief.head,
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
    return Page("swiss", root, body, inks.schemes)


def _colors(inks: Inks) -> dict[str, str]:
    field = inks.first
    return {"paper": inks.paper, "ink": inks.ink, "mark": inks.spot, "field": field, "on": inks.on(field)}
