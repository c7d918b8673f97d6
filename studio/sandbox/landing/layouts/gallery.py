"""Gallery wall: one framed picture, a label beside it, and much wall."""

from __future__ import annotations

from studio.sandbox.landing import curves, motifs, parts
from studio.sandbox.landing.brief import Brief
from studio.sandbox.landing.faces import stack
from studio.sandbox.landing.inks import Inks, legible_on, on
from studio.sandbox.landing.parts import Page, esc


def page(brief: Brief) -> Page:
    """Return the page."""
    inks = brief.inks.swapped() if brief.either("picture") else brief.inks
    root = parts.root(
        "light dark",
        _day(inks),
        _night(inks),
        head=stack("didone" if brief.either("face") else "classical", *brief.fonts),
        text=stack("grotesque", *brief.fonts),
        h1=brief.headline_size(2.0, 3.7, 3.3, 0.3),
    )
    first, second = motifs.chosen(brief)
    texts = "".join(
        parts.section(
            number,
            section,
            "text first" if number == 1 else "text",
            before=f'<p class="no" aria-hidden="true">{number}</p>',
        )
        for number, section in enumerate(brief.sections, 1)
    )
    body = (
        f'<div class="room{" flip" if brief.either("flip") else ""}">{parts.top(brief)}<main><div class="hang">'
        f'<div class="frame" aria-hidden="true">{_picture(brief, first, "0 0 420 300")}</div>'
        f'<div class="label"><h1>{esc(brief.headline)}</h1><p class="sub">{esc(brief.sub)}</p></div></div>{texts}'
        f'<div class="small"><div class="frame" aria-hidden="true">{_picture(brief, second, "75 0 270 300")}</div>'
        f"{parts.form(brief)}</div></main>{parts.footer(brief)}</div>"
    )
    return Page("gallery", root, body, "light dark")


def _picture(brief: Brief, name: str, box: str) -> str:
    place = f"translate({150 + brief.draw(f'{name} x', 120)} 120)"
    shapes = (
        f'<path class="cloud" transform="{place}" d="{curves.blob(brief, name, size=135)}"/>'
        '<path class="floor" d="M0 246h420v54H0z"/>'
        f'<g transform="translate(94 38) scale(.96)">{motifs.DRAWINGS[name]}</g>'
    )
    return motifs.ornament(shapes, box, "m")


def _day(inks: Inks) -> dict[str, str]:
    wall = inks.paper(0.968, 0.004)
    muted = legible_on(inks.a(0.47, 0.085), wall)
    return {
        "paper": wall,
        "mat": "#FFFFFF",
        "ink": inks.ink,
        "soft": legible_on(inks.a(0.44, 0.02), wall),
        "muted": muted,
        "onmuted": on(muted, wall),
        "edge": inks.paper(0.86, 0.006),
        "wood": inks.ink,
        "shade": f"{inks.ink}59",
        "field": inks.b(0.87, 0.045),
        "m1": inks.a(0.55, 0.1),
        "m2": inks.b(0.66, 0.1),
        "m3": inks.paper(0.955, 0.02),
        "m4": inks.b(0.92, 0.03),
        "m5": inks.a(0.76, 0.05),
        "mk": inks.ink,
    }


def _night(inks: Inks) -> dict[str, str]:
    """The same room after closing: the picture keeps its colours, the wall does not."""
    wall = inks.a(0.175, 0.01)
    muted = legible_on(inks.a(0.78, 0.07), wall)
    return {
        "paper": wall,
        "mat": inks.paper(0.9, 0.008),
        "ink": inks.paper(0.92, 0.008),
        "soft": legible_on(inks.a(0.72, 0.012), wall),
        "muted": muted,
        "onmuted": on(muted, wall),
        "edge": inks.a(0.34, 0.012),
        "wood": "#000000",
        "shade": "#000000cc",
    }
