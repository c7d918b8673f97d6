"""The typefaces of printed reports: open families that come with packages, in the characters that a report has.

A presentation names fonts that its reader has. A PDF carries them, and is drawn the same on a machine without any:
the brand's kind of typeface, sans or serif, in the family that the studio has of it, and one family for each script.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import uharfbuzz as hb

from studio.brand import Brand
from studio.brand.fonts import Typeface
from studio.packets.export.typefaces import Face, faces_for

# Their widths are known to `studio.decks.metrics` by these names. Documents set their lines 1.2 apart.
_FAMILIES = {"sans": "Source Sans 3", "serif": "Source Serif 4"}
_LINE = 1.2
_STYLES = {"": "font-weight:400", "B": "font-weight:700", "I": "font-weight:400;font-style:italic"}


@dataclass(frozen=True)
class Printed:
    """What a report is printed in: the brand with these typefaces, their style sheet, and what can be shown.

    `others` are the letters that the two families lack, and only one of the further families has.
    """

    brand: Brand
    sheet: str
    show: Callable[[str], str]
    others: frozenset[str]


def printed_in(brand: Brand, texts: Iterable[str]) -> Printed:
    """Return the typefaces that show these texts, as far as any can; `show` marks what none can."""
    found = faces_for([*texts, brand.name], serif_text=True)
    own = frozenset.intersection(*(_letters(face) for face in found.faces if face.family in _FAMILIES))
    heading, body = (_typeface(face, found.fallbacks) for face in (brand.heading, brand.body))
    return Printed(
        replace(brand, heading=heading, body=body, wanted_heading="", wanted_body=""),
        "\n".join(_rule(face) for face in found.faces),
        found.drawable,
        frozenset(char for char in found.shown if ord(char) not in own and not char.isspace()),
    )


def _typeface(wanted: Typeface, fallbacks: tuple[str, ...]) -> Typeface:
    kind = "serif" if wanted.kind == "serif" else "sans"
    return Typeface(_FAMILIES[kind], "serif" if kind == "serif" else "sans", fallbacks, _LINE)


def _letters(face: Face) -> frozenset[int]:
    return frozenset(hb.Face(face.data).unicodes)


def _rule(face: Face) -> str:
    family = _FAMILIES.get(face.family, face.family)
    kind = "opentype" if face.suffix == ".otf" else "truetype"
    data = base64.b64encode(face.data).decode("ascii")
    return (
        f"@font-face{{font-family:'{family}';{_STYLES[face.style]};"
        f"src:url(data:font/{face.suffix[1:]};base64,{data}) format('{kind}')}}"
    )
