"""Ledger: the dignity of a good form, ruled, with a guilloche seal and the waitlist as a slip."""

from __future__ import annotations

from studio.sandbox.landing import curves, motifs, parts
from studio.sandbox.landing.brief import Brief
from studio.sandbox.landing.faces import stack
from studio.sandbox.landing.inks import Inks, legible_on, on
from studio.sandbox.landing.parts import Page, esc


def page(brief: Brief) -> Page:
    """Return the page."""
    root = parts.root(
        "light dark",
        _day(brief.inks),
        _night(brief.inks),
        head=stack("slab" if brief.either("head") else "newsprint", *brief.fonts),
        type=stack("typewriter", *brief.fonts),
        text=stack("newsprint", *brief.fonts),
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
    return Page("ledger", root, body, "light dark")


def _day(inks: Inks) -> dict[str, str]:
    paper, slip = inks.paper(0.95, 0.022), inks.paper(0.99, 0.008)
    first = legible_on(inks.accent, paper, slip)
    return {
        "paper": paper,
        "slip": slip,
        "ink": inks.ink,
        "soft": legible_on(inks.a(0.45, 0.03), paper, slip),
        "first": first,
        "onfirst": on(first, slip),
        "second": legible_on(inks.second, paper, ratio=3),
        "rule": inks.a(0.84, 0.025),
        "fine": inks.a(0.7, 0.07),
        "shade": f"{inks.ink}66",
        "m1": inks.accent,
        "m2": inks.second,
    }


def _night(inks: Inks) -> dict[str, str]:
    paper, slip = inks.a(0.195, 0.02), inks.a(0.245, 0.024)
    first = legible_on(inks.a(0.78, 0.1), paper)
    return {
        "paper": paper,
        "slip": slip,
        "ink": inks.paper(0.93, 0.015),
        "soft": legible_on(inks.a(0.74, 0.02), paper, slip),
        "first": first,
        "onfirst": on(first, paper),
        "second": legible_on(inks.second, paper, ratio=3),
        "rule": inks.a(0.36, 0.03),
        "fine": inks.a(0.45, 0.07),
        "shade": "#000000aa",
        "m1": inks.a(0.62, 0.11),
        "m2": inks.b(0.66, 0.12),
    }
