"""Sentences, words and key phrases of a text, in English and German; other languages count as English."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from studio.sandbox import lexicon

Language = Literal["en", "de"]

WORD = re.compile(r"[^\W_]+(?:[-'’&+][^\W_]+)*\+*")
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s|$)|[。！？]")
_BULLET = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s+")
_BREAK = re.compile(r"[,;:.!?…()\[\]\n|/\"“”„]|\s[-–—]\s|—")

# Symbols and joiners that make up emoji; letters, digits, punctuation and currency signs stay.
_PICTURE_CATEGORIES = frozenset({"So", "Sk", "Cs", "Co", "Cn"})
SOFT_HYPHEN = "\u00ad"
_JOINERS = frozenset("\u200d\ufe0f\ufe0e\u20e3")

# Beyond this an idea adds no new words to an answer, only time.
MAX_TEXT = 20_000


_SHORTEST_STEM = 3
_SHORTEST_PHRASE = 8

# Where a sentence may end early; "to" and "of" are none, because what stands before them asks for what follows.
_JOINT = re.compile(
    r"[,;:]\s|\s[-–—]\s|—|\s(?:and|or|but|so|because|for|that|which|who|where|when|while|with|without|before|after|from"
    r"|und|oder|aber|sodass|damit|weil|für|mit|ohne|vor|nach|wenn|wo)\s",
    re.IGNORECASE,
)
_LONGEST_JOINT = 9


@dataclass(frozen=True)
class Token:
    """A word and where it stands; `after_break` says that punctuation separates it from the word before."""

    text: str
    start: int
    end: int
    after_break: bool

    @property
    def lower(self) -> str:
        """The word in lower case."""
        return self.text.lower()


def clean(text: str) -> str:
    """Return `text` without control characters, each line squeezed, at most `MAX_TEXT` characters."""
    kept = "".join(
        c for c in text[: MAX_TEXT * 2] if c in "\n\t" or (unicodedata.category(c) != "Cc" and c != SOFT_HYPHEN)
    )
    lines = (" ".join(line.split()) for line in kept.splitlines())
    return "\n".join(lines).strip()[:MAX_TEXT]


def plain(text: str) -> str:
    """Return `text` without emoji and other pictures, on one line."""
    kept = "".join(" " if unicodedata.category(c) in _PICTURE_CATEGORIES else c for c in text if c not in _JOINERS)
    squeezed = " ".join(kept.split())
    return re.sub(r"\s+([,.;:!?])", r"\1", squeezed).strip(" ,;")


def _paragraphs(text: str) -> Iterator[str]:
    current: list[str] = []
    for line in [*text.splitlines(), ""]:
        starts_item = bool(_BULLET.match(line))
        ended = bool(current) and current[-1].endswith(":")
        if (not line.strip() or starts_item or ended) and current:
            yield " ".join(current)
            current = []
        if line.strip():
            current.append(_BULLET.sub("", line).strip())


def sentences(text: str) -> list[str]:
    """Return the sentences of `text` in order, each on one line; list items count as sentences."""
    found: list[str] = []
    for paragraph in _paragraphs(text):
        start = 0
        for end in _SENTENCE_END.finditer(paragraph):
            before = paragraph[start : end.start()].rsplit(None, 1)[-1:]
            last = before[0].lower().strip("(\"“„'") if before else ""
            if end.group() == "." and (last in lexicon.ABBREVIATIONS or (len(last) == 1 and last.isalpha())):
                continue
            found.append(paragraph[start : end.end()].strip())
            start = end.end()
        found.append(paragraph[start:].strip())
    return [sentence for sentence in found if sentence]


def items(text: str) -> list[str]:
    """Return the entries of the lists in `text`, each on one line."""
    found: list[str] = []
    open_item = False
    for line in text.splitlines():
        starts = bool(_BULLET.match(line))
        if starts:
            found.append(_BULLET.sub("", line).strip())
        elif open_item and line.strip():
            found[-1] += f" {line.strip()}"
        open_item = bool(line.strip()) and (starts or open_item)
    return [item for item in found if item]


def tokens(text: str) -> list[Token]:
    """Return the words of `text` with their positions."""
    result: list[Token] = []
    end = 0
    for match in WORD.finditer(text):
        result.append(Token(match.group(), match.start(), match.end(), bool(_BREAK.search(text[end : match.start()]))))
        end = match.end()
    return result


def language_of(text: str) -> Language:
    """Return `de` where German function words outnumber English ones, else `en`."""
    lowered = [match.group().lower() for match in WORD.finditer(text[:4000])]
    german = sum(word in lexicon.GERMAN_MARKERS for word in lowered)
    english = sum(word in lexicon.ENGLISH_MARKERS for word in lowered)
    umlauts = sum(any(c in "äöüß" for c in word) for word in lowered)
    return "de" if german + umlauts / 2 > max(english, 0.9) else "en"


def is_stop(word: str) -> bool:
    """Say whether a lower-case word carries no meaning by itself, in either language."""
    return len(word) < 2 or word in lexicon.STOP_WORDS or word.isdigit()


def stem(word: str) -> str:
    """Return a rough stem of `word`: enough to match singular and plural, not a linguistic truth."""
    low = word.lower().replace("’", "'")
    low = low.removesuffix("'s")
    for suffix in ("ings", "ies", "ing", "ers", "ern", "en", "es", "er", "ed", "s", "n", "e", "y"):
        if low.endswith(suffix) and len(low) - len(suffix) >= _SHORTEST_STEM:
            return low[: -len(suffix)]
    return low


def stems(text: str) -> set[str]:
    """Return the stems of the words in `text` that carry meaning."""
    return {stem(token.text) for token in tokens(text) if not is_stop(token.lower)}


def key_phrases(text: str, limit: int = 8) -> list[str]:
    """Return up to `limit` phrases of one to three words that the text turns on, most telling first.

    Runs of words between function words, verbs and punctuation, weighed by how often their words occur,
    by length and by how early they stand.
    """
    spoken = plain(text)
    runs: list[list[Token]] = [[]]
    for token in tokens(spoken):
        if token.after_break and runs[-1]:
            runs.append([])
        if is_stop(token.lower) or token.lower in lexicon.PLAIN_VERBS:
            runs.append([])
        else:
            runs[-1].append(token)
    counts: dict[str, int] = {}
    for run in runs:
        for token in run:
            counts[stem(token.text)] = counts.get(stem(token.text), 0) + 1
    scored: dict[str, tuple[float, str]] = {}
    for position, run in enumerate(part for whole in runs for part in _chunks(whole, 3)):
        phrase = " ".join(token.text for token in run)
        key = " ".join(stem(token.text) for token in run)
        weight = sum(counts[stem(token.text)] for token in run) / len(run) ** 0.5
        generic = all(token.lower in lexicon.GENERIC_NOUNS for token in run)
        score = (weight + min(len(phrase), 24) / 24 + 2 / (1 + position)) * (0.2 if generic else 1)
        if key not in scored or scored[key][0] < score:
            scored[key] = (score, phrase)
    ranked = sorted(scored.values(), key=lambda item: (-item[0], item[1]))
    return [phrase for _, phrase in ranked[:limit]]


def _chunks(run: list[Token], size: int) -> Iterator[list[Token]]:
    # The head of an English or German noun group stands last: cut from the end.
    rest = list(run)
    parts: list[list[Token]] = []
    while rest:
        parts.append(rest[-size:])
        rest = rest[:-size]
    yield from reversed(parts)


def clip_words(text: str, limit: int) -> str:
    """Return `text` cut at a word's end to at most `limit` characters, with an ellipsis where it was cut."""
    if len(text) <= limit:
        return text
    if limit < 2:
        return text[:limit]
    cut = text[: limit - 1]
    at = cut.rfind(" ")
    if at > limit / 2 and not text[limit - 1].isspace():
        cut = cut[:at]
    return cut.rstrip(" ,;:–-") + "…"


def shortened(text: str, limit: int) -> str:
    """Return `text`, or the longest beginning of it that fits and can stand alone: up to a comma or a joining word.

    Only where there is no such beginning is it cut as `clip_words` does.
    """
    if len(text) <= limit:
        return text
    fitting = (text[: joint.start()].rstrip(" ,;:–-") for joint in _JOINT.finditer(text[: limit + _LONGEST_JOINT]))
    whole = [part for part in fitting if len(part) <= limit and _stands_alone(part)]
    return whole[-1] if whole else clip_words(text, limit)


def _stands_alone(text: str) -> bool:
    row = tokens(text)
    open_marks = text.count('"') % 2 or text.count("(") > text.count(")") or text.count("<") > text.count(">")
    return len(text) >= _SHORTEST_PHRASE and bool(row) and not open_marks and not is_stop(row[-1].lower)


def unique(items: Iterable[str]) -> list[str]:
    """Return the non-empty items in order, without those that repeat an earlier one but for case."""
    seen: dict[str, str] = {}
    for item in items:
        if item.strip():
            seen.setdefault(" ".join(item.lower().split()), item.strip())
    return list(seen.values())


def folded(text: str) -> str:
    """Return the words of a text alone, for comparing what texts say: no case, no marks."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def holds(text: str, part: str) -> bool:
    """Return whether a text says all that `part` says, in the same words and order."""
    return bool(folded(part)) and f" {folded(part)} " in f" {folded(text)} "


def capitalise(text: str) -> str:
    """Return `text` with its first letter in upper case, the rest as it is.

    A letter that upper case turns into another one (µ, ß) stays.
    """
    first = text[:1].upper()
    return first + text[1:] if first.lower() == text[:1].lower() else text


def sentence_case(text: str) -> str:
    """Return `text` capitalised and closed by a full stop where it has no closing mark."""
    text = capitalise(text.strip())
    return text if not text or text[-1] in ".!?…。！？" else f"{text}."
