"""Wayfinding: signs that are read while moving, and one line that leads from the first screen to the form."""

from __future__ import annotations

from studio.sandbox.landing import motifs, parts
from studio.sandbox.landing.brief import Brief
from studio.sandbox.landing.inks import Inks
from studio.sandbox.landing.parts import Page, esc

_BEND = motifs.ornament('<path d="M7 0V10L167 170V180"/>', "0 0 174 180")


def page(brief: Brief) -> Page:
    """Return the page."""
    inks = brief.inks
    root = parts.root(
        inks.schemes,
        _colors(inks),
        _colors(inks.other),
        head=brief.head,
        text=brief.body,
        h1=brief.headline_size(2.6, 7.0, 6.4, 0.7),
    )
    first, _ = motifs.chosen(brief)
    stops = [
        parts.section(number, section, "stop first" if number == 1 else "stop")
        for number, section in enumerate(brief.sections, 1)
    ]
    turn = len(stops) // 2
    body = (
        f'<main><div class="sign{" flip" if brief.either("flip") else ""}">{parts.top(brief)}<div class="hero"><div>'
        f'<h1>{esc(brief.headline)}</h1><p class="sub">{esc(brief.sub)}</p></div>'
        f'<div class="pict" aria-hidden="true">{motifs.drawing(first)}</div></div></div>{"".join(stops[:turn])}'
        f'<div class="bend" aria-hidden="true">{_BEND}</div><div class="shift">{"".join(stops[turn:])}</div>'
        f'<section class="end shift" aria-label="{esc(brief.cta)}">'
        f'<p class="to" aria-hidden="true">{esc(brief.name)}</p>'
        f"{parts.form(brief)}</section></main>{parts.footer(brief)}"
    )
    return Page("wayfinding", root, body, inks.schemes)


def _colors(inks: Inks) -> dict[str, str]:
    return {
        "sig": inks.first,
        "on": inks.on(inks.first),
        "ink": inks.ink,
        "paper": inks.paper,
        "line": inks.line,
    }
