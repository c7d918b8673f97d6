"""What a printed packet is made of, before anybody knows where on which page it will stand."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from studio.packets.fields import Source

# Control characters, what turns the direction of the text after it, lone surrogates, and what is no character.
_UNDRAWABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]|[\U0001fffe\U0001ffff]"
)


def clean(text: str) -> str:
    """Return `text` composed and on one line, without what no page can show."""
    return unicodedata.normalize("NFC", " ".join(_UNDRAWABLE.sub(" ", text).split()))


@dataclass(frozen=True)
class Words:
    """A paragraph; a `label` stands before it in bold."""

    text: str
    style: Literal["body", "lead", "note", "strong"] = "body"
    label: str = ""


@dataclass(frozen=True)
class Listed:
    """A list."""

    items: tuple[str, ...]
    marks: Literal["points", "numbers", "checks"] = "points"


@dataclass(frozen=True)
class Bars:
    """Figures from 0 to 100, each with its name."""

    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Claim:
    """A statement and the passages that carry it; `without` is said where there is none."""

    text: str
    sources: tuple[Source, ...]
    label: str = ""
    without: str = "No source"


@dataclass(frozen=True)
class Claims:
    """A table of claims beside their sources."""

    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Grid:
    """A table. `shares` are the widths of its columns, which add up to 1."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Entry:
    """Something with a name and labelled remarks: a competitor, a mail, a milestone."""

    title: str
    remarks: tuple[Words, ...]
    sources: tuple[Source, ...] | None = None
    framed: bool = False


@dataclass(frozen=True)
class Swatches:
    """Colours, each with what it is for."""

    colors: tuple[tuple[str, str], ...]


Block: TypeAlias = Words | Listed | Bars | Claims | Grid | Entry | Swatches


@dataclass(frozen=True)
class Section:
    """A heading and what stands beside it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Paper:
    """A packet in print. `verdict` and `tagline` may be empty where another client has written it."""

    name: str
    kind: str
    tagline: str
    verdict: str
    confidence: int
    edition: str
    sandbox: bool
    sections: tuple[Section, ...]
    sources: tuple[Source, ...]


def texts(paper: Paper) -> Iterable[str]:
    """Yield every text of a paper that did not come from the studio itself."""
    yield from (paper.name, paper.tagline, paper.edition)
    for source in paper.sources:
        yield from (source.title, source.quote, source.url)
    for section in paper.sections:
        yield section.title
        for block in section.blocks:
            yield from _texts(block)


def _texts(block: Block) -> Iterable[str]:
    match block:
        case Words():
            yield from (block.text, block.label)
        case Listed():
            yield from block.items
        case Bars():
            yield from (name for name, _ in block.values)
        case Claims():
            for claim in block.claims:
                yield from (claim.text, claim.label, *(source.title for source in claim.sources))
        case Grid():
            yield from block.header
            for row in block.rows:
                yield from row
        case Entry():
            yield block.title
            for remark in block.remarks:
                yield from (remark.text, remark.label)
        case Swatches():
            yield from (role for _, role in block.colors)
