"""What an idea says about itself: who it is for, what it does, what is wrong today.

Every field is a passage of the idea or empty. Where the words leave a doubt the field stays empty, and the
answer says that the idea does not state it.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import NamedTuple

from studio.sandbox import lexicon, words
from studio.sandbox.audience import audiences_of
from studio.sandbox.deeds import action_of, clause_at, verb_phrases
from studio.sandbox.verbs import is_verb
from studio.sandbox.words import Language

MONEY = re.compile(
    r"(?:US\$|[$€£¥]|\b(?:USD|EUR|GBP|CHF|JPY)\b)\s?\d[\d.,]*(?:\s?(?:k|m|bn|million|billion|trillion|Mio\.?|Mrd\.?)\b)?"
    r"|\b\d[\d.,]*\s?(?:k|m|bn|million|billion|trillion|Millionen|Milliarden|Mio\.?|Mrd\.?)?\s?"
    r"(?:€|£|¥|USD\b|EUR\b|GBP\b|CHF\b|JPY\b|dollars?\b|euros?\b|pounds?\b|francs?\b|Franken\b|cents?\b)",
    re.IGNORECASE,
)
_LEAD_IN = re.compile(
    r"^(?:(?:our|my|the) (?:idea|product|plan|solution|app|platform)(?: is|:)|"
    r"(?:we|i)(?: are|'re|’re|'m|’m| am)? (?:building|making|creating|planning|build|make|create|plan|"
    r"(?:want|would like|plan|aim|intend|hope) to(?: (?:build|make|create|start|open))?)|"
    r"it(?:'s|’s| is)|this is|imagine|idea:|"
    r"(?:wir|ich) (?:bauen|baue|planen|plane|wollen|will|möchten|möchte|entwickeln|"
    r"entwickle)|(?:unsere|die) (?:idee|lösung|app)(?: ist|:)|unser produkt(?: ist|:))\s+",
    re.IGNORECASE,
)
# The founders, and what they have found out, are not what the product does.
_ABOUT_US = re.compile(
    r"^(?:(?:the|our) (?:team|founders?)|(?:we|i)(?:'ve|’ve)? (?:visited|have|are|know|asked|learned|met|spoke|talked)|"
    r"what (?:we|i)|(?:das|unser) team|(?:wir|ich) (?:haben|habe|sind|bin|kennen|kenne))\b",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(?:an?|the|eine?|einen|der|die|das)\s+", re.IGNORECASE)
_PRODUCT_END = re.compile(
    r"\s(?:that|which|who|for|to|where|helping|connecting|letting|so|because|with|when|if|für|um|zum|zur|mit|die|der|das|"
    r"bei|wo|damit|lets|helps|allows|enables|hilft|is|are|by|using)\s|[,.;:!?…]|\s[-–—]\s"
)

MAX_FEATURES = 8
MAX_TAGLINE = 110
# What a product does stands in the sentence that introduces it or in the next ones, not in the company's history.
_DESCRIBING = 5


class Doing(NamedTuple):
    """What a product does: the words, whether it lets its users do it, and the sentence that says so."""

    action: str
    lets: bool
    sentence: str


@dataclass(frozen=True)
class Reading:
    """An idea taken apart; every text in it stands in the idea."""

    text: str
    language: Language
    sentences: tuple[str, ...]
    product: str
    audiences: tuple[str, ...]
    action: str
    tagline: str
    features: tuple[str, ...]
    later: tuple[str, ...]
    problems: tuple[str, ...]
    prices: tuple[str, ...]
    phrases: tuple[str, ...]

    @property
    def audience(self) -> str:
        """Whom the idea names, or an empty string."""
        joint = " und " if self.language == "de" else " and "
        return joint.join(self.audiences)

    @property
    def word_count(self) -> int:
        """How many words the idea has."""
        return len(words.tokens(self.text))

    @property
    def clarity(self) -> int:
        """How much of itself the idea spells out, 0 to 10."""
        told = 3 * bool(self.audiences) + 3 * bool(self.action or self.features) + 2 * bool(self.problems)
        return told + (self.word_count >= 20) + (self.word_count >= 60)


@functools.lru_cache(maxsize=256)
def read(idea: str) -> Reading:
    """Take an idea apart. Accepts any text, also an empty one."""
    text = words.clean(idea)
    language = words.language_of(text)
    told = tuple(words.sentences(text))
    spoken = [spoken for sentence in told if (spoken := words.plain(sentence))]
    later = [s for s in spoken if _cued(s, lexicon.LATER_CUES)]
    prices = [s for s in spoken if MONEY.search(s)]
    now = [s for s in spoken if s not in later]
    main, does = _main(now or spoken, language)
    problems = [s for s in now if s not in prices and _is_problem(s)]
    # What the product does is no difficulty, even where it says what there will be less of.
    problems = [part for s in problems if (part := _because(s) if s in (main, does.sentence) else s)]
    audiences = audiences_of(now or spoken, language)
    aside = {*later, *prices, *problems}
    items = [i for i in map(words.plain, words.items(text)) if i and i not in aside]
    start = now.index(main) if main in now else 0
    # "We are building a planning tool" introduces; what it does comes from its clause or the next sentences.
    introduced = {main} if _LEAD_IN.match(main) else set()
    near = [s for s in now[start : start + _DESCRIBING] if s not in aside | introduced and not _ABOUT_US.match(s)]
    return Reading(
        text=text,
        language=language,
        sentences=told,
        product=_product(main),
        audiences=audiences,
        action=does.action,
        tagline=_tagline(main, audiences, does, language),
        features=tuple(_features(near, items, does.action, language)[:MAX_FEATURES]),
        later=tuple(later[:3]),
        problems=tuple(problems[:3]),
        prices=tuple(prices[:2]),
        phrases=tuple(words.key_phrases(text, 10)),
    )


def _main(told: list[str], language: Language) -> tuple[str, Doing]:
    """Return the sentence that introduces the product, and what the product does."""
    if not told:
        return "", Doing("", False, "")
    led = next((i for i, s in enumerate(told) if _LEAD_IN.match(s)), None)
    start = led or 0
    for sentence in told[start : start + _DESCRIBING]:
        action, lets = action_of(sentence, language)
        if action:
            return (told[start] if led is not None else sentence), Doing(action, lets, sentence)
    plain_start = [s for s in told if not MONEY.search(s) and not _is_problem(s)]
    return (told[start] if led is not None else (plain_start or told)[0]), Doing("", False, "")


def _cued(sentence: str, cues: tuple[str, ...]) -> bool:
    return any(re.search(cue, sentence, re.IGNORECASE) for cue in cues)


def _is_problem(sentence: str) -> bool:
    # What follows "so that" is what will be better, not what is wrong.
    wrong = re.split(r",?\s(?:so that|so they|so you|so nobody|so no one|damit|sodass)\s", sentence, maxsplit=1)[0]
    return _cued(wrong, lexicon.PROBLEM_CUES)


def _because(sentence: str) -> str:
    found = re.search(r"\b(?:because|since|weil)\s+(.+)$", sentence, re.IGNORECASE)
    return words.capitalise(found.group(1)) if found and _cued(found.group(1), lexicon.PROBLEM_CUES) else ""


def without_lead_in(sentence: str) -> str:
    """Return `sentence` without "We are building", "Our idea is" and the article that follows."""
    return _ARTICLE.sub("", _LEAD_IN.sub("", sentence.strip())).strip()


def _product(sentence: str) -> str:
    head = without_lead_in(sentence)
    end = _PRODUCT_END.search(f"{head} .")
    name = head[: end.start()] if end else head
    row = words.tokens(name)
    return name.strip() if 0 < len(row) <= 5 and not is_verb(row, 0) else ""


def _features(told: list[str], items: list[str], action: str, language: Language) -> list[str]:
    """Return what the product does, thing by thing: its lists first, then the sentences that describe it."""
    found: list[str] = [action, *items] if action else list(items)
    for sentence in told:
        if sentence in items:
            continue
        phrases = verb_phrases(sentence) if language == "en" else [sentence.rstrip(".")]
        for phrase in phrases:
            said = [other.rstrip(".") for other in found if other]
            if not any(phrase in other or other in phrase for other in said):
                found.append(phrase)
    return [words.capitalise(words.clip_words(phrase, 200)) for phrase in words.unique(found)]


def _tagline(main: str, audiences: tuple[str, ...], does: Doing, language: Language) -> str:
    if language == "en" and does.action and does.sentence == main:
        lead = f"{audiences[0]} {does.action}" if does.lets and audiences else ""
        helped = re.search(rf"\bhelps?\s+[^.;:]*?{re.escape(does.action)}", main, re.IGNORECASE)
        candidate = lead or (helped.group() if helped else does.action)
        if len(candidate) <= MAX_TAGLINE:
            return words.capitalise(candidate)
    first = without_lead_in(main).rstrip(".!…。")
    if len(first) <= MAX_TAGLINE:
        return words.capitalise(first)
    clause = clause_at(first, 0)
    return words.capitalise(words.shortened(clause if len(clause) >= 20 else first, MAX_TAGLINE))
