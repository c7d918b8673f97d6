"""What the code agent is going to write: the product's kind, words, colours and folder, all from the request.

Nothing is made up: the first page says what the founder said, what the app does is what its code does, and wishes that
it does not fulfil are listed as such.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from studio.brand.colors import contrast, mix, readable
from studio.brand.look import look
from studio.brand.palette import Palette, turned
from studio.sandbox import synthesis, words
from studio.sandbox.code import kinds, parts
from studio.sandbox.code.kinds import Kind
from studio.sandbox.code.speech import product_text, say
from studio.sandbox.facts import Facts
from studio.sandbox.landing import brief, motifs
from studio.sandbox.wording import PHRASES
from studio.sandbox.words import Language

# What a repository may hold without being anybody's code.
_NO_CODE = re.compile(r"(?:readme|licen[cs]e|copying|notice)[^/]*|\.[^/]+|(?:\.github|docs)/.*", re.IGNORECASE)
# Those who have one of these build and test by their own rules.
_BUILT = frozenset({"Makefile", "package.json", "pyproject.toml", "setup.py", "Cargo.toml", "go.mod", "pom.xml"})
_NAMES = ("Makefile", "app.py", "content.py", "pages.py", "store.py", "views.py", "static", "tests")
_FOLDER = "mvp"
_README = re.compile(r"readme(?:\.\w+)?", re.IGNORECASE)
# A README of no more lines says no more than ours: a title, and perhaps a sentence.
_BARE_LINES = 3
# What may stand in a style sheet as a list of fonts.
_FONTS = re.compile(r"[\w ,.'-]{1,200}")

_LONGEST_NAME = 60
_LONGEST_HEADLINE = 90
_LONGEST_SUB = 220
_MOST_MISSING = 8
_MOST_REQUEST = 240
# Of a request of thousands of words a reader is told this much of what is not there, and how much more there is.
_MOST_PARTS = 40
_LONGEST_PART = 160


@dataclass(frozen=True)
class Product:
    """Everything the files are made of. `folder` is empty at the root; what is `taken` was there before and stays.

    `met` are the parts of the request that are clearly in it. `missing` begins with the others, `unmet` in number.
    """

    kind: Kind
    language: Language
    name: str
    headline: str
    sub: str
    idea: str
    request: str
    heading: str
    able: tuple[str, ...]
    met: tuple[str, ...]
    unmet: int
    missing: tuple[str, ...]
    waitlist: bool
    text: dict[str, str]
    drawing: str
    day: dict[str, str]
    night: dict[str, str]
    head_font: str
    body_font: str
    rounded: bool
    cards: str
    folder: str
    readme: str
    root_makefile: bool
    taken: frozenset[str]

    def path(self, name: str) -> str:
        """Return where a file of the product stands in the workspace."""
        name = self.readme if name == "README.md" else name
        return f"{self.folder}/{name}" if self.folder else name


def listed_files(facts: Facts) -> list[str]:
    """Return the paths of the files that were there before."""
    listed = facts.given("files")
    return [path for path in listed if isinstance(path, str)] if isinstance(listed, list) else []


def readme_among(paths: Sequence[str]) -> str | None:
    """Return the README at the root, None where there is none."""
    return next((path for path in paths if _README.fullmatch(path)), None)


def product_of(facts: Facts, readme: str | None = None) -> Product:
    """Return the product that a request asks for. `readme` is what the README says that was there before."""
    reading, language = facts.reading, facts.reading.language
    taken = listed_files(facts)
    packets = [facts.given("packets"), facts.given("packet")]
    planned = list(_texts(packets, "in_scope"))
    scope = planned or list(synthesis.scope(facts)["in_scope"])
    deferred = list(_texts(packets, "deferred"))
    request = facts.text("request") or facts.guidance
    kind = kinds.kind_of(request, [*scope, reading.text])
    waitlist = kinds.wants_waitlist([request, *planned]) or any(_found(packets, "waitlist"))
    page = brief.read(facts)
    text = product_text(language, kind)
    headline, sub = _opening(facts)
    first, _ = motifs.chosen(page)
    appearance = look(page.seed)
    settled = page.inks.palette
    folder = _folder(taken)
    able = [text[f"able_{number}"] for number in (1, 2, 3)]
    name = words.clip_words(words.plain(page.name), _LONGEST_NAME) or headline
    heading = kinds.heading_of(kind, reading.text, language)
    asked = parts.parts_of(request, able, [heading, name], waitlist=waitlist)
    return Product(
        kind=kind,
        language=language,
        name=name,
        headline=headline,
        sub=sub or text["sub"],
        idea=reading.text,
        request=words.clip_words(" ".join(request.split()), _MOST_REQUEST),
        heading=heading or text["heading"],
        able=tuple([*able, say(language, "able_waitlist")] if waitlist else able),
        met=tuple(words.clip_words(part, _LONGEST_PART) for part in asked.met),
        unmet=len(asked.unmet),
        missing=tuple(_missing(kind, language, asked.unmet, scope, deferred, waitlist=waitlist)),
        waitlist=waitlist,
        text=text,
        drawing=motifs.drawing(first, ""),
        day=_colors(turned(settled) if settled.dark else settled),
        night=_colors(settled if settled.dark else turned(settled)),
        head_font=_font(facts, "heading_font", page.head),
        body_font=_font(facts, "body_font", page.body),
        rounded=appearance.rounded,
        cards=appearance.cards,
        folder=folder,
        readme="README.md" if folder or _free(taken, readme) else "MVP.md",
        root_makefile=bool(folder) and not _BUILT & set(taken),
        taken=frozenset(taken),
    )


def _opening(facts: Facts) -> tuple[str, str]:
    """Return the headline and the sentence below it: the idea's beginning, cut where it may be cut."""
    reading = facts.reading
    told = [plain for sentence in reading.sentences if (plain := words.plain(sentence))]
    if not told:
        return synthesis.tagline(reading), ""
    name = synthesis.own_name(reading)
    if name:
        # "A tool library: neighbours lend …": what comes before the colon is the headline, what follows explains it.
        rest = told[0][len(name) :].lstrip(" :–-")
        return name, words.clip_words(words.sentence_case(rest), _LONGEST_SUB)
    headline = words.capitalise(words.shortened(told[0].rstrip(".!…。"), _LONGEST_HEADLINE))
    aside = {*reading.problems, *reading.prices, *reading.later}
    follows = next((sentence for sentence in told[1:3] if sentence not in aside), "")
    return headline, words.clip_words(follows, _LONGEST_SUB)


def _missing(
    kind: Kind,
    language: Language,
    unmet: Sequence[str],
    scope: Sequence[str],
    deferred: Sequence[str],
    *,
    waitlist: bool,
) -> Iterator[str]:
    """Yield what the product does not do: what was asked for first, then wishes, what everybody expects last."""
    yield from (words.clip_words(part, _LONGEST_PART) for part in unmet[:_MOST_PARTS])
    if len(unmet) > _MOST_PARTS:
        yield say(language, "missing_more", count=len(unmet) - _MOST_PARTS)
    suffix = "_tracker" if kind == "tracker" else ""
    usual = [say(language, f"missing_accounts{suffix}"), say(language, f"missing_mail{suffix}")]
    open_wishes = [*kinds.unfulfilled(kind, scope, waitlist=waitlist), *deferred]
    told = {words.folded(part) for part in unmet}
    wishes = [
        wish
        for wish in words.unique(map(words.plain, open_wishes))
        if not _says_nothing(wish, language) and words.folded(wish) not in told
    ]
    yield from wishes[: _MOST_MISSING - len(usual)]
    yield from usual


def _says_nothing(wish: str, language: Language) -> bool:
    """Say whether a wish is one of the sentences that a scope has where an idea says little."""
    smallest = PHRASES["scope_smallest"][language].partition("{")[0]
    return wish.startswith(smallest) or wish == PHRASES["defer_rest"][language]


def _found(value: Any, key: str) -> Iterator[Any]:
    """Yield what stands under `key` anywhere in a JSON value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key:
                yield inner
            yield from _found(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _found(inner, key)


def _texts(value: Any, key: str) -> Iterator[str]:
    for found in _found(value, key):
        for text in found if isinstance(found, list) else []:
            if isinstance(text, str) and text.strip():
                yield text


def _free(taken: Sequence[str], readme: str | None) -> bool:
    """Say whether a README can be written without losing another."""
    if readme_among(taken) is None:
        return True
    return readme is not None and len([line for line in readme.splitlines() if line.strip()]) <= _BARE_LINES


def _font(facts: Facts, key: str, otherwise: str) -> str:
    """Return the brand's list of fonts for headings or text."""
    kit = facts.given("brand")
    given = kit.get(key) if isinstance(kit, dict) else None
    return given if isinstance(given, str) and _FONTS.fullmatch(given) else otherwise


def _folder(taken: Sequence[str]) -> str:
    """Return the folder in which nothing is in the way; empty for a repository without code."""
    tops = {path.split("/", 1)[0] for path in taken}
    if not tops & set(_NAMES) and all(_NO_CODE.fullmatch(path) for path in taken):
        return ""
    number = 1
    while (folder := _FOLDER if number == 1 else f"{_FOLDER}-{number}") in tops:
        number += 1
    return folder


def _colors(palette: Palette) -> dict[str, str]:
    """Return a palette as the style sheet's variables; every text can be read on its ground."""
    fill = palette.accent_fill
    on_fill = readable(fill, palette.background, palette.text)
    apart = [
        color for color in (palette.background, palette.secondary_fill, palette.text) if contrast(color, fill) > 1.5
    ]
    shapes = [*apart, on_fill, on_fill, on_fill]
    return {
        "paper": palette.background,
        "sheet": palette.surface,
        "ink": palette.text,
        "soft": palette.muted_text,
        "rule": mix(palette.background, palette.text, 0.16),
        "edge": mix(palette.background, palette.text, 0.55),
        "spot": palette.accent_text,
        "line": palette.accent,
        "on-line": palette.on_accent,
        "fill": fill,
        "on-fill": on_fill,
        "art-1": shapes[0],
        "art-2": shapes[1],
        "art-3": mix(fill, shapes[0], 0.55),
        "art-ink": on_fill if on_fill not in shapes[:2] else shapes[2],
    }
