"""Two-colour print: a flyer from a risograph, overprinted and a little off register."""

from __future__ import annotations

from studio.sandbox.landing import motifs, parts
from studio.sandbox.landing.brief import Brief
from studio.sandbox.landing.inks import Inks
from studio.sandbox.landing.parts import Page, esc

_DOTS = "".join(
    f'<pattern id="dots{number}" width="9" height="9" patternUnits="userSpaceOnUse"'
    f' patternTransform="rotate({angle})">'
    f'<circle class="f{number}" cx="4.5" cy="4.5" r="2.7"/></pattern>'
    for number, angle in ((1, 22), (2, 67))
)
_HILLS = (
    "M0 430V300C200 230 330 330 520 290S880 200 1200 300v130z",
    "M0 430V340C160 250 420 300 640 330s380-90 560-60v160z",
    "M0 430V260c180 90 360 20 560 40s420 70 640-20v150z",
)
_RINGS = '<circle class="ring" r="168"/><circle class="ring2" r="152"/>'
# The second plate is never quite where the first one was.
_PLATES = ((1, 0, 0), (2, 5, 4))


def page(brief: Brief) -> Page:
    """Return the page."""
    inks = brief.inks
    root = parts.root(
        inks.scheme,
        _colors(inks),
        head=brief.head,
        text=brief.body,
        h1=brief.headline_size(2.8, 8.4, 7.4),
    )
    first, second = motifs.chosen(brief)
    count = len(brief.sections)
    bits = "".join(
        parts.section(number, section, f"bit {_kind(number, count)}".strip())
        for number, section in enumerate(brief.sections, 1)
    )
    stamp = f'{_RINGS}<g transform="translate(-108 -108) scale(.9)">{motifs.DRAWINGS[second]}</g>'
    body = (
        f'<div class="flyer">{parts.top(brief)}<main><h1>{esc(brief.headline)}</h1>'
        f'<div class="under"><p class="sub">{esc(brief.sub)}</p></div>{_scene(brief, first, second)}'
        f'<div class="zine">{bits}</div><div class="stub">{motifs.ornament(stamp, "-180 -180 360 360", "stamp")}'
        f"{parts.form(brief)}</div></main>{parts.footer(brief)}</div>"
    )
    return Page("riso", root, body, inks.scheme)


def _colors(inks: Inks) -> dict[str, str]:
    # Inks are laid over each other: on light paper they darken it, on dark paper they glow.
    printed = {"blend": "screen", "bare": "#000000"} if inks.palette.dark else {"blend": "multiply", "bare": "#FFFFFF"}
    return {
        "paper": inks.paper,
        "ink": inks.ink,
        "one": inks.first,
        "on1": inks.on(inks.first),
        "two": inks.second,
        "on2": inks.on(inks.second),
        "head1": inks.spot,
        "wash": inks.wash(inks.second),
        **printed,
    }


def _scene(brief: Brief, first: str, second: str) -> str:
    def printed(name: str, x: int, y: int, scale: float) -> str:
        return "".join(
            f'<g class="ov i{plate}" transform="translate({x + dx} {y + dy}) scale({scale})">'
            f"{motifs.DRAWINGS[name]}</g>"
            for plate, dx, dy in _PLATES
        )

    # The larger one stands where no text is above it.
    one, two = (720, 90) if brief.either("order") else (600, 240)
    shapes = (
        f'<defs>{_DOTS}</defs><circle class="ov d2" cx="{330 + brief.draw("sun", 160)}" cy="252" r="130"/>'
        f'<path class="ov d1" d="{_HILLS[brief.draw("hills", len(_HILLS))]}"/>'
        f"{printed(first, one, 30, 1.66)}{printed(second, two, 176, 1.05)}"
    )
    return motifs.ornament(shapes, "0 0 1200 430", "scene")


def _kind(number: int, count: int) -> str:
    # The first and the second make a row.
    return "ab"[number - 1] if number <= 2 else parts.share(number - 2, count - 2)
