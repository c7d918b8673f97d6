"""A deck before it is drawn: slides by what they say, not by where things stand.

Slides are derived from a packet; `layouts` turns each into one or more pages, on which nothing overflows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

# What XML 1.0 cannot hold (section 2.2), the other control characters, and what turns the direction of the text after.
_UNDRAWABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff\U0001fffe\U0001ffff]"
)
GroundName = Literal["page", "accent", "ink"]
Mark = Literal["number", "point", "check", "none"]


def clean(text: str) -> str:
    """Return `text` on one line, without what no document can hold or what would steer its reader."""
    return " ".join(_UNDRAWABLE.sub(" ", text.replace("\u2028", " ").replace("\u2029", " ")).split())


@dataclass(frozen=True)
class Reference:
    """A passage that was really retrieved."""

    url: str
    title: str
    quote: str


@dataclass(frozen=True)
class Notes:
    """What a speaker has below a slide: what it shows, details, and where it comes from.

    `unsourced` names what no source carries; a slide of the studio's own judgement says that there.
    """

    say: str
    details: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    unsourced: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fact:
    """A label and what it says: "Confidence", "64 of 100"."""

    label: str
    value: str


@dataclass(frozen=True)
class Item:
    """An entry of a list, with a heading and a tag (such as "unsourced") where it has them."""

    text: str
    heading: str = ""
    tag: str = ""


@dataclass(frozen=True, kw_only=True)
class Remarked:
    """What may have a remark on the page's lower edge."""

    note: str = ""


@dataclass(frozen=True)
class Cover:
    """The first slide."""

    subtitle: str
    facts: tuple[Fact, ...] = ()
    banner: str = ""


@dataclass(frozen=True)
class Closing:
    """The last slide: a sentence to leave with, and what is to be decided."""

    subtitle: str
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Statement:
    """One text that carries the slide."""

    text: str
    source: str = ""


@dataclass(frozen=True)
class Listing(Remarked):
    """A list: as cards where its entries are short, else as rows."""

    items: tuple[Item, ...]
    mark: Mark = "point"
    cards: bool = False


@dataclass(frozen=True)
class Column:
    """A column of entries below a heading."""

    heading: str
    items: tuple[str, ...]
    mark: Mark = "point"
    empty: str = "Nothing is listed."


@dataclass(frozen=True)
class Columns(Remarked):
    """Two or three columns side by side."""

    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Split:
    """Prose on one side, a list on the other."""

    heading: str
    text: str
    column: Column
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Cell:
    """A cell of a table; `tag` is a remark in small type. `url` and `tag_url` are where either leads."""

    text: str
    tag: str = ""
    url: str = ""
    tag_url: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Table(Remarked):
    """A native table. `weights` are the columns' shares of the width."""

    header: tuple[str, ...]
    weights: tuple[float, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Bar:
    """A bar of a chart, with the figure as it is written."""

    label: str
    value: float
    shown: str


@dataclass(frozen=True)
class Bars:
    """A native bar chart, with a figure and remarks beside it."""

    series: str
    bars: tuple[Bar, ...]
    number_format: str
    maximum: float | None
    fact: Fact | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Panel:
    """A labelled text with a mark that says where it comes from."""

    label: str
    text: str
    tag: str
    sourced: bool


@dataclass(frozen=True)
class Panels(Remarked):
    """Labelled texts side by side."""

    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Steps:
    """Steps in their order, on a line."""

    steps: tuple[Item, ...]


@dataclass(frozen=True)
class Verdict:
    """The verdict in one word, the confidence, and the reasons."""

    word: str
    confidence: int
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Proof:
    """A claim, the passage that carries it, and where that stands."""

    claim: str
    quote: str
    source: str
    url: str


@dataclass(frozen=True)
class Evidence:
    """Claims with their sources, or that they have none."""

    proofs: tuple[Proof, ...]


@dataclass(frozen=True)
class Swatch:
    """A colour with its name and role."""

    color: str
    label: str
    detail: str = ""


@dataclass(frozen=True)
class Swatches(Remarked):
    """Colours side by side."""

    swatches: tuple[Swatch, ...]


@dataclass(frozen=True)
class Type(Remarked):
    """The two fonts, shown in themselves: the heading font with a few words, the other with its letters."""

    heading: str
    body: str
    words: str


@dataclass(frozen=True)
class Hero:
    """The head of the landing page in words."""

    headline: str
    subheadline: str
    button: str


@dataclass(frozen=True)
class Plate:
    """A slide of the brand brief whose point is a drawing: the logo system or imagery."""

    subtitle: str
    text: str
    points: tuple[str, ...]
    drawing: Literal["mark", "pattern"]
    layout: Literal["left", "right", "full", "spotlight"] = "left"


Body: TypeAlias = (
    Cover | Closing | Statement | Listing | Columns | Split | Table | Bars | Panels | Steps | Verdict | Evidence
    | Swatches | Type | Hero | Plate
)  # fmt: skip


@dataclass(frozen=True)
class Slide:
    """One slide: a title that says something, what it shows, and its notes."""

    title: str
    body: Body
    notes: Notes
    kicker: str = ""
    # A slide on the brand's colour or on the text's colour, for rhythm.
    ground: GroundName = "page"


@dataclass(frozen=True)
class Outline:
    """The slides of a deck, and what its file says about itself."""

    name: str
    subject: str
    slides: tuple[Slide, ...]
    language: str = "en"
    keywords: tuple[str, ...] = field(default=())
