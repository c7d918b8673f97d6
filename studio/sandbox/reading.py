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
from studio.sandbox.words import Language, Token

MONEY = re.compile(
    r"(?:US\$|[$€£¥]|\b(?:USD|EUR|GBP|CHF|JPY)\b)\s?\d[\d.,]*(?:\s?(?:k|m|bn|million|billion|trillion|Mio\.?|Mrd\.?)\b)?"
    r"|\b\d[\d.,]*\s?(?:k|m|bn|million|billion|trillion|Millionen|Milliarden|Mio\.?|Mrd\.?)?\s?"
    r"(?:€|£|¥|USD\b|EUR\b|GBP\b|CHF\b|JPY\b|dollars?\b|euros?\b|pounds?\b|francs?\b|Franken\b|cents?\b)",
    re.IGNORECASE,
)
_LETS = re.compile(r"\b(?P<verb>lets|helps|allows|enables|reminds|teaches|let|help|allow|enable)\s+", re.IGNORECASE)
_GIVES = re.compile(r"\b(?:gives|shows|tells|sends|warns|alerts|offers)\s+", re.IGNORECASE)
_FOR = re.compile(r"\b(?:for|aimed at|aimed towards|used by|built for)\s+", re.IGNORECASE)
_SIDES = re.compile(
    r"\b(?:connect|connects|connecting|match|matches|matching|bring together|brings together|between|pairs|pair)\s+",
    re.IGNORECASE,
)
_RELATIVE = re.compile(r"\b(?:that|which|who)\s+", re.IGNORECASE)
_SUBJECT = re.compile(rf"^(?:(?:the|our|this)\s+)?(?:{'|'.join(sorted(lexicon.PRODUCT_NOUNS))})\s+", re.IGNORECASE)
_CLAUSE_END = re.compile(
    r"[.;:!?…\n]|\s[-–—]\s|—|,?\s(?:so that|because|while|although|unlike|instead of|rather than)\b|"
    r",\s(?:which|who|where|so|but|and then)\b",
    re.IGNORECASE,
)
_LEAD_IN = re.compile(
    r"^(?:(?:our|my|the) (?:idea|product|plan|solution|app|platform)(?: is|:)|"
    r"(?:we|i)(?: are|'re|’re|'m|’m| am)? (?:building|making|creating|planning|build|make|create|plan|"
    r"(?:want|would like) to (?:build|make|create|start|open))|"
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
_GERMAN_FOR = re.compile(r"\b(?:[Ff]ür|[Hh]ilft|[Hh]elfen|[Uu]nterstützt|[Vv]erbindet|zwischen)\s+")
_GERMAN_WITH = re.compile(r"\bmit (?:der|dem|denen|deren Hilfe) (?P<clause>[^.;:!?]+?)(?:[.;:!?,]|$)")
_GERMAN_HELPS = re.compile(r"\b(?:hilft|ermöglicht es|erlaubt es)\b[^,.;]*, (?P<clause>[^.;:!?,]+)")
_GERMAN_TO = re.compile(r"\bum (?P<clause>[^.;:!?,]+ zu \w+)")
_GERMAN_RELATIVE = re.compile(r", (?:die|der|das) (?P<clause>[^.;:!?,]+)")

MAX_FEATURES = 8
MAX_TAGLINE = 110
_MODIFIERS = 3
_LATE_VERB = 4
# What a product does stands in the sentence that introduces it or in the next ones, not in the company's history.
_DESCRIBING = 5
# How many characters behind a cue are looked at; keeps the work linear in the length of the idea.
_NEAR = 200


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
    audiences = _audiences(now or spoken, language)
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
        action, lets = _action(sentence, language)
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
    return name.strip() if 0 < len(row) <= 5 and not _is_verb(row, 0) else ""


# --- who it is for --------------------------------------------------------------------------------------


def is_people(word: str, language: Language) -> bool:
    """Say whether `word` names people or organisations, as far as the lists know."""
    if language == "de":
        low = word.lower()
        return word[:1].isupper() and any(low.endswith(ending) for ending in lexicon.GERMAN_PEOPLE_ENDINGS)
    return word.lower().rsplit("-", 1)[-1] in lexicon.PEOPLE


def _group_at(sentence: str, start: int, language: Language, *, bare: bool = False) -> str:
    """Return the people named right at `start`, with what describes them, or an empty string.

    `bare` leaves out what follows the head ("owners *of small dogs*").
    """
    rest = sentence[start : start + _NEAR]
    row = words.tokens(rest)
    head = None
    for index, token in enumerate(row[: _MODIFIERS + 2]):
        if index and token.after_break:
            break
        if is_people(token.text, language):
            head = index
            break
        if token.lower in lexicon.PLAIN_VERBS and index:
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
        if words.is_stop(before) or _base_form(before):
            break
        first -= 1
    return first


def _vague(group: str) -> bool:
    return all(w in lexicon.VAGUE_PEOPLE or w in lexicon.STOP_WORDS for w in group.lower().split())


def _audiences(told: list[str], language: Language) -> tuple[str, ...]:
    strong: list[str] = []
    weak: list[str] = []
    openers = (_GERMAN_FOR,) if language == "de" else (_SIDES, _LETS, _FOR, _GIVES)
    for sentence in told:
        for opener in openers:
            for match in opener.finditer(sentence):
                two_sided = opener in (_SIDES, _GERMAN_FOR)
                group = _group_at(sentence, match.end(), language, bare=opener is _SIDES)
                if not group:
                    continue
                sides = [group]
                if two_sided:
                    behind = sentence[match.end() :].split(group, 1)[-1]
                    joint = re.match(r"\s+(?:with|and|to|und|mit)\s+", behind)
                    other = _group_at(behind, joint.end(), language) if joint else ""
                    sides += [other] if other else []
                strong.extend(sides)
                if len(sides) == 2 and opener is _SIDES:
                    return tuple(words.unique(sides))
        row = words.tokens(sentence)
        for index, token in enumerate(row):
            if is_people(token.text, language):
                weak.append(_group_at(sentence, row[_described_from(row, index)].start, language))
    telling = [group for group in words.unique(strong) if not _vague(group)]
    telling = telling or [group for group in words.unique(weak) if not _vague(group)]
    found = telling or words.unique(strong) or words.unique(weak)
    return tuple(found[: 2 if language == "de" and telling and len(strong) == 2 else 1])


# --- what it does ---------------------------------------------------------------------------------------


def _base_form(word: str) -> str | None:
    """Return the base form of `word` where it is a known verb as it stands or in the third person."""
    candidates = [word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ies") + "y"]
    for candidate in candidates:
        if candidate in lexicon.PLAIN_VERBS or candidate in lexicon.HOMOGRAPHS:
            return candidate
    return None


def _is_verb(row: list[Token], index: int) -> bool:
    """Say whether the word at `index` acts, judging by the words beside it."""
    word = row[index].lower
    base = _base_form(word)
    if base is None:
        return False
    before = row[index - 1].lower if index and not row[index].after_break else ""
    after = row[index + 1].lower if index + 1 < len(row) and not row[index + 1].after_break else ""
    if before in lexicon.NOT_BEFORE_VERB:
        return False
    if base in lexicon.PLAIN_VERBS:
        return True
    if before in lexicon.BEFORE_VERB or before in lexicon.PRODUCT_NOUNS:
        return True
    takes_object = (
        after in lexicon.DETERMINERS | lexicon.PARTICLES
        or (after.endswith("s") and len(after) > 3)
        or after in lexicon.PEOPLE
    )
    if word == base:
        return (before.endswith("s") and len(before) > 3) or (not before and takes_object)
    return takes_object and before not in lexicon.NOT_BEFORE_VERB and bool(before)


def _clause(sentence: str, start: int) -> str:
    end = _CLAUSE_END.search(sentence, start)
    return sentence[start : end.start() if end else len(sentence)].strip(" ,")


def _action(sentence: str, language: Language) -> tuple[str, bool]:
    """Return what the product does, in the sentence's words, and whether it lets the audience do it."""
    if language == "de":
        for pattern in (_GERMAN_WITH, _GERMAN_HELPS, _GERMAN_TO, _GERMAN_RELATIVE):
            if found := pattern.search(sentence):
                return re.sub(r"\s+(?:können|kann|sollen)$", "", found.group("clause").strip()), False
        return "", False
    if found := _LETS.search(sentence):
        group = _group_at(sentence, found.end(), language) or _pronoun_at(sentence, found.end())
        if group:
            at = sentence.index(group, found.end()) + len(group)
            clause = re.sub(r"^\s*(?:who\b[^,]*,?\s*)?(?:to\s+)?", "", _clause(sentence, at))
            if clause:
                return clause, found.group("verb").lower().startswith(("let", "allow", "enable"))
    for found in _RELATIVE.finditer(sentence):
        row = words.tokens(sentence[found.end() : found.end() + _NEAR])
        if row and _base_form(row[0].lower) and row[0].lower.endswith("s"):
            return _clause(sentence, found.end()), False
    if found := _SUBJECT.match(sentence):
        row = words.tokens(sentence[found.end() : found.end() + _NEAR])
        if row and _base_form(row[0].lower) and row[0].lower.endswith("s"):
            return _clause(sentence, found.end()), False
    row = words.tokens(sentence)
    if row and _is_verb(row, 0) and row[0].lower == _base_form(row[0].lower) and row[0].start == 0:
        return _clause(sentence, 0), False
    return "", False


def _pronoun_at(sentence: str, start: int) -> str:
    found = re.match(r"(?:you|them|anyone|everyone|everybody|people|users?)\b", sentence[start:], re.IGNORECASE)
    return found.group() if found else ""


def _verb_phrases(sentence: str) -> list[str]:
    """Return the parts of a sentence that say what is done, each from its verb on."""
    row = words.tokens(sentence)
    starts: list[int] = []
    for index, token in enumerate(row):
        if not _is_verb(row, index):
            continue
        joined = index and row[index - 1].lower in {"and", "or", "then"}
        if not starts or token.after_break or joined:
            starts.append(index)
    parts: list[str] = []
    for position, index in enumerate(starts):
        stop = row[starts[position + 1]].start if position + 1 < len(starts) else len(sentence)
        clause = _clause(sentence[:stop], row[index].start)
        parts.append(re.sub(r"(?:,?\s+(?:and|or|then))+$", "", clause, flags=re.IGNORECASE).strip(" ,"))
    # "collect, sort and resell clothes": a verb without its object belongs to the next one.
    if any(len(words.tokens(part)) < 2 for part in parts[:-1]):
        parts = [_clause(sentence, row[starts[0]].start)]
    # A comma inside a part is a second subject ("members book, owners confirm"), and a late first verb is
    # one that was not recognised: such a sentence is better quoted whole.
    if parts and (starts[0] > _LATE_VERB or any("," in part for part in parts)):
        return [sentence.rstrip(".!")]
    return [part for part in parts if len(words.tokens(part)) >= 2]


def _features(told: list[str], items: list[str], action: str, language: Language) -> list[str]:
    """Return what the product does, thing by thing: its lists first, then the sentences that describe it."""
    found: list[str] = [action, *items] if action else list(items)
    for sentence in told:
        if sentence in items:
            continue
        phrases = _verb_phrases(sentence) if language == "en" else [sentence.rstrip(".")]
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
    clause = _clause(first, 0)
    return words.capitalise(words.clip_words(clause if len(clause) >= 20 else first, MAX_TAGLINE))
