"""Ledger: the dignity of a good form, ruled, with a guilloche seal and the waitlist as a slip."""

from __future__ import annotations

from studio.sandbox.landing import curves, motifs, parts
from studio.sandbox.landing.brief import Brief
from studio.sandbox.landing.inks import Inks
from studio.sandbox.landing.parts import Page, esc


def page(brief: Brief) -> Page:
    """Return the page."""
    root = parts.root(
        brief.inks.schemes,
        _colors(brief.inks),
        _colors(brief.inks.other),
        head=brief.head,
        text=brief.body,
        h1=brief.headline_size(2.3, 5.2, 4.7, 0.9),
    )
    motif, _ = motifs.chosen(brief)
    band = motifs.ornament(
        curves.band(brief, "band"), "0 0 1200 60", "band", more='preserveAspectRatio="xMidYMid slice"'
    )
    rosette = motifs.ornament(f'{curves.rosette(brief, "seal")}<circle class="core" r="84"/>', "-160 -160 320 320")
    lines = "".join(
        parts.section(number, section, "line first" if number == 1 else "line")
        for number, section in enumerate(brief.sections, 1)
    )
    body = (
        f'<div class="account">{band}{parts.top(brief, parts.anchors(brief, 3))}<main><div class="hero"><div>'
        f'<h1>{esc(brief.headline)}</h1><p class="sub">{esc(brief.sub)}</p>'
        f'<div class="seal" aria-hidden="true">{rosette}{motifs.drawing(motif)}</div></div>'
        f'<div class="slip"><p class="no" aria-hidden="true">{esc(brief.name)}</p>{parts.form(brief)}</div></div>'
        f'<div class="book">{lines}</div></main>{parts.footer(brief)}</div>'
    )
    return Page("ledger", root, body, brief.inks.schemes)


def _colors(inks: Inks) -> dict[str, str]:
    return {
        "paper": inks.paper,
        "slip": inks.sheet,
        "ink": inks.ink,
        "soft": inks.soft,
        "first": inks.spot,
        "onfirst": inks.on(inks.spot),
        "second": inks.second_line,
        "rule": inks.tint(inks.ink, 0.16),
        "fine": inks.tint(inks.first, 0.5),
        "shade": f"{inks.dark.paper}66",
        "m1": inks.first,
        "m2": inks.second,
        "m3": inks.sheet,
    }
