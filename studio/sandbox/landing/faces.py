"""Typefaces as lists of fonts that systems have, best first, each list ending in a generic family.

What a page needs is a voice (an old-style serif, a condensed grotesque), not a font: every list has a good member on
macOS, Windows, Android and Linux. A font that the brand asks for comes first where it has that voice.
"""

from __future__ import annotations

STACKS: dict[str, str] = {
    "oldstyle": '"Iowan Old Style", "Palatino Linotype", Palatino, P052, "Book Antiqua", Georgia, serif',
    "newsprint": 'Charter, "Bitstream Charter", "Century Schoolbook", C059, "Sitka Text", Cambria, Georgia, serif',
    "didone": 'Didot, "Bodoni 72", "Bodoni MT", "Playfair Display", "Century Schoolbook", C059, Georgia, serif',
    "classical": '"Hoefler Text", Baskerville, "Palatino Linotype", Palatino, P052, Garamond, Georgia, serif',
    "slab": 'Rockwell, "Rockwell Nova", "Roboto Slab", "Bookman Old Style", "URW Bookman", "Noto Serif", serif',
    "grotesque": '"Helvetica Neue", Helvetica, "Nimbus Sans", Arial, "Liberation Sans", sans-serif',
    "condensed": '"Avenir Next Condensed", "Helvetica Neue Condensed", Bahnschrift, "Roboto Condensed", "Arial Narrow",'
    ' "Nimbus Sans Narrow", "Liberation Sans Narrow", Arial, sans-serif',
    "geometric": 'Futura, "Avenir Next", Avenir, "Century Gothic", "URW Gothic", Montserrat, Corbel, sans-serif',
    "rounded": 'ui-rounded, "SF Pro Rounded", "Arial Rounded MT Bold", Nunito, Quicksand, "Avenir Next",'
    ' "Century Gothic", "URW Gothic", sans-serif',
    "signage": 'Frutiger, "Segoe UI", "Myriad Pro", Myriad, Roboto, "Noto Sans", "Open Sans", "Helvetica Neue",'
    ' "Nimbus Sans", Arial, sans-serif',
    "plain": 'system-ui, "Segoe UI", Roboto, "Helvetica Neue", "Nimbus Sans", "Noto Sans", Arial, sans-serif',
    "mono": 'ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
    "typewriter": '"American Typewriter", "Courier Prime", "Courier New", Courier, "Liberation Mono", monospace',
}
# Which of the lists a font that a brand may name belongs to.
_VOICES: dict[str, tuple[str, ...]] = {
    "georgia": ("newsprint", "oldstyle"),
    "palatino": ("oldstyle", "classical"),
    "times new roman": ("newsprint",),
    "garamond": ("oldstyle", "classical"),
    "baskerville": ("classical", "oldstyle"),
    "bodoni": ("didone",),
    "didot": ("didone",),
    "rockwell": ("slab",),
    "helvetica": ("grotesque", "plain"),
    "arial": ("grotesque", "plain"),
    "verdana": ("plain", "signage"),
    "trebuchet ms": ("signage", "plain"),
    "gill sans": ("signage", "plain"),
    "futura": ("geometric",),
    "century gothic": ("geometric",),
    "courier new": ("typewriter",),
}


def stack(voice: str, *wanted: str) -> str:
    """Return the CSS font-family list of `voice`, led by the first of the `wanted` fonts that has it."""
    for name in wanted:
        if voice in _VOICES.get(name.lower(), ()):
            return f'"{name}", {STACKS[voice]}'
    return STACKS[voice]
