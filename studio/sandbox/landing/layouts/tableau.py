"""Tiles: a wall in the spirit of the Bauhaus, where text, pattern and motif share one square grid."""

from __future__ import annotations

from studio.sandbox.landing import curves, motifs, parts
from studio.sandbox.landing.brief import Brief, Section
from studio.sandbox.landing.parts import Page, esc

_ARROW = motifs.ornament('<path d="M8 8l24 24M32 10v22H10"/>', "0 0 40 40")
# Grounds of the text tiles, row by row: no two of one colour above each other.
_ROWS = ((4, 0), (1, 3), (0, 4))
# Ground and two shapes of a pattern, by number of the colour.
_INKS = ((0, 1, 3), (2, 3, 0), (1, 4, 2), (4, 3, 1), (3, 2, 4), (0, 2, 1))


def page(brief: Brief) -> Page:
    """Return the page."""
    inks = brief.inks
    fourth = inks.first if brief.either("fourth") else inks.second
    colors = {"c1": inks.first, "c2": inks.beside(inks.first), "c3": inks.ink, "c4": inks.tint(fourth, 0.3)}
    readable = {f"o{name[1]}": inks.on(color) for name, color in colors.items()}
    root = parts.root(
        inks.scheme,
        {"paper": inks.paper, "ink": inks.ink, **colors, **readable},
        m1=inks.first,
        m2=inks.paper,
        m3=colors["c4"],
        mk=inks.ink,
        head=brief.head,
        text=brief.body,
        h1=brief.headline_size(2.6, 7.2, 6.6, 0.6),
    )
    return Page("tableau", root, f'<main class="wall">{"".join(_wall(brief))}</main>{parts.footer(brief)}', inks.scheme)


def _wall(brief: Brief) -> list[str]:
    first, second = motifs.chosen(brief)
    pattern = _Patterns(brief)
    head = [
        f'<div class="t title x1"><p>{esc(brief.name)}</p><h1>{esc(brief.headline)}</h1></div>',
        f'<div class="t big x2" aria-hidden="true">{motifs.drawing(first)}</div>',
    ]
    (number, lead), *rest = enumerate(brief.sections, 1)
    tiles = [
        *(reversed(head) if brief.either("mirror") else head),
        f'<p class="t sub x0">{esc(brief.sub)}</p>',
        f'<div class="t call x4"><a class="go" href="#waitlist">{_ARROW}{esc(brief.cta)}</a></div>',
        *pattern.two(),
        _text(number, lead, 3, wide=True),
        *pattern.two(),
    ]
    for row, start in enumerate(range(0, len(rest), 2)):
        pair = rest[start : start + 2]
        texts = [
            _text(at, section, color, wide=len(pair) == 1)
            for (at, section), color in zip(pair, _ROWS[row % len(_ROWS)], strict=False)
        ]
        one, two = pattern.two()
        tiles += [one, texts[0], two, *texts[1:]] if row % 2 else [texts[0], one, *texts[1:], two]
    return [
        *tiles,
        f'<div class="t big x4" aria-hidden="true">{motifs.drawing(second)}</div>',
        f'<div class="t form x2">{parts.form(brief)}</div>',
    ]


class _Patterns:
    """Deals patterned tiles, no two alike side by side."""

    def __init__(self, brief: Brief) -> None:
        self._brief = brief
        self._dealt = 0
        self._start = brief.draw("tiles", len(curves.TILES))
        self._step = (3, 7)[brief.draw("tile step", 2)]
        self._colors = brief.draw("tile colours", len(_INKS))

    def two(self) -> tuple[str, str]:
        """Return the next two tiles."""
        return self._tile(), self._tile()

    def _tile(self) -> str:
        number = self._dealt
        self._dealt += 1
        shapes = curves.TILES[(self._start + number * self._step) % len(curves.TILES)]
        ground, one, two = _INKS[(number + self._colors) % len(_INKS)]
        turned = f'<g transform="rotate({90 * self._brief.draw(f"turn {number}", 4)} 50 50)">{shapes}</g>'
        drawing = motifs.ornament(turned, "0 0 100 100", more='preserveAspectRatio="xMidYMid slice"')
        return f'<div class="t pat x{ground} a{one} b{two}" aria-hidden="true">{drawing}</div>'


def _text(number: int, section: Section, color: int, *, wide: bool) -> str:
    return parts.section(number, section, f"t txt x{color}{' wide' if wide else ''}")
