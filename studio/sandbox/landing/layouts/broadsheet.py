"""Broadsheet: the front page of a well-set newspaper, with the form as its coupon."""

from __future__ import annotations

from studio.sandbox.landing import motifs, parts
from studio.sandbox.landing.brief import Brief, Section
from studio.sandbox.landing.faces import stack
from studio.sandbox.landing.inks import Inks, legible_on
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
    serifs = ("newsprint", "oldstyle") if brief.either("serif") else ("oldstyle", "newsprint")
    head, text = (stack(voice, *brief.fonts) for voice in serifs)
    plate = f"clamp(1.5rem,{min(4.2, 60 / max(8, len(brief.name))):.2f}vw,3.4rem)"
    root = parts.root(
        "light dark",
        _day(brief.inks),
        _night(brief.inks),
        head=head,
        text=text,
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
    return Page("broadsheet", root, body, "light dark")


def _article(number: int, section: Section) -> str:
    # In one piece, also the first: it begins with a large letter.
    long = " long" if len(section.body) >= _LONG else ""
    first = f' class="first{long}"' if number == 1 else ""
    return f'<article id="s{number}"{first}><h2>{esc(section.title)}</h2><p>{esc(section.body)}</p></article>'


def _day(inks: Inks) -> dict[str, str]:
    paper = inks.paper(0.957, 0.018)
    return {
        "paper": paper,
        "ink": inks.ink,
        "spot": legible_on(inks.accent, paper),
        "onspot": paper,
        "soft": legible_on(inks.a(0.45, 0.02), paper),
        "rule": f"{inks.ink}59",
    }


def _night(inks: Inks) -> dict[str, str]:
    paper, ink = inks.paper(0.2, 0.014), inks.paper(0.93, 0.014)
    return {
        "paper": paper,
        "ink": ink,
        "spot": legible_on(inks.accent, paper),
        "onspot": paper,
        "soft": legible_on(inks.a(0.75, 0.02), paper),
        "rule": f"{ink}4d",
    }
