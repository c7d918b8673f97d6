"""Which of three kinds of product an idea asks for, what its list is called, and which wishes it does not fulfil.

The kinds are told apart by what people do with them: they ask for something by the day, they look for something, or
they keep track of something. Where the words leave it open, it is the last.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from studio.sandbox import lexicon, words
from studio.sandbox.audience import is_people
from studio.sandbox.words import Language, Token

Kind = Literal["booking", "catalogue", "tracker"]

_CUES: dict[Kind, str] = {
    "booking": (
        r"lend\w*|lent|borrow\w*|rent(?:s|ed|ing|als?)?|hir(?:e|es|ing)|book(?:ing|ings|ed|able)|requests?"
        r"|books?(?= (?:an?|the|them|it|by|online|time|slots?|lessons?|rooms?|seats?|tables?)\b)|reserv\w+"
        r"|appointments?|slots?|calendar|tutor\w*|lessons?|deliver\w*|orders?|shar(?:e|es|ed|ing)|visits?|pick-?up"
        r"|(?:aus|ver)?leih\w*|(?:ver)?miet\w*|buch(?:en|t|bar|ung\w*)|reservier\w*|termin\w*|teilen|bestell\w*"
        r"|kalender|liefer\w*|nachhilfe|anfrag\w*"
    ),
    "catalogue": (
        r"find\w*|director(?:y|ies)|catalogu?es?|listings?|marketplaces?|sell\w*|buy\w*|brows\w+|search\w*|compar\w+"
        r"|match(?:es|ing)?|connect\w*|collections?|collectors?|galler(?:y|ies)|exhibit\w*|shops?|maps?|recommend\w*"
        r"|swap\w*|recipes?|guides?|verzeichnis\w*|katalog\w*|marktpl[aä]tz\w*|verkauf\w*|kauf\w*|such\w*|vergleich\w*"
        r"|sammlung\w*|galerie\w*|tausch\w*|karten?|rezept\w*|hofl[aä]den"
    ),
    "tracker": (
        r"track\w*|remind\w*|records?|recorded|recording|logs?|logged|plans?|planning|notes?|manag\w+|organi[sz]\w+"
        r"|checks?|checklists?|follow(?:s|ing)? up|watch\w*|measur\w+|monitor\w*|to-?dos?|tasks?|habits?|invoices?"
        r"|due|erinner\w*|verfolg\w*|plan(?:en|t|ung\w*)|protokoll\w*|notier\w*|verwalt\w*|organisier\w*|aufgaben?"
        r"|überwach\w*|prüf\w*|mess(?:en|ung\w*)|abhaken|checklisten?|rechnung\w*|fällig\w*"
    ),
}
_KINDS: tuple[Kind, ...] = ("booking", "catalogue", "tracker")
# What somebody orders weighs more than what an idea mentions.
_REQUEST_WEIGHT = 3

# Verbs before the thing that a list is about ("lend drills", "track bee hives").
_VERBS: dict[Kind, str] = {
    "booking": r"lend|lends|borrow|borrows|rent|rents|hire|hires|book|reserve|share|shares|order|deliver|delivers",
    "catalogue": r"find|finds|browse|compare|compares|sell|sells|buy|collect|exhibit|swap|swaps",
    "tracker": r"track|tracks|record|records|log|logs|plan|plans|manage|manages|organise|organize|check|monitor",
}
_ASIDE = r"(?:(?:out|each other|one another|their|your|our|its|the|an?|some|more|own)\s+)*"
_LONGEST_HEADING = 44
_MOST_WORDS = 3
_GERMAN_OWN = re.compile(r"\b(?:[Ii]hr|[Ii]hre|[Ii]hren|[Dd]eren|eigene[ns]?)\s+([A-ZÄÖÜ][\w-]{2,30})\b")
_GERMAN_AFTER_VERB = re.compile(
    r"\b(?:(?:ver)?leihen|teilen|(?:ver)?mieten|buchen|reservieren|finden|verkaufen|kaufen|vergleichen|tauschen|verfolgen"
    r"|planen|verwalten|notieren|prüfen)\s+(?:(?:einander|sich|ihre?n?|eigene)\s+)*([A-ZÄÖÜ][\w-]{2,30})\b"
)
_GERMAN_BEFORE_VERB = re.compile(
    r"\b([A-ZÄÖÜ][\w-]{2,30})\s+(?:(?:aus|ver)?leihen|teilen|(?:ver)?mieten|buchen|reservieren|finden|verkaufen|kaufen"
    r"|vergleichen|tauschen|sammeln|verfolgen|planen|verwalten|notieren|prüfen)\b"
)

# What a first version of these kinds has nothing for, so that a wish that speaks of it is not fulfilled.
_BEYOND = re.compile(
    r"\b(?:pay\w*|deposit\w*|price\w*|invoic\w*|refund\w*|subscri\w*|bank|cash|mails? (?!address)|e-?mails|sms|notif\w*"
    r"|remind\w*|chat\w*|messag\w*|photos?|pictures?|images?|videos?|audio|voice|upload\w*|maps?|gps|sensors?|drones?"
    r"|robots?|lockers?|offline|log-?ins?|sign-?ins?|accounts?|import\w*|export\w*|synchroni\w*|api|ai|predict\w*"
    r"|translat\w*|rat(?:e|ing|ings)|reviews?|zahl\w*|kaution\w*|preis\w*|rechnung\w*|abo\w*|nachricht\w*|erinner\w*"
    r"|fotos?|bilder|hochlad\w*|karten?|sensor\w*|drohne\w*|schließf\w*|konto|konten|anmeld\w*|bewert\w*|vorhersag\w*"
    r"|übersetz\w*)\b",
    re.IGNORECASE,
)
_WAITLIST = re.compile(
    r"\b(?:wait(?:ing)?[- ]?lists?|sign-?ups?|newsletters?|(?:takes?|collects?|leave) (?:an? |the )?(?:mail )?"
    r"address(?:es)?|contact forms?|wartelisten?|adressen?|kontaktformulare?)\b",
    re.IGNORECASE,
)


def kind_of(request: str, told: Sequence[str]) -> Kind:
    """Return the kind whose words the request and the texts of the project use most."""

    def score(kind: Kind) -> int:
        cue = re.compile(rf"\b(?:{_CUES[kind]})\b", re.IGNORECASE)
        return _REQUEST_WEIGHT * len(cue.findall(request)) + sum(len(cue.findall(text)) for text in told)

    scores = {kind: score(kind) for kind in _KINDS}
    best = max(scores.values())
    return next(kind for kind in _KINDS if scores[kind] == best) if best else "tracker"


def wants_waitlist(texts: Sequence[str]) -> bool:
    """Say whether any of the texts asks for a list of addresses."""
    return any(_WAITLIST.search(text) for text in texts)


def without_waitlist(text: str) -> tuple[str, bool]:
    """Return a text without the words that ask for a list of addresses, and whether it has any."""
    rest, count = _WAITLIST.subn(" ", text)
    return rest, count > 0


def is_beyond(text: str) -> bool:
    """Say whether a text speaks of what a first version of these kinds has nothing for."""
    return _BEYOND.search(text) is not None


def heading_of(kind: Kind, idea: str, language: Language) -> str:
    """Return what the list holds in the idea's own words ("Power tools"), empty where they do not say it clearly."""
    text = words.plain(idea)
    if language == "de":
        for pattern in (_GERMAN_OWN, _GERMAN_AFTER_VERB, _GERMAN_BEFORE_VERB):
            for found in pattern.finditer(text):
                thing = found.group(1)
                vague = words.is_stop(thing.lower()) or thing.lower() in lexicon.GENERIC_NOUNS
                if not vague and not is_people(thing, language):
                    return thing
        return ""
    for found in re.finditer(rf"\b(?:{_VERBS[kind]})\s+{_ASIDE}", text, re.IGNORECASE):
        rest = text[found.end() : found.end() + 120]
        heading = _thing_at(rest)
        if heading:
            return words.capitalise(heading)
    return ""


def _thing_at(rest: str) -> str:
    """Return the noun group, or the short list of them, with which a text begins."""
    row = words.tokens(rest)
    first = _group(row, 0)
    if not first:
        return ""
    end = row[first - 1].end
    # "drills, ladders and sewing machines" is what the list holds, as long as a heading can hold it.
    at = first
    while at < len(row) and (row[at].after_break or row[at].lower == "and"):
        more = at + 1 if row[at].lower == "and" else at
        stop = _group(row, more)
        if stop <= more or row[stop - 1].end > _LONGEST_HEADING:
            break
        joint = rest[row[at - 1].end : row[at].start].strip()
        if joint not in (",", ""):
            break
        end, at = row[stop - 1].end, stop
        if row[more - 1].lower == "and":
            break
    heading = rest[:end]
    # A list that was cut in its middle is none.
    return heading if "," not in heading or " and " in heading else rest[: row[first - 1].end]


def _group(row: list[Token], start: int) -> int:
    """Return where the noun group that begins at `start` ends; `start` itself where there is none."""
    end = start
    while end < len(row) and end - start < _MOST_WORDS:
        token = row[end]
        if end > start and token.after_break:
            break
        if words.is_stop(token.lower) or token.lower in lexicon.PLAIN_VERBS:
            break
        end += 1
    names = row[start:end]
    if not names or names[-1].lower in lexicon.PEOPLE | lexicon.GENERIC_NOUNS or not names[-1].lower.endswith("s"):
        return start
    return end


def unfulfilled(kind: Kind, features: Sequence[str], *, waitlist: bool) -> list[str]:
    """Return the wishes that a product of this kind does not fulfil, as far as their words tell.

    Where they leave a doubt it does not: what is listed as missing and is there hurts nobody.
    """
    cue = re.compile(rf"\b(?:{_CUES[kind]})\b", re.IGNORECASE)

    def fulfilled(feature: str) -> bool:
        if waitlist and _WAITLIST.search(feature):
            return True
        return bool(cue.search(feature)) and not _BEYOND.search(feature)

    return [feature for feature in features if not fulfilled(feature)]
