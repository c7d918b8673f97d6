"""Pages as they are drawn: boxes in points on a page of 960 by 540, in reading order.

Both renderers draw the same pages, so that the HTML is the twin of the presentation. Colours are named by their role
in the brand, so that a theme can change them; only swatches carry colours of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from studio.decks.model import Notes

WIDTH, HEIGHT = 960.0, 540.0

Role = Literal[
    "background", "surface", "text", "muted_text", "accent", "accent_secondary", "accent_text", "on_accent",
    "on_accent_secondary", "accent_fill", "secondary_fill", "on_accent_fill",
]  # fmt: skip
Align = Literal["start", "center", "end"]
Anchor = Literal["top", "middle", "bottom"]
FontRole = Literal["heading", "body"]


@dataclass(frozen=True)
class Paint:
    """A colour by role, or a colour of its own (`hex`), laid on with `alpha`."""

    role: Role | None = None
    hex: str = ""
    alpha: float = 1.0


def paint(role: Role, alpha: float = 1.0) -> Paint:
    """Return the colour of a role."""
    return Paint(role, alpha=alpha)


@dataclass(frozen=True)
class Box:
    """A place on the page, in points."""

    x: float
    y: float
    w: float
    h: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.x + self.w

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.y + self.h

    def inset(self, x: float, y: float | None = None) -> Box:
        """Return the box made smaller on all sides."""
        down = x if y is None else y
        return Box(self.x + x, self.y + down, self.w - 2 * x, self.h - 2 * down)


@dataclass(frozen=True)
class Run:
    """A piece of text in one style."""

    text: str
    bold: bool = False
    italic: bool = False
    color: Paint | None = None
    url: str = ""


@dataclass(frozen=True)
class Para:
    """A paragraph. `marker` is a bullet, or a number with a full stop; `indent` leaves room for it."""

    runs: tuple[Run, ...]
    size: float
    color: Paint
    font: FontRole = "body"
    align: Align = "start"
    before: float = 0.0
    marker: str = ""
    marker_color: Paint | None = None
    indent: float = 0.0
    spacing: float = 1.0
    tracking: float = 0.0

    @property
    def text(self) -> str:
        """The paragraph without its styles."""
        return "".join(run.text for run in self.runs)


@dataclass(frozen=True)
class Text:
    """A box of text; `ground` is what it stands on, `fill` and `line` what its own box is drawn with."""

    box: Box
    paras: tuple[Para, ...]
    ground: Paint
    role: Literal["title", "subtitle", "body", "label", "card", "number", "footer"] = "label"
    anchor: Anchor = "top"
    inset: tuple[float, float] = (0.0, 0.0)
    fill: Paint | None = None
    line: Paint | None = None
    rounded: bool = False
    name: str = ""


@dataclass(frozen=True)
class Shape:
    """A drawn shape; polygons have their points in page coordinates."""

    kind: Literal["rect", "round", "ellipse", "polygon"]
    box: Box
    fill: Paint | None = None
    line: Paint | None = None
    weight: float = 0.0
    points: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Drawing:
    """Shapes that belong together. Without `alt` they are ornament, and said to be."""

    shapes: tuple[Shape, ...]
    name: str
    alt: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a table: its cells' paragraphs, and how high it is."""

    cells: tuple[tuple[Para, ...], ...]
    height: float


@dataclass(frozen=True)
class Grid:
    """A table as drawn."""

    box: Box
    widths: tuple[float, ...]
    header: Row
    rows: tuple[Row, ...]
    ground: Paint
    name: str
    padding: tuple[float, float] = (8.0, 6.0)


@dataclass(frozen=True)
class Chart:
    """A bar chart as drawn. `alt` says the figures in words."""

    box: Box
    series: str
    labels: tuple[str, ...]
    values: tuple[float, ...]
    shown: tuple[str, ...]
    number_format: str
    maximum: float
    size: float
    ground: Paint
    alt: str
    # Shares of the width: for the labels before the bars, and of the rest for the figures behind them.
    label_share: float = 0.3
    figure_share: float = 0.14


Element: TypeAlias = Text | Drawing | Grid | Chart


@dataclass(frozen=True)
class Footer:
    """Where a page's number and the deck's name stand, and on what."""

    box: Box
    ink: Paint
    ground: Paint


@dataclass(frozen=True)
class Page:
    """A page: its ground, its elements in reading order, and its notes."""

    kind: Literal["cover", "content", "statement", "closing"]
    title: str
    ground: Paint
    elements: tuple[Element, ...]
    notes: Notes
    # None where a pattern stands in its place, and on covers.
    footer: Footer | None = None
    # Laid out for texts that are read from right to left.
    leftwards: bool = False

    def texts(self) -> Iterator[Text]:
        """Go through the boxes of text."""
        return (element for element in self.elements if isinstance(element, Text))
