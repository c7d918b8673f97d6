"""A packet as a document for people: its sources numbered, its colours as colours, its changes word by word.

For the studio's own pages and for shared packets alike. What stands in a packet was written by models, pages and other
clients: it is text, and an address in it is a link only where it is one of the web.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import ValidationError

from studio.packets.diff import Change
from studio.packets.evidence import passages
from studio.packets.fields import Source
from studio.packets.schemas import SCHEMAS

NAMES = {0: "Pitch", 1: "Validate", 2: "Distribute", 3: "Go live"}
_COLOR = re.compile(r"^\s*(#[0-9a-fA-F]{6}|#[0-9a-fA-F]{3})\b[\s:,–-]*(.*)$", re.DOTALL)
_PIECE = re.compile(r"\s*(?:\w+|[^\w\s])|\s+")
# Beyond this, a comparison word by word says no more than the two texts do, and takes long.
_COMPARED_CHARS = 2000


@dataclass(frozen=True)
class Numbered:
    """A passage as the document cites it. `href` is None where its address is none of the web."""

    number: int
    title: str
    host: str
    href: str | None
    quote: str


class Swatch(NamedTuple):
    """A colour of a palette; `hex` is None where the text names none."""

    hex: str | None
    words: str


class Piece(NamedTuple):
    """A piece of a text that was compared with another."""

    kind: str
    text: str


@dataclass(frozen=True)
class Difference:
    """A change as it is shown: where, and either two texts compared word by word or two values."""

    where: list[str]
    kind: str
    pieces: list[Piece]
    before: Any
    after: Any


class PacketView:
    """What the templates of a packet ask. `readable` is false where it is in a shape of another client.

    Passages are numbered as they are cited, so that a reader meets them in their order; a view is for one reading.
    """

    def __init__(self, phase: int, packet: Mapping[str, Any], *, readable: bool, sources: Sequence[Source]) -> None:
        self.phase = phase
        self.name = NAMES.get(phase, "Packet")
        self.packet = packet
        self.readable = readable
        self.source_count = len(sources)
        self._passages = {(source.url, source.quote_sha256): source for source in sources}
        self._cited: dict[tuple[str, str], Numbered] = {}

    @classmethod
    def of(cls, phase: int, packet: Mapping[str, Any]) -> PacketView:
        """Return the view of a packet as it is stored."""
        try:
            # What a reader takes for the same (a number written as text) is shown as the same.
            shown = SCHEMAS[phase].model_validate(packet).model_dump(mode="json")
        except (ValidationError, KeyError):
            return cls(phase, packet, readable=False, sources=passages([dict(packet)]))
        return cls(phase, shown, readable=True, sources=passages([shown]))

    def cited(self, item: Mapping[str, Any]) -> list[Numbered]:
        """Return the passages that carry a claim; none where it is marked as unsourced."""
        if not item.get("sourced", True):
            return []
        named = [(source["url"], source["quote_sha256"]) for source in item.get("sources") or []]
        return [self._number(key) for key in dict.fromkeys(named) if key in self._passages]

    def sources(self) -> list[Numbered]:
        """Return all passages in the order of their numbers; those that nothing has cited come last."""
        for key in self._passages:
            self._number(key)
        return list(self._cited.values())

    def _number(self, key: tuple[str, str]) -> Numbered:
        if key not in self._cited:
            self._cited[key] = _numbered(len(self._cited) + 1, self._passages[key])
        return self._cited[key]

    @staticmethod
    def swatch(text: str) -> Swatch:
        """Return what a line of a palette names: '#1F4D3A deep green, text'."""
        found = _COLOR.match(text)
        return Swatch(found.group(1), found.group(2).strip() or found.group(1)) if found else Swatch(None, text)

    @staticmethod
    def dollars(amount: Any) -> str:
        """Return an amount that a packet names, to the cent where it has any."""
        try:
            value = Decimal(str(amount))
        except InvalidOperation:
            return str(amount)
        if not value.is_finite():
            return str(amount)
        return f"${value:,.0f}" if value == value.to_integral_value() else f"${value:,.2f}"

    @staticmethod
    def day(value: str | datetime | None) -> str:
        """Return the day of a moment that a packet names."""
        try:
            at = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            return str(value)
        return "" if at is None else f"{at.day} {at:%B %Y}"

    @property
    def stored(self) -> str:
        """The packet as it is stored, for one that cannot be shown otherwise."""
        return json.dumps(self.packet, indent=2, ensure_ascii=False, default=str)


def web_address(text: str) -> str | None:
    """Return an address that may be a link: http or https, with a host; None for any other."""
    try:
        parts = urlsplit(text.strip())
        host = parts.hostname
    except ValueError:
        return None
    safe = parts.scheme.lower() in ("http", "https") and host and not any(char.isspace() for char in text.strip())
    return text.strip() if safe and text.strip().isprintable() else None


def _numbered(number: int, source: Source) -> Numbered:
    href = web_address(source.url)
    host = (urlsplit(href).hostname or "") if href else ""
    return Numbered(
        number, source.title or host or source.url, host.removeprefix("www.") or source.url, href, source.quote
    )


def differences(changes: Iterable[Change]) -> list[Difference]:
    """Return what changed between two packets as it is shown."""
    return [_difference(change) for change in changes]


def _difference(change: Change) -> Difference:
    where = [part.replace("_", " ").strip() for part in re.split(r"\.(?![^\[]*\])|\[|\]", change.path) if part.strip()]
    before, after = _plain(change.before), _plain(change.after)
    both = isinstance(before, str) and isinstance(after, str) and change.kind == "changed"
    pieces = compared(before, after) if both else []
    return Difference(where or ["packet"], change.kind, pieces, before, after)


def _plain(value: Any) -> Any:
    """Return a value without the passages it rests on, which stand in the packet itself."""
    if isinstance(value, dict):
        left_out = {"sources", "source_ids", "quote_sha256"}
        return {key: _plain(item) for key, item in value.items() if key not in left_out}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def compared(before: str, after: str) -> list[Piece]:
    """Return two texts as one, in pieces that are the same, removed or added; word by word where they are alike."""
    if max(len(before), len(after)) > _COMPARED_CHARS:
        return [Piece("removed", before), Piece("added", after)]
    old, new = _PIECE.findall(before), _PIECE.findall(after)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    if matcher.ratio() < 0.4:
        return [Piece("removed", before), Piece("added", after)]
    pieces: list[Piece] = []
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if kind == "equal":
            pieces.append(Piece("same", "".join(old[old_from:old_to])))
            continue
        if old_to > old_from:
            pieces.append(Piece("removed", "".join(old[old_from:old_to])))
        if new_to > new_from:
            pieces.append(Piece("added", "".join(new[new_from:new_to])))
    return pieces
