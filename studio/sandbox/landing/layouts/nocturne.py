"""Nocturne: a dark room with one light; at dawn for those who prefer a light scheme."""

from __future__ import annotations

from studio.sandbox.landing import motifs, parts
from studio.sandbox.landing.brief import Brief
from studio.sandbox.landing.faces import stack
from studio.sandbox.landing.inks import Inks, legible_on, on
from studio.sandbox.landing.parts import Page, esc

_HALO = "".join(f'<circle cx="120" cy="120" r="{radius}"/>' for radius in (119, 101, 84))


def page(brief: Brief) -> Page:
    """Return the page."""
    serif = stack("classical", *brief.fonts)
    root = parts.root(
        "dark light",
        _night(brief.inks),
        _dawn(brief.inks),
        head=serif,
        text=serif,
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


def _night(inks: Inks) -> dict[str, str]:
    paper = inks.a(0.165, 0.028)
    warm = legible_on(inks.b(0.83, 0.1), paper)
    return {
        "paper": paper,
        "ink": inks.b(0.935, 0.018),
        "soft": legible_on(inks.a(0.8, 0.03), paper, ratio=7),
        "warm": warm,
        "onwarm": on(warm, paper),
        "line": inks.a(0.42, 0.05),
        "glow": inks.a(0.36, 0.085),
        "lift": inks.a(0.215, 0.04),
        "m1": inks.a(0.74, 0.09),
        "m2": inks.b(0.8, 0.11),
        "m3": inks.a(0.3, 0.05),
        "m4": inks.b(0.95, 0.03),
    }


def _dawn(inks: Inks) -> dict[str, str]:
    paper, lift, ink = inks.b(0.938, 0.02), inks.b(0.97, 0.014), inks.a(0.265, 0.05)
    warm = legible_on(inks.b(0.48, 0.12), paper)
    return {
        "paper": paper,
        "ink": ink,
        "soft": legible_on(inks.a(0.38, 0.04), paper, lift, ratio=6),
        "warm": warm,
        "onwarm": on(warm, lift),
        "line": inks.a(0.68, 0.04),
        "glow": inks.b(0.99, 0.012),
        "lift": lift,
        "m1": inks.a(0.55, 0.1),
        "m2": inks.b(0.66, 0.12),
        "m3": inks.b(0.97, 0.02),
        "m4": ink,
    }
