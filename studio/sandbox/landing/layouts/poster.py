"""Silkscreen poster: flat colour from edge to edge, the headline as an image, one thought per band."""

from __future__ import annotations

from studio.sandbox.landing import motifs, parts
from studio.sandbox.landing.brief import Brief, Section
from studio.sandbox.landing.faces import stack
from studio.sandbox.landing.inks import apart, on
from studio.sandbox.landing.parts import Page, esc

_TURNS = (-9, 8, -16, 12)


def page(brief: Brief) -> Page:
    """Return the page."""
    inks = brief.inks.swapped() if brief.either("ink") else brief.inks
    second = inks.second if apart(inks.accent, inks.second) else inks.beyond(150, 0.82, 0.13)
    ink, paper = inks.ink, inks.paper(0.965, 0.02)
    colors = {"ink": ink, "paper": paper, "hot": second, "onhot": on(second, paper, ink)}
    for number, field in enumerate((inks.accent, second, paper, ink), 1):
        colors |= {f"c{number}": field, f"o{number}": on(field, paper, ink)}
    root = parts.root(
        "light",
        colors | {"m1": second, "m2": paper, "m3": inks.accent, "mk": ink},
        head=stack("condensed", *brief.fonts),
        text=stack("grotesque", *brief.fonts),
        turn=f"{_TURNS[brief.draw('turn', len(_TURNS))]}deg",
        h1=brief.headline_size(3.6, 13.5, 12.5, 0.8),
    )
    first, _ = motifs.chosen(brief)
    body = (
        f'<main><section class="bill">{parts.top(brief)}{motifs.drawing(first)}<h1>{esc(brief.headline)}</h1>'
        f'<p class="sub"><span>{esc(brief.sub)}</span></p></section>{_bands(brief.sections)}'
        f'<section class="join" aria-label="{esc(brief.cta)}"><p class="shout" aria-hidden="true">{esc(brief.name)}</p>'
        f"{parts.form(brief)}</section></main>{parts.footer(brief)}"
    )
    return Page("poster", root, body)


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
