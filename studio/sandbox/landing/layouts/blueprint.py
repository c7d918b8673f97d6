"""Technical drawing: a sheet with a grid, the motif in outline with lettered parts, and the form as the title block."""

from __future__ import annotations

from studio.brand.colors import GRAPHICS_CONTRAST, TEXT_CONTRAST, contrast
from studio.sandbox.landing import motifs, parts
from studio.sandbox.landing.brief import Brief, Section
from studio.sandbox.landing.inks import Inks
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
    tracing_paper = brief.either("sheet")
    colors = _on_tracing_paper(brief.inks) if tracing_paper else _on_blue(brief.inks)
    # Dark ground, light lines: what a browser draws by itself has to be light as well.
    scheme = brief.inks.scheme if tracing_paper else _scheme_of(colors["paper"])
    root = parts.root(
        scheme,
        colors,
        head=brief.head,
        text=brief.body,
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
    return Page("blueprint", root, body, scheme)


def _on_tracing_paper(inks: Inks) -> dict[str, str]:
    # Lines as dark as the text, where the text can still be read across them.
    grid = inks.ink if contrast(inks.ink, inks.tint(inks.ink, 0.16)) >= TEXT_CONTRAST else inks.on(inks.ink)
    sheet = _sheet(inks, inks.paper, inks.ink, inks.line)
    return sheet | {"grid1": f"{grid}24", "grid2": f"{grid}10", "wash": inks.tint(inks.first, 0.16)}


def _on_blue(inks: Inks) -> dict[str, str]:
    """The sheet in the brand's own colour, as its decks' covers are."""
    paper = inks.first
    ink = inks.on(paper)
    signal = inks.second if contrast(inks.second, paper) >= GRAPHICS_CONTRAST else ink
    # On the other side of the ground, so that no line of the grid comes near to what is written across it.
    grid = inks.on(ink)
    return _sheet(inks, paper, ink, signal) | {"grid1": f"{grid}24", "grid2": f"{grid}10", "wash": f"{ink}2e"}


def _sheet(inks: Inks, paper: str, ink: str, signal: str) -> dict[str, str]:
    # Lesser text as dark as the rest: it stands on the grid.
    return {
        "paper": paper,
        "ink": ink,
        "soft": ink,
        "sig": signal,
        "onsig": paper if signal == ink else inks.on(signal),
        "list": inks.paper,
        "onlist": inks.ink,
        "listsig": inks.line,
        "onlistsig": inks.on(inks.line),
    }


def _scheme_of(paper: str) -> str:
    return "dark" if contrast(paper, "#FFFFFF") > contrast(paper, "#000000") else "light"


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
