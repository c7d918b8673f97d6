"""What a request for a page says, ready to be set."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from studio.brand import fonts, palette
from studio.brand.colors import find_hex
from studio.brand.fonts import Typeface
from studio.brand.palette import Palette
from studio.decks import metrics
from studio.sandbox import brand, launch, words
from studio.sandbox.facts import Facts
from studio.sandbox.landing.inks import Inks
from studio.sandbox.wording import say
from studio.sandbox.words import Language

_EMAIL = re.compile(r"e-?mail|address|adresse", re.IGNORECASE)
_MAX_FIELDS = 3
# Fewer are no palette.
_LEAST_COLOURS = 3
_PARTS = ("typography", "colour", "layout", "atmosphere", "motion", "completeness")
_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")


class Section(NamedTuple):
    """A section of the page in words."""

    title: str
    body: str

    @property
    def sentences(self) -> list[str]:
        """The body, sentence by sentence; together they are the body again."""
        return re.findall(r"\S.*?(?:[.!?…]+(?=\s)|$)", self.body, re.DOTALL) or [self.body]


class Field(NamedTuple):
    """A further field of the form."""

    name: str
    label: str
    required: bool


@dataclass(frozen=True)
class Brief:
    """Everything a page is made of. `head` and `body` are the brand's fonts as CSS lists, `face` is the first of them.

    `louder` names the parts a critic wants more of.
    """

    name: str
    language: Language
    headline: str
    sub: str
    cta: str
    sections: tuple[Section, ...]
    email_label: str
    fields: tuple[Field, ...]
    inks: Inks
    face: Typeface
    head: str
    body: str
    direction: str
    seed: str
    text: str
    louder: frozenset[str] = field(default=frozenset())

    def draw(self, purpose: str, count: int) -> int:
        """Return a number below `count` that depends on the idea and the purpose alone."""
        digest = hashlib.sha256(f"{purpose}\x00{self.seed}".encode("utf-8", "replace")).digest()
        return int.from_bytes(digest[:6], "big") % count

    def either(self, purpose: str) -> bool:
        """Return yes or no by the idea."""
        return self.draw(purpose, 2) == 1

    @property
    def rtl(self) -> bool:
        """Whether the headline runs from right to left."""
        letters = [char for char in self.headline if char.isalpha()]
        return sum(bool(_RTL.match(char)) for char in letters) * 2 > len(letters)

    def headline_size(self, low: float, vw: float, high: float, measure: float = 1.0, *, capitals: bool = False) -> str:
        """Return a font size (CSS `clamp`, in rem and vw) at which the headline keeps its place in the composition.

        `low`, `vw` and `high` are for one of about twenty characters; longer ones are set smaller, and the longest
        word, as wide as it is in the brand's font, has to fit into `measure` (a share of the window) as far as a person
        could still call it a headline.
        """
        length = max(1, len(self.headline))
        share = min(1.0, max(0.44, (24 / length) ** 0.5))
        if "typography" in self.louder:
            share = min(1.0, share * 1.12)
        parts = re.split(r"[\s-]+", self.headline.upper() if capitals else self.headline)
        longest = max((len(word) for word in parts), default=1)
        wide = max(0.1, *(metrics.width(word, 1.0, self.face, bold=True) for word in parts))
        # A phone has 17.5 rem between its margins.
        fits = measure * 17.5 / wide
        widest = measure * 90 / wide
        size = (
            max(1.45, min(low * max(share, 0.62), fits)),
            max(2.2, min(vw * share, widest)),
            max(1.7, high * share if longest < 18 else min(high * share, widest * 0.8)),
        )
        return f"clamp({size[0]:.2f}rem, {size[1]:.2f}vw, {max(size[0], size[2]):.2f}rem)"


def read(facts: Facts) -> Brief:
    """Return the brief of a request: what its blocks say, and from the idea what they leave open."""
    copy = _mapping(facts.given("landing"))
    kit = _mapping(facts.given("brand"))
    own = launch.landing(facts)
    language = words.language_of(" ".join(map(str, copy.values()))) if copy else facts.reading.language
    sections = [
        Section(squeezed(item.get("title")), squeezed(item.get("body")))
        for item in copy.get("section_copy") or own["section_copy"]
        if isinstance(item, dict)
    ]
    headline = squeezed(copy.get("headline")) or own["headline"]
    labels = [squeezed(label) for label in copy.get("form_fields") or []]
    idea = words.clean(facts.idea)
    louder = _louder(_mapping(facts.given("critique")))
    inks = Inks.of(_palette(kit, facts))
    face, head, body = _fonts(kit)
    return Brief(
        name=squeezed(facts.project.get("name")) or words.clip_words(headline, 40),
        language=language,
        headline=headline,
        sub=squeezed(copy.get("subheadline")) or own["subheadline"],
        cta=squeezed(copy.get("primary_cta")) or own["primary_cta"],
        sections=tuple(section for section in sections if section.title and section.body),
        email_label=next((label for label in labels if _EMAIL.search(label)), say(language, "field_email")),
        fields=_fields([label for label in labels if not _EMAIL.search(label)]),
        inks=inks.swapped() if "colour" in louder else inks,
        face=face,
        head=head,
        body=body,
        direction=str(_mapping(facts.given("direction")).get("key") or ""),
        seed=" ".join(idea.split()).casefold() or headline.casefold(),
        text=f"{headline} {idea} {facts.project.get('name') or ''}",
        louder=louder,
    )


def _fields(labels: list[str]) -> tuple[Field, ...]:
    found: dict[str, Field] = {}
    for label in labels:
        plain = unicodedata.normalize("NFKD", re.sub(r"\(.*?\)", "", label)).encode("ascii", "ignore").decode().lower()
        name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:40]
        if re.fullmatch(r"[a-z][a-z0-9_]*", name):
            found.setdefault(name, Field(name, label, required=False))
    return tuple(found.values())[:_MAX_FIELDS]


def _palette(kit: dict[str, Any], facts: Facts) -> Palette:
    """Return the palette that the studio has settled for the brand; what the kit names where the request has none."""
    settled = {role: find_hex(str(color)) for role, color in _mapping(kit.get("colors")).items()}
    own = [one.name for one in dataclasses.fields(Palette) if one.name != "repairs"]
    if all(settled.get(role) for role in own):
        colors: dict[str, Any] = {role: settled[role] for role in own}
        return Palette(**colors)
    named = kit.get("color_palette")
    entries = [str(entry) for entry in named if find_hex(str(entry))] if isinstance(named, list) else []
    return palette.from_entries(
        entries if len(entries) >= _LEAST_COLOURS else brand.kit(facts)["color_palette"], facts.idea
    )


def _fonts(kit: dict[str, Any]) -> tuple[Typeface, str, str]:
    """Return the brand's font for headings, and both as CSS lists."""
    heading, body = fonts.pair(str(kit.get("font_pairing") or ""))
    face = fonts.typeface(heading)
    return face, face.stack(heading), fonts.typeface(body).stack(body)


def _louder(critique: dict[str, Any]) -> frozenset[str]:
    said = " ".join(str(critique.get(key) or "") for key in ("feedback", "improvements", "measured")).lower()
    return frozenset(part for part in _PARTS if part in said)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def squeezed(value: Any) -> str:
    """Return a text on one line; an empty one for what is no text."""
    return " ".join(value.split()) if isinstance(value, str) else ""
