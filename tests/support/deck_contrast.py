"""Reading a presentation as a renderer does: the colours of its texts, and of what they stand on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pptx.oxml import parse_xml
from pptx.oxml.ns import qn
from pptx.presentation import Presentation

from studio.brand.colors import mix

LARGE_POINTS, LARGE_BOLD_POINTS = 18.0, 14.0


class Seen(NamedTuple):
    """A run of text as it is seen."""

    slide: int
    text: str
    color: str
    ground: str
    large: bool


class _Area(NamedTuple):
    x: int
    y: int
    right: int
    bottom: int

    def holds(self, other: _Area) -> bool:
        return (
            self.x <= other.x + 2
            and self.y <= other.y + 2
            and self.right >= other.right - 2
            and self.bottom >= other.bottom - 2
        )

    def meets(self, other: _Area) -> bool:
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom


def _scheme(presentation: Presentation) -> dict[str, str]:
    master = presentation.slide_master
    theme = next(rel.target_part for rel in master.part.rels.values() if rel.reltype.endswith("/theme"))
    root: Any = parse_xml(theme.blob)
    colors = {child.tag.split("}")[1]: "#" + child[0].get("val") for child in root.find(f".//{qn('a:clrScheme')}")}
    mapping = dict(master._element.find(qn("p:clrMap")).attrib)
    return {**colors, **{name: colors[value] for name, value in mapping.items()}}


def _color(fill: Any, scheme: dict[str, str], ground: str) -> str:
    color = fill[0]
    value = scheme[color.get("val")] if color.tag == qn("a:schemeClr") else "#" + color.get("val")
    alpha = color.find(qn("a:alpha"))
    return value if alpha is None else mix(ground, value, int(alpha.get("val")) / 100_000)


def _area(frame: Any) -> _Area:
    off, ext = frame.find(qn("a:off")), frame.find(qn("a:ext"))
    x, y = int(off.get("x")), int(off.get("y"))
    return _Area(x, y, x + int(ext.get("cx")), y + int(ext.get("cy")))


def seen(presentation: Presentation) -> Iterator[Seen]:
    """Go through all runs of text of a presentation, those of tables included.

    Raises AssertionError where a text meets a shape that does not hold it as a whole: its ground is no one colour.
    """
    scheme = _scheme(presentation)
    for number, slide in enumerate(presentation.slides, 1):
        background = slide._element.find(f".//{qn('p:bgPr')}/{qn('a:solidFill')}")
        page = _color(background, scheme, "#FFFFFF")
        painted: list[tuple[_Area, Any]] = []
        for shape in slide._element.iter(qn("p:sp"), qn("p:graphicFrame")):
            frame = shape.find(f"{qn('p:spPr')}/{qn('a:xfrm')}")
            if frame is None:
                frame = shape.find(qn("p:xfrm"))
            area = _area(frame)
            properties = shape.find(qn("p:spPr"))
            fill = properties.find(qn("a:solidFill")) if properties is not None else None
            if fill is not None:
                painted.append((area, fill))
            ground, crossed = page, False
            for other, other_fill in painted:
                if other.holds(area):
                    ground = _color(other_fill, scheme, ground)
                    # What an opaque shape covers is not seen any more.
                    crossed = crossed and bool(list(other_fill.iter(qn("a:alpha"))))
                else:
                    crossed = crossed or other.meets(area)
            text = "".join(part.text or "" for part in shape.iter(qn("a:t")))
            assert not (crossed and text), f"slide {number}: {text!r} meets a shape"
            for run in (*shape.iter(qn("a:r")), *shape.iter(qn("a:fld"))):
                style = run.find(qn("a:rPr"))
                size = int(style.get("sz")) / 100
                large = size >= LARGE_POINTS or (size >= LARGE_BOLD_POINTS and style.get("b") == "1")
                color = _color(style.find(qn("a:solidFill")), scheme, ground)
                yield Seen(number, run.find(qn("a:t")).text or "", color, ground, large)
