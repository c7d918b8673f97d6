"""Paper cut-outs: scissors, coloured paper and one dark ink."""

from __future__ import annotations

from studio.sandbox.landing import curves, motifs, parts
from studio.sandbox.landing.brief import Brief
from studio.sandbox.landing.inks import Inks
from studio.sandbox.landing.parts import Page, esc

_EDGE = (
    '<path d="M0 60C90 10 170 70 300 48S520 4 640 34s190 44 300 14 180-34 260 6v36H0z"/>',
    '<path d="M0 30c140-40 220 40 380 30S620-8 760 22s180 48 280 22 120-30 160-20v66H0z"/>',
    '<path d="M0 70C60 20 200 0 340 22s200 52 340 40S900 6 1010 14s150 40 190 34v42H0z"/>',
)


def page(brief: Brief) -> Page:
    """Return the page."""
    root = parts.root(
        brief.inks.scheme,
        _colors(brief.inks),
        head=brief.head,
        text=brief.body,
        h1=brief.headline_size(2.9, 7.0, 6.2),
    )
    first, second = motifs.chosen(brief)
    edge = motifs.ornament(
        _EDGE[brief.draw("edge", len(_EDGE))], "0 0 1200 90", "edge", more='preserveAspectRatio="none"'
    )
    blobs = "".join(
        motifs.ornament(f'<path d="{curves.blob(brief, name, size=190)}"/>', "-200 -200 400 400")
        for name in ("left", "right")
    )
    body = (
        f'<main><div class="table{" flip" if brief.either("flip") else ""}">{parts.top(brief)}<div class="hero"><div>'
        f'<h1>{esc(brief.headline)}</h1><p class="sub">{esc(brief.sub)}</p></div><div>{_scene(brief, first)}</div>'
        f'</div>{edge}</div><div class="sheets">{_sheets(brief, second)}</div>'
        f'<div class="post">{blobs}{parts.form(brief)}</div></main>{parts.footer(brief)}'
    )
    return Page("cutout", root, body, brief.inks.scheme)


def _colors(inks: Inks) -> dict[str, str]:
    papers = {
        "c1": inks.first,
        "c2": inks.wash(inks.first),
        "c3": inks.wash(inks.second),
        "c4": inks.tint(inks.second, 0.16),
        "c5": inks.second,
    }
    readable = {f"o{name[1]}": inks.on(color) for name, color in papers.items()}
    return {"paper": inks.paper, "sheet": inks.sheet, "ink": inks.ink, "c1d": inks.spot, **papers, **readable}


def _scene(brief: Brief, name: str) -> str:
    blobs = (("one", 290, 7, "330 270"), ("two", 150, 6, "180 400"), ("three", 95, 5, "490 120"))
    papers = "".join(
        f'<path class="b{number}" transform="translate({place})"'
        f' d="{curves.blob(brief, cut, size=size, corners=corners)}"/>'
        for number, (cut, size, corners, place) in enumerate(blobs, 1)
    )
    figure = f'<g class="fig" transform="translate(130 92) scale(1.62)">{motifs.DRAWINGS[name]}</g>'
    return motifs.ornament(papers + figure, "0 0 600 560", "scene")


def _sheets(brief: Brief, name: str) -> str:
    count = len(brief.sections)
    return "".join(
        parts.section(
            number,
            section,
            f"sheet {_span(number, count)}{' tone' if number % 2 == 0 else ''}".strip(),
            after=motifs.drawing(name, "mini") if number == 1 else "",
        )
        for number, section in enumerate(brief.sections, 1)
    )


def _span(number: int, count: int) -> str:
    # The first and the second make a row.
    return ("wide", "")[number - 1] if number <= 2 else parts.share(number - 2, count - 2)
