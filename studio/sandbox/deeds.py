"""What a product does: the clause that says so, and the things done in a sentence one by one."""

from __future__ import annotations

import re

from studio.sandbox import lexicon, words
from studio.sandbox.audience import LETS, NEAR, group_at
from studio.sandbox.verbs import base_form, is_verb
from studio.sandbox.words import Language

_RELATIVE = re.compile(r"\b(?:that|which|who)\s+", re.IGNORECASE)
_SUBJECT = re.compile(rf"^(?:(?:the|our|this)\s+)?(?:{'|'.join(sorted(lexicon.PRODUCT_NOUNS))})\s+", re.IGNORECASE)
_CLAUSE_END = re.compile(
    r"[.;:!?…\n]|\s[-–—]\s|—|,?\s(?:so that|because|while|although|unlike|instead of|rather than)\b|"
    r",\s(?:which|who|where|so|but|and then)\b",
    re.IGNORECASE,
)
_GERMAN_WITH = re.compile(r"\bmit (?:der|dem|denen|deren Hilfe) (?P<clause>[^.;:!?]+?)(?:[.;:!?,]|$)")
_GERMAN_HELPS = re.compile(r"\b(?:hilft|ermöglicht es|erlaubt es)\b[^,.;]*, (?P<clause>[^.;:!?,]+)")
_GERMAN_TO = re.compile(r"\bum (?P<clause>[^.;:!?,]+ zu \w+)")
_GERMAN_RELATIVE = re.compile(r", (?:die|der|das) (?P<clause>[^.;:!?,]+)")

# An English sentence whose first known verb stands later than this has one that was not recognised.
_LATE_VERB = 4


def clause_at(sentence: str, start: int) -> str:
    """Return the clause of `sentence` that begins at `start`, up to the mark or word that ends it."""
    end = _CLAUSE_END.search(sentence, start)
    return sentence[start : end.start() if end else len(sentence)].strip(" ,")


def action_of(sentence: str, language: Language) -> tuple[str, bool]:
    """Return what the product does, in the sentence's words, and whether it lets the audience do it."""
    if language == "de":
        for pattern in (_GERMAN_WITH, _GERMAN_HELPS, _GERMAN_TO, _GERMAN_RELATIVE):
            if found := pattern.search(sentence):
                return re.sub(r"\s+(?:können|kann|sollen)$", "", found.group("clause").strip()), False
        return "", False
    if found := LETS.search(sentence):
        group = group_at(sentence, found.end(), language) or _pronoun_at(sentence, found.end())
        if group:
            at = sentence.index(group, found.end()) + len(group)
            clause = re.sub(r"^\s*(?:who\b[^,]*,?\s*)?(?:to\s+)?", "", clause_at(sentence, at))
            if clause:
                return clause, found.group("verb").lower().startswith(("let", "allow", "enable"))
    for found in _RELATIVE.finditer(sentence):
        row = words.tokens(sentence[found.end() : found.end() + NEAR])
        if row and base_form(row[0].lower) and row[0].lower.endswith("s"):
            return clause_at(sentence, found.end()), False
    if found := _SUBJECT.match(sentence):
        row = words.tokens(sentence[found.end() : found.end() + NEAR])
        if row and base_form(row[0].lower) and row[0].lower.endswith("s"):
            return clause_at(sentence, found.end()), False
    row = words.tokens(sentence)
    if row and is_verb(row, 0) and row[0].lower == base_form(row[0].lower) and row[0].start == 0:
        return clause_at(sentence, 0), False
    return "", False


def _pronoun_at(sentence: str, start: int) -> str:
    found = re.match(r"(?:you|them|anyone|everyone|everybody|people|users?)\b", sentence[start:], re.IGNORECASE)
    return found.group() if found else ""


def verb_phrases(sentence: str) -> list[str]:
    """Return the parts of a sentence that say what is done, each from its verb on."""
    row = words.tokens(sentence)
    starts: list[int] = []
    for index, token in enumerate(row):
        if not is_verb(row, index):
            continue
        joined = index and row[index - 1].lower in {"and", "or", "then"}
        if not starts or token.after_break or joined:
            starts.append(index)
    parts: list[str] = []
    for position, index in enumerate(starts):
        stop = row[starts[position + 1]].start if position + 1 < len(starts) else len(sentence)
        clause = clause_at(sentence[:stop], row[index].start)
        parts.append(re.sub(r"(?:,?\s+(?:and|or|then))+$", "", clause, flags=re.IGNORECASE).strip(" ,"))
    # "collect, sort and resell clothes": a verb without its object belongs to the next one.
    if any(len(words.tokens(part)) < 2 for part in parts[:-1]):
        parts = [clause_at(sentence, row[starts[0]].start)]
    # A comma inside a part is a second subject ("members book, owners confirm"), and a late first verb is
    # one that was not recognised: such a sentence is better quoted whole.
    if parts and (starts[0] > _LATE_VERB or any("," in part for part in parts)):
        return [sentence.rstrip(".!")]
    return [part for part in parts if len(words.tokens(part)) >= 2]
