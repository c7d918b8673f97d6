"""A look: the choices of a designer that are not colours or fonts, made once per idea.

Two ideas get different looks because the choices follow from a hash of the idea; one idea always gets the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

Tone = Literal["white", "paper", "tint", "night"]
Cover = Literal["split", "full", "poster", "frame", "band"]
Frame = Literal["top", "rail", "ruled"]
Cards = Literal["filled", "ruled", "outlined", "edged"]
Motif = Literal["quarters", "arcs", "bars", "dots", "steps", "waves", "triangles", "rings"]
Marks = Literal["numbers", "squares", "dashes", "discs"]

TONES: tuple[Tone, ...] = ("white", "paper", "tint", "night")
COVERS: tuple[Cover, ...] = ("split", "full", "poster", "frame", "band")
FRAMES: tuple[Frame, ...] = ("top", "rail", "ruled")
CARDS: tuple[Cards, ...] = ("filled", "ruled", "outlined", "edged")
MOTIFS: tuple[Motif, ...] = ("quarters", "arcs", "bars", "dots", "steps", "waves", "triangles", "rings")
MARKS: tuple[Marks, ...] = ("numbers", "squares", "dashes", "discs")

_T = TypeVar("_T")


class Lot:
    """Choices that follow from a seed: the same seed and name give the same choice, on every machine."""

    def __init__(self, seed: str) -> None:
        self._seed = " ".join(seed.split()).casefold()

    def number(self, name: str) -> float:
        """Return a number from 0 up to, but not including, 1."""
        digest = hashlib.sha256(f"{name}\n{self._seed}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:6]) / (1 << 48)

    def choice(self, name: str, among: Sequence[_T]) -> _T:
        """Return one of `among`."""
        return among[int(self.number(name) * len(among))]


@dataclass(frozen=True)
class Look:
    """How pages are composed: the cover, where titles stand, how cards are drawn, which pattern recurs."""

    cover: Cover
    frame: Frame
    cards: Cards
    motif: Motif
    marks: Marks
    rounded: bool
    seed: str


def look(seed: str) -> Look:
    """Return the look of an idea."""
    lot = Lot(seed)
    return Look(
        cover=lot.choice("cover", COVERS),
        frame=lot.choice("frame", FRAMES),
        cards=lot.choice("cards", CARDS),
        motif=lot.choice("motif", MOTIFS),
        marks=lot.choice("marks", MARKS),
        rounded=lot.choice("rounded", (True, False)),
        seed=seed,
    )
