"""Wayfinding: signs that are read while moving, and one line that leads from the first screen to the form."""

from __future__ import annotations

from studio.sandbox.landing import motifs, parts
from studio.sandbox.landing.brief import Brief
from studio.sandbox.landing.faces import stack
from studio.sandbox.landing.inks import legible_on, on
from studio.sandbox.landing.parts import Page, esc

_BEND = motifs.ornament('<path d="M7 0V10L167 170V180"/>', "0 0 174 180")


def page(brief: Brief) -> Page:
    """Return the page."""
    inks = brief.inks.swapped() if brief.either("signal") else brief.inks
    signal, ink, paper = inks.accent, inks.ink, inks.paper(0.985, 0.006)
    night, light = inks.a(0.185, 0.018), inks.paper(0.95, 0.01)
    colors = {
        "sig": signal,
        "on": on(signal, paper, ink),
        "ink": ink,
        "paper": paper,
        "line": legible_on(signal, paper, ink, ratio=1.9),
    }
    root = parts.root(
        "light dark",
        colors,
        {"ink": light, "paper": night, "line": legible_on(signal, night, light, ratio=1.9)},
        text=stack("signage", *brief.fonts),
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
    return Page("wayfinding", root, body, "light dark")
