"""Silkscreen poster: flat colour from edge to edge, the headline as an image, one thought per band."""

from __future__ import annotations

from studio.brand.colors import GRAPHICS_CONTRAST, contrast
from studio.sandbox.landing import motifs, parts
from studio.sandbox.landing.brief import Brief, Section
from studio.sandbox.landing.inks import Inks
from studio.sandbox.landing.parts import Page, esc

_TURNS = (-9, 8, -16, 12)


def page(brief: Brief) -> Page:
    """Return the page."""
    inks = brief.inks
    root = parts.root(
        inks.scheme,
        _colors(inks),
        head=brief.head,
        text=brief.body,
        turn=f"{_TURNS[brief.draw('turn', len(_TURNS))]}deg",
        h1=brief.headline_size(3.6, 13.5, 12.5, 0.68, capitals=True),
    )
    first, _ = motifs.chosen(brief)
    body = (
        f'<main><section class="bill">{parts.top(brief)}{motifs.drawing(first)}<h1>{esc(brief.headline)}</h1>'
        f'<p class="sub"><span>{esc(brief.sub)}</span></p></section>{_bands(brief.sections)}'
        f'<section class="join" aria-label="{esc(brief.cta)}"><p class="shout" aria-hidden="true">{esc(brief.name)}</p>'
        f"{parts.form(brief)}</section></main>{parts.footer(brief)}"
    )
    return Page("poster", root, body, inks.scheme)


def _colors(inks: Inks) -> dict[str, str]:
    hot = inks.beside(inks.first)
    colors = {"ink": inks.ink, "paper": inks.paper, "hot": hot, "onhot": inks.on(hot)}
    for number, field in enumerate((inks.first, hot, inks.paper, inks.ink), 1):
        colors |= {f"c{number}": field, f"o{number}": inks.on(field)}
    # The headline runs over the drawing, so the drawing has no colour on which the headline cannot be read.
    shout = inks.on(inks.first)
    behind = [color for color in (inks.second, inks.ink, inks.paper) if contrast(color, shout) >= GRAPHICS_CONTRAST]
    two = next((color for color in behind if color != hot), inks.first)
    one = hot if hot in behind else inks.first
    return colors | {"m1": one, "m2": two, "m3": inks.first, "mk": behind[-1]}


def _bands(sections: tuple[Section, ...]) -> str:
    """Return a band for each of the first sections, then pairs, so that none stands alone at the end."""
    alone = 2 - len(sections) % 2
    bands = [parts.section(number, section, f"band b{number}") for number, section in enumerate(sections[:alone], 1)]
    rest = list(enumerate(sections[alone:], alone + 1))
    for start in range(0, len(rest), 2):
        colors = (2, 3) if (start // 2 + alone) % 2 else (3, 1)
        pair = "".join(
            parts.section(number, section, f"band b{color}")
            for (number, section), color in zip(rest[start : start + 2], colors, strict=False)
        )
        bands.append(f'<div class="pair">{pair}</div>')
    return "".join(bands)
