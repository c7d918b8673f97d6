"""Gallery wall: one framed picture, a label beside it, and much wall."""

from __future__ import annotations

from studio.sandbox.landing import curves, motifs, parts
from studio.sandbox.landing.brief import Brief
from studio.sandbox.landing.inks import Inks
from studio.sandbox.landing.parts import Page, esc


def page(brief: Brief) -> Page:
    """Return the page."""
    inks = brief.inks
    root = parts.root(
        inks.schemes,
        _wall(inks) | _paint(inks),
        _wall(inks.other),
        head=brief.head,
        text=brief.body,
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
    return Page("gallery", root, body, inks.schemes)


def _picture(brief: Brief, name: str, box: str) -> str:
    place = f"translate({150 + brief.draw(f'{name} x', 120)} 120)"
    shapes = (
        f'<path class="cloud" transform="{place}" d="{curves.blob(brief, name, size=135)}"/>'
        '<path class="floor" d="M0 246h420v54H0z"/>'
        f'<g transform="translate(94 38) scale(.96)">{motifs.DRAWINGS[name]}</g>'
    )
    return motifs.ornament(shapes, box, "m")


def _wall(inks: Inks) -> dict[str, str]:
    return {
        "paper": inks.paper,
        "ink": inks.ink,
        "soft": inks.soft,
        "muted": inks.spot,
        "onmuted": inks.on(inks.spot),
        "edge": inks.tint(inks.ink, 0.16),
        "wood": inks.ink,
        "shade": f"{inks.dark.paper}59",
    }


def _paint(inks: Inks) -> dict[str, str]:
    """The picture, which keeps its colours when the room is dark."""
    return {
        "mat": inks.sheet,
        "field": inks.tint(inks.second, 0.3),
        "m1": inks.first,
        "m2": inks.second,
        "m3": inks.sheet,
        "m4": inks.tint(inks.second, 0.16),
        "m5": inks.tint(inks.first, 0.5),
        "mk": inks.ink,
    }
