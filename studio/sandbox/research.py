"""Competitor and market findings out of the passages that came with the request.

A name counts where a source's title or quote clearly names a company or product; a figure counts where a quote
holds a number with a unit. Everything else stays open and says so.
"""

from __future__ import annotations

import re
from typing import Any

from studio.sandbox import words
from studio.sandbox.facts import Facts, Source
from studio.sandbox.reading import MONEY
from studio.sandbox.wording import NOT_MEASURED, PRICE_NOT_FOUND, quoted, say

MAX_COMPETITORS = 8
MAX_NOTES = 6

_TITLE_PARTS = re.compile(r"\s+[-–—|·•:»]\s+|\s*[|·•»]\s*|:\s+|\s[-–—]\s")
_NAME = r"[A-Z][\w&'’.+-]*[\w+](?:\s[A-Z][\w&'’.+-]*[\w+]){0,2}"
_IS_A = re.compile(
    rf"\b(?P<name>{_NAME})\s(?:is|was|ist)\s(?:an?|the|one of the|eine?|der|die|das)\s[^.]{{0,80}}?"
    r"\b(?:app|platform|marketplace|service|company|startup|start-up|tool|software|site|website|network|"
    r"Plattform|Marktplatz|Dienst|Firma|Anbieter|App|provider|product|system|cooperative|library)\b"
)
_SUCH_AS = re.compile(
    rf"\b(?:[Cc]ompetitors|[Aa]lternatives|[Rr]ivals|[Aa]pps|[Pp]latforms|[Pp]roviders|[Ss]ervices|[Cc]ompanies|[Tt]ools|"
    rf"[Mm]arketplaces|Anbieter|Apps|Plattformen|Wettbewerber)\s(?:such as|like|include|including|are|wie|sind)\s"
    rf"(?P<names>{_NAME}(?:,\s{_NAME})*(?:,?\s(?:and|or|und|oder)\s{_NAME})?)"
)
_INNER_CAPITAL = re.compile(r"^[A-Z][a-z0-9]+[A-Z]\w*$")
# Titles of articles, lists and statistics: whatever stands beside these is no product's name.
_NO_NAME = re.compile(
    r"\b(?:report|market|industry|statistics?|statista|guide|best|top|how|what|why|when|which|wikipedia|blog|news|review|reviews|"
    r"study|survey|trends?|forecast|analysis|vs|versus|pricing|prices?|home|about|contact|faq|login|ratgeber|markt|studie|"
    r"vergleich|test|preise|tipps|the|a|an|der|die|das|this|these|it|we|they|our|in|for|many|most|some|all)\b",
    re.IGNORECASE,
)
_COUNT = re.compile(
    r"\b\d[\d.,]*\s?(?:%|percent|per cent|Prozent|(?:k|thousand|million|billion|Tausend|Millionen|Milliarden|Mio\.?|"
    r"Mrd\.?)?\s?(?:people|households|users|customers|companies|businesses|shops|stores|bakeries|restaurants|schools|students|patients|"
    r"units|tonnes|tons|hours|members|homes|farms|owners|subscribers|visitors|employees|Menschen|Haushalte|Nutzer|Kunden|"
    r"Unternehmen|Betriebe|Firmen|Schulen|Mitglieder|Stunden|Tonnen|Besucher)\b)",
    re.IGNORECASE,
)
_TAM = re.compile(
    r"\b(?:market|industry|sector|total addressable|TAM|revenue|spending|worldwide|global(?:ly)?|markt\w*|"
    r"branche|umsatz|weltweit)\b",
    re.IGNORECASE,
)
_SAM = re.compile(r"\b(?:serviceable|SAM|addressable segment|segment|adressierbar\w*)\b", re.IGNORECASE)
_SOM = re.compile(r"\b(?:obtainable|SOM|market share|share of the market|marktanteil)\b", re.IGNORECASE)


# --- competitors ----------------------------------------------------------------------------------------


def competitors(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `CompetitorFindings` schema."""
    language = facts.reading.language
    if not facts.sources:
        return {"competitors": [], "note": say(language, "no_sources")}
    found: dict[str, list[Source]] = {}
    shown: dict[str, str] = {}
    for source in facts.sources:
        for name in names_in(source):
            key = _plain_name(name)
            shown.setdefault(key, name)
            found.setdefault(key, [])
    for key, sources in found.items():
        mentions = re.compile(rf"(?<!\w){re.escape(shown[key])}(?!\w)", re.IGNORECASE)
        sources.extend(
            source
            for source in facts.sources
            if mentions.search(f"{source.title} {source.quote}") or _owns(key, source)
        )
    entries = [_competitor(shown[key], key, sources, facts) for key, sources in found.items()]
    count = str(len(facts.sources))
    note = say(language, "some_names" if entries else "no_names", count=count)
    return {"competitors": entries[:MAX_COMPETITORS], "note": note}


def names_in(source: Source) -> list[str]:
    """Return the companies or products that a source clearly names, in the order they stand."""
    found: list[str] = []
    for part in _TITLE_PARTS.split(source.title):
        name = part.strip(" .,;!?\"“”„’'")
        row = words.tokens(name)
        # The name that the address carries, or a name with a capital inside, is a name; "Great ideas" is none.
        if 0 < len(row) <= 4 and (_owns(_plain_name(name), source) or _INNER_CAPITAL.match(name)):
            found.append(name)
    for match in _IS_A.finditer(source.quote):
        found.append(match.group("name"))
    for match in _SUCH_AS.finditer(source.quote):
        found.extend(re.split(r",?\s(?:and|or|und|oder)\s|,\s", match.group("names")))
    return [name for name in words.unique(found) if not _NO_NAME.search(name)]


def _plain_name(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


def _owns(key: str, source: Source) -> bool:
    labels = source.host.split(".")
    return len(key) >= 3 and key in {_plain_name(label) for label in labels[:-1]}


def _competitor(name: str, key: str, sources: list[Source], facts: Facts) -> dict[str, Any]:
    language = facts.reading.language
    told = [sentence for source in sources for sentence in words.sentences(source.quote)]
    about = [s for s in told if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", s, re.IGNORECASE)]
    own = [s for source in sources if _owns(key, source) for s in words.sentences(source.quote)]
    positioning = next(iter(about or own), "") or say(language, "title_only", title=quoted(sources[0].title, language))
    priced = [s for s in [*about, *own] if MONEY.search(s)]
    said = words.stems(" ".join(f"{source.title} {source.quote}" for source in sources))
    missing = [p for p in facts.reading.phrases if words.stems(p) and not words.stems(p) & said]
    gap = (
        say(language, "gap_unmentioned", name=name, phrase=quoted(missing[0], language))
        if missing
        else say(language, "gap_none", name=name)
    )
    return {
        "name": name,
        "positioning": positioning,
        "gap": gap,
        "pricing": priced[0] if priced else PRICE_NOT_FOUND,
        "source_ids": [source.id for source in sources],
    }


# --- market ---------------------------------------------------------------------------------------------


def figures_in(source: Source) -> list[str]:
    """Return the sentences of a quote that hold a number with a unit or a currency, as they stand."""
    return [s for s in words.sentences(source.quote) if MONEY.search(s) or _COUNT.search(s)]


def market(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `MarketFindings` schema.

    A size is filled in only by a sentence that calls itself one; other figures become notes.
    """
    sizes: dict[str, dict[str, Any]] = {}
    notes: list[dict[str, Any]] = []
    for source in facts.sources:
        for sentence in figures_in(source):
            entry = {"text": sentence, "source_ids": [source.id]}
            size = _size_of(sentence)
            if size and size not in sizes:
                sizes[size] = entry
            else:
                notes.append(entry)
    open_size: dict[str, Any] = {"text": NOT_MEASURED, "source_ids": []}
    return {
        **{key: sizes.get(key, open_size) for key in ("tam", "sam", "som")},
        "notes": notes[:MAX_NOTES],
    }


def _size_of(sentence: str) -> str | None:
    if not MONEY.search(sentence):
        return None
    for key, cue in (("som", _SOM), ("sam", _SAM), ("tam", _TAM)):
        if cue.search(sentence):
            return key
    return None
