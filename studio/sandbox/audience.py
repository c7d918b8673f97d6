"""Who an idea is for: the people and organisations it names, with the words that describe them."""

from __future__ import annotations

import re

from studio.sandbox import lexicon, words
from studio.sandbox.verbs import base_form
from studio.sandbox.words import Language, Token

# How many characters behind a cue are looked at; keeps the work linear in the length of the idea.
NEAR = 200

LETS = re.compile(r"\b(?P<verb>lets|helps|allows|enables|reminds|teaches|let|help|allow|enable)\s+", re.IGNORECASE)
_GIVES = re.compile(r"\b(?:gives|shows|tells|sends|warns|alerts|offers)\s+", re.IGNORECASE)
_FOR = re.compile(r"\b(?:for|aimed at|aimed towards|used by|built for|(?:with|through|by) which)\s+", re.IGNORECASE)
_SIDES = re.compile(
    r"\b(?:connect|connects|connecting|match|matches|matching|bring together|brings together|between|pairs|pair)\s+",
    re.IGNORECASE,
)
# "Die Nachbarn melden …" only mentions them; "mit der Nachbarn teilen" and "damit Nachbarn teilen können" say who does.
_GERMAN_FOR = re.compile(
    r"\b(?:[Ff]ür|[Hh]ilft|[Hh]elfen|[Uu]nterstützt|[Vv]erbindet|zwischen|(?:ermöglicht|erlaubt)(?: es)?"
    r"|mit (?:der|dem|denen|deren Hilfe)|damit(?=[^.;:!?]{1,200}\bkönnen\b))\s+"
)

_MODIFIERS = 3
# "checking contracts *for* freelancers": the people behind one of these are not described by what stands before.
_JOINTS = lexicon.STOP_WORDS - lexicon.DETERMINERS - {"new", "old", "other", "many", "few", "own", "most"}


def is_people(word: str, language: Language) -> bool:
    """Say whether `word` names people or organisations, as far as the lists know."""
    if language == "de":
        low = word.lower()
        return word[:1].isupper() and any(low.endswith(ending) for ending in lexicon.GERMAN_PEOPLE_ENDINGS)
    return word.lower().rsplit("-", 1)[-1] in lexicon.PEOPLE


def group_at(sentence: str, start: int, language: Language, *, bare: bool = False) -> str:
    """Return the people named right at `start`, with what describes them, or an empty string.

    `bare` leaves out what follows the head ("owners *of small dogs*").
    """
    rest = sentence[start : start + NEAR]
    row = words.tokens(rest)
    head = None
    for index, token in enumerate(row[: _MODIFIERS + 2]):
        if index and token.after_break:
            break
        if is_people(token.text, language):
            head = index
            break
        if index and (token.lower in lexicon.PLAIN_VERBS or token.lower in _JOINTS):
            break
    if head is None:
        return ""
    first = 0
    while first < head and (row[first].lower in lexicon.DETERMINERS or row[first].lower in lexicon.STOP_WORDS):
        first += 1
    # "lawyers and accountants", "small farms": a second head directly behind belongs to the same group.
    while head + 1 < len(row) and not row[head + 1].after_break and is_people(row[head + 1].text, language):
        head += 1
    end = head if bare else _attribute_end(row, head, language)
    return rest[row[first].start : row[end].end]


def _attribute_end(row: list[Token], head: int, language: Language) -> int:
    """Return the index of the last word of "people *with diabetes*", "owners *of small dogs*", or `head`."""
    prepositions = {"de": {"in", "mit", "von", "ohne"}, "en": {"of", "with", "in", "without"}}[language]
    if head + 2 >= len(row) or row[head + 1].after_break or row[head + 1].lower not in prepositions:
        return head
    end = head + 1
    for index in range(head + 2, min(head + 5, len(row))):
        token = row[index]
        stops = token.after_break or (token.lower in lexicon.STOP_WORDS and token.lower not in lexicon.DETERMINERS)
        if stops or token.lower in lexicon.PLAIN_VERBS:
            break
        end = index
    return end if end > head + 1 else head


def _described_from(row: list[Token], head: int) -> int:
    """Return where the words that describe the noun at `head` begin ("*small municipal* theatres")."""
    first = head
    while first and head - first < 2 and not row[first].after_break:
        before = row[first - 1].lower
        if words.is_stop(before) or base_form(before):
            break
        first -= 1
    return first


def _is_served(row: list[Token], first: int, head: int) -> bool:
    """Say whether the words around a group make it the audience: "so owners can …", "parents who want …".

    People who are only mentioned are none: a bakery's bakers shape the loaves and do not buy them.
    """
    behind = [token.lower for token in row[head + 1 : head + 3]]
    enabled = behind[:1] in (["can"], ["could"]) and any(
        token.lower == "so" for token in row[max(0, first - 3) : first]
    )
    return enabled or (behind[:1] == ["who"] and behind[1:] in (["need"], ["want"]))


def _vague(group: str) -> bool:
    return all(w in lexicon.VAGUE_PEOPLE or w in lexicon.STOP_WORDS for w in group.lower().split())


def audiences_of(told: list[str], language: Language) -> tuple[str, ...]:
    """Return whom the sentences say that it is for, at most two groups; nobody where they do not say it.

    Who stands behind "for", "helps" or "connects" comes before who gets to do or wants something, and a telling name
    ("beekeepers") before a vague one ("users").
    """
    strong: list[str] = []
    weak: list[str] = []
    openers = (_GERMAN_FOR,) if language == "de" else (_SIDES, LETS, _FOR, _GIVES)
    for sentence in told:
        for opener in openers:
            for match in opener.finditer(sentence):
                two_sided = opener in (_SIDES, _GERMAN_FOR)
                group = group_at(sentence, match.end(), language, bare=opener is _SIDES)
                if not group:
                    continue
                sides = [group]
                if two_sided:
                    behind = sentence[match.end() :].split(group, 1)[-1]
                    joint = re.match(r"\s+(?:with|and|to|und|mit)\s+", behind)
                    other = group_at(behind, joint.end(), language) if joint else ""
                    sides += [other] if other else []
                strong.extend(sides)
                if len(sides) == 2 and opener is _SIDES:
                    return tuple(words.unique(sides))
        row = words.tokens(sentence)
        for index, token in enumerate(row):
            first = _described_from(row, index)
            if language == "en" and is_people(token.text, language) and _is_served(row, first, index):
                weak.append(group_at(sentence, row[first].start, language))
    telling = [group for group in words.unique(strong) if not _vague(group)]
    telling = telling or [group for group in words.unique(weak) if not _vague(group)]
    found = telling or words.unique(strong) or words.unique(weak)
    return tuple(found[: 2 if language == "de" and telling and len(strong) == 2 else 1])
