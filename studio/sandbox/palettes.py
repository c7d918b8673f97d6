"""Palettes and pairs of fonts that the sandbox model chooses from, by what an idea touches and then by its words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple


class Palette(NamedTuple):
    """Five colours with their roles; text on background and on surface, and white or text on accent, can be read."""

    name: str
    background: str
    surface: str
    text: str
    accent: str
    second: str
    cues: str


# Chosen by hand so that no two are neighbours; `cues` are stems of what they suit, in English and German.
PALETTES: tuple[Palette, ...] = (
    Palette(
        "orchard",
        "#F6F3EA",
        "#FFFFFF",
        "#20301F",
        "#2F6B3C",
        "#D9912B",
        "garden farm plant food organic bio hof garten",
    ),
    Palette(
        "harbour",
        "#EEF3F6",
        "#FFFFFF",
        "#12263A",
        "#1B5E8C",
        "#E4572E",
        "boat water travel logistic sea transport reise",
    ),
    Palette(
        "terracotta",
        "#FBF1EA",
        "#FFFFFF",
        "#3A2018",
        "#B4472B",
        "#2E6F73",
        "craft bakery bread kitchen home bäcker brot küche",
    ),
    Palette(
        "ink", "#F5F4F0", "#FFFFFF", "#17171C", "#3B3BD1", "#E0A526", "book writing learn school text buch schule lern"
    ),
    Palette("plum", "#F7F0F5", "#FFFFFF", "#2D1630", "#7A2E78", "#D98E04", "music art theatre event kunst musik"),
    Palette(
        "mint",
        "#EDF6F2",
        "#FFFFFF",
        "#10302B",
        "#0B7261",
        "#E0644B",
        "health nurse care clinic meditation pflege gesund",
    ),
    Palette(
        "slate",
        "#F1F3F5",
        "#FFFFFF",
        "#1C242C",
        "#2C4A6B",
        "#C8792A",
        "invoice business office b2b account rechnung firma",
    ),
    Palette(
        "signal", "#FFF8E8", "#FFFFFF", "#22201A", "#9A4B00", "#1F6F8B", "tool repair build bike werkzeug rad reparatur"
    ),
    Palette(
        "night",
        "#12161F",
        "#1B2230",
        "#F2F4F8",
        "#8FB4FF",
        "#FFC66B",
        "data code game robot drone space daten spiel drohne",
    ),
    Palette(
        "moss",
        "#1B211C",
        "#252D26",
        "#F1F4EC",
        "#A9D08B",
        "#F0B86E",
        "outdoor forest energy climate wald energie klima",
    ),
    Palette("coral", "#FFF2F0", "#FFFFFF", "#331A1A", "#C0392F", "#1F6A6A", "child family toy dating kind familie"),
    Palette("chalk", "#F4F6F1", "#FFFFFF", "#1D2A24", "#4B6A1B", "#7A3E9D", "chess sport club coach verein schach"),
    Palette("brass", "#F8F4EC", "#FFFFFF", "#2B2418", "#7A5A12", "#23527C", "legal finance insurance tax steuer recht"),
    Palette("lagoon", "#EAF6F8", "#FFFFFF", "#0E2C33", "#08708A", "#D2562F", "swim beach hotel clean wäsche sauber"),
)


class FontPair(NamedTuple):
    """A font for headings and one for text, names that decks and browsers can count on, and what they suit."""

    heading: str
    body: str
    cues: str


FONT_PAIRS: tuple[FontPair, ...] = (
    FontPair("Georgia", "Arial", "bakery bread book story letter history bäcker brot buch geschichte"),
    FontPair("Palatino Linotype", "Palatino Linotype", "nurse care meditation sleep nature bee pflege natur biene"),
    FontPair("Palatino Linotype", "Arial", "garden farm plant wine hotel hof garten wein"),
    FontPair("Times New Roman", "Arial", "art gallery photo law tax museum kunst foto recht steuer"),
    FontPair("Arial Narrow", "Arial", "music concert sport club event festival band vinyl musik verein"),
    FontPair("Bookman Old Style", "Arial", "child family toy puppet cook kitchen kind familie spiel küche"),
    FontPair("Century Schoolbook", "Arial", "school learn tutor teach chess coach schule lern schach"),
    FontPair("Courier New", "Arial", "drone robot sensor code data invoice account rechnung drohne"),
    FontPair("Verdana", "Verdana", "app software platform dashboard travel logistic reise"),
    FontPair("Arial", "Arial", "tool repair build bike business office werkzeug rad firma"),
    FontPair("Arial", "Georgia", "news magazine community neighbour nachbar"),
)


def seed_of(text: str) -> int:
    """Return a number that is the same for the same words, and unlike for unlike ones."""
    return int.from_bytes(hashlib.sha256(" ".join(text.lower().split()).encode("utf-8", "replace")).digest()[:8], "big")


def palette_for(text: str) -> Palette:
    """Return the palette whose cues the text names most, else one that its words choose."""
    chosen = _called_for(text, [palette.cues for palette in PALETTES])
    return PALETTES[chosen[seed_of(text) % len(chosen)]]


def fonts_for(text: str) -> tuple[str, str]:
    """Return the heading and the body font whose cues the text names most, else a pair that its words choose."""
    chosen = _called_for(text, [pair.cues for pair in FONT_PAIRS])
    heading, body, _ = FONT_PAIRS[chosen[(seed_of(text) >> 8) % len(chosen)]]
    return heading, body


def _called_for(text: str, cues: Sequence[str]) -> list[int]:
    """Return the places of the lists of `cues` with which most words of the text begin; all where none does."""
    found = re.findall(r"\w+", text.lower())
    scores = [sum(any(word.startswith(cue) for cue in listed.split()) for word in found) for listed in cues]
    return [place for place, score in enumerate(scores) if score == max(scores)]
