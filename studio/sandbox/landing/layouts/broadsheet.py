"""Broadsheet: the front page of a well-set newspaper, with the form as its coupon."""

from __future__ import annotations

from studio.sandbox.landing import motifs, parts
from studio.sandbox.landing.brief import Brief, Section
from studio.sandbox.landing.inks import Inks
from studio.sandbox.landing.parts import Page, esc

_COLUMNS = 6
# The coupon takes what the last row leaves free, and a row of its own where that is nothing.
_COUPON = {0: "span6", 2: "", 4: "span4"}
# A text of fewer characters is too short for columns and a large letter.
_LONG = 150
_HATCH = "".join(
    f'<pattern id="{name}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate({angle})">'
    '<rect width="6" height="6"/><path d="M0 3h6"/></pattern>'
    for name, angle in (("hatch1", 38), ("hatch2", -52))
)


def page(brief: Brief) -> Page:
    """Return the page."""
    plate = f"clamp(1.5rem,{min(4.2, 60 / max(8, len(brief.name))):.2f}vw,3.4rem)"
    root = parts.root(
        brief.inks.schemes,
        _colors(brief.inks),
        _colors(brief.inks.other),
        head=brief.head,
        text=brief.body,
        h1=brief.headline_size(3.0, 8.2, 7.4, 0.62),
        plate=plate,
    )
    first, _ = motifs.chosen(brief)
    free = -(4 + 2 * (len(brief.sections) - 1)) % _COLUMNS
    body = (
        f"{motifs.ornament(f'<defs>{_HATCH}</defs>', '0 0 1 1', 'defs')}"
        f'<div class="sheet{" flip" if brief.either("flip") else ""}">'
        f'<header class="mast">{parts.anchors(brief, 2)}<p class="plate">{esc(brief.name)}</p>{parts.go(brief)}'
        "</header>"
        f'<main><section class="lead"><div><h1>{esc(brief.headline)}</h1><p class="deck">{esc(brief.sub)}</p></div>'
        f'<figure class="cut">{motifs.drawing(first)}</figure></section><div class="cols">'
        f"{''.join(_article(number, section) for number, section in enumerate(brief.sections, 1))}"
        f'<section class="coupon {_COUPON[free]}">{parts.form(brief)}</section></div></main>{parts.footer(brief)}</div>'
    )
    return Page("broadsheet", root, body, brief.inks.schemes)


def _article(number: int, section: Section) -> str:
    # In one piece, also the first: it begins with a large letter.
    long = " long" if len(section.body) >= _LONG else ""
    first = f' class="first{long}"' if number == 1 else ""
    return f'<article id="s{number}"{first}><h2>{esc(section.title)}</h2><p>{esc(section.body)}</p></article>'


def _colors(inks: Inks) -> dict[str, str]:
    return {
        "paper": inks.paper,
        "ink": inks.ink,
        "spot": inks.spot,
        "onspot": inks.on(inks.spot),
        "soft": inks.soft,
        "rule": f"{inks.ink}59",
    }
