"""Technical drawing: a sheet with a grid, the motif in outline with lettered parts, and the form as the title block."""

from __future__ import annotations

from studio.brand.colors import mix
from studio.sandbox.landing import motifs, parts
from studio.sandbox.landing.brief import Brief, Section
from studio.sandbox.landing.faces import stack
from studio.sandbox.landing.inks import Inks, legible_on, on
from studio.sandbox.landing.parts import Page, esc

_LETTERS = "ABCDEFGH"
# Where the letters stand around the drawing, and where on it their lines end.
_CALLS = (
    (44, 60, 150, 158),
    (352, 66, 262, 152),
    (34, 300, 148, 250),
    (362, 330, 268, 262),
    (64, 190, 128, 204),
    (372, 196, 286, 206),
    (206, 26, 206, 120),
    (120, 378, 176, 286),
)
_AXES = (
    '<path class="axis" d="M206 44v336M60 206h300"/>'
    '<circle class="dim" cx="206" cy="206" r="150" stroke-dasharray="2 6"/>'
)
_SIZES = (
    '<path class="dim" d="M74 396h264M74 388v16M338 388v16M82 392l-8 4 8 4M330 392l8 4-8 4"/>'
    '<path class="dim" d="M408 74v264M400 74h16M400 338h16M404 82l4-8 4 8M404 330l4 8 4-8"/>'
)
_LEGEND = 4


def page(brief: Brief) -> Page:
    """Return the page."""
    root = parts.root(
        "light",
        _colors(brief.inks, tracing_paper=brief.either("sheet")),
        text=stack("grotesque", *brief.fonts),
        mono=stack("mono", *brief.fonts),
        h1=brief.headline_size(2.3, 5.4, 4.8, 0.9),
    )
    first, _ = motifs.chosen(brief)
    lettered = list(enumerate(zip(_LETTERS, brief.sections, strict=False), 1))
    rows = "".join(
        parts.section(
            number,
            section,
            f"part {'wide' if number == 1 else parts.share(number - 1, len(lettered) - 1)}".strip(),
            before=f'<p class="tag" aria-hidden="true">{letter}</p>',
        )
        for number, (letter, section) in lettered
    )
    body = (
        f'<div class="sheet{" flip" if brief.either("flip") else ""}">{parts.top(brief, parts.anchors(brief, 3))}'
        f'<main><section class="hero"><div><h1>{esc(brief.headline)}</h1><p class="sub">{esc(brief.sub)}</p>'
        f'{parts.go(brief)}</div>{_plan(first, len(lettered))}</section><div class="parts">{rows}</div>'
        f'<section class="block" aria-label="{esc(brief.cta)}">{_legend(brief.sections)}{parts.form(brief)}</section>'
        f"</main>{parts.footer(brief)}</div>"
    )
    return Page("blueprint", root, body)


def _colors(inks: Inks, *, tracing_paper: bool) -> dict[str, str]:
    if tracing_paper:
        paper, ink = inks.a(0.962, 0.014), inks.a(0.27, 0.075)
    else:
        paper, ink = inks.a(0.285, 0.075), inks.a(0.95, 0.024)
    signal = legible_on(inks.second, paper, ratio=3.2)
    return {
        "paper": paper,
        "ink": ink,
        "soft": legible_on(mix(ink, paper, 0.25), paper),
        "sig": signal,
        "onsig": on(signal, paper, ink),
        "wash": mix(mix(paper, inks.accent, 0.35), ink, 0.06),
        "grid1": f"{ink}24",
        "grid2": f"{ink}10",
    }


def _plan(name: str, count: int) -> str:
    calls = "".join(
        f'<path class="lead" d="M{x} {y} {to_x} {to_y}"/><circle class="dot" cx="{to_x}" cy="{to_y}" r="4"/>'
        f'<circle class="ring" cx="{x}" cy="{y}" r="17"/><text x="{x}" y="{y + 6}">{letter}</text>'
        for letter, (x, y, to_x, to_y) in zip(_LETTERS[:count], _CALLS, strict=False)
    )
    drawn = f'<g class="g" transform="translate(74 74) scale(1.1)">{motifs.DRAWINGS[name]}</g>'
    return motifs.ornament(f"{_AXES}{drawn}{_SIZES}{calls}", "0 0 420 420", "plan")


def _legend(sections: tuple[Section, ...]) -> str:
    rows = "".join(
        f"<div><dt>{letter}</dt><dd>{esc(section.title)}</dd></div>"
        for letter, section in zip(_LETTERS[:_LEGEND], sections, strict=False)
    )
    return f'<dl aria-hidden="true">{rows}</dl>'
