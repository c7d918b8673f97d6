"""Numbers as they are written in several languages: with separators, in parts, and as words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from studio.reports.units import EASTERN, GAP, MAGNITUDE_WORD, WORD_END

PART = "|".join(sorted(EASTERN, key=len, reverse=True))
_PART = re.compile(rf"(\d[\d.,]*){GAP}?({PART})")
_THOUSANDS = 3
# In these a comma begins the decimals and a point parts the thousands, and the other way round.
_COMMA_DECIMALS = frozenset(
    ("de", "fr", "es", "it", "pt", "nl", "ru", "el", "sv", "da", "nb", "nn", "no", "fi", "is", "pl", "cs", "sk", "sl",
     "hr", "sr", "bs", "mk", "bg", "uk", "be", "ro", "hu", "tr", "lt", "lv", "et", "ca", "gl", "eu", "id", "vi")
)  # fmt: skip
_POINT_DECIMALS = frozenset(("en", "ja", "zh", "ko", "he", "hi", "th"))

_FROM_TWO = {
    "en": "two three four five six seven eight nine ten eleven twelve",
    "de": "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
    "fr": "deux trois quatre cinq six sept huit neuf dix onze douze",
    "es": "dos tres cuatro cinco seis siete ocho nueve diez once doce",
    "it": "due tre quattro cinque sei sette otto nove dieci undici dodici",
    "pt": "dois três quatro cinco seis sete oito nove dez onze doze",
    "nl": "twee drie vier vijf zes zeven acht negen tien elf twaalf",
}
_TENS = {
    "en": "twenty thirty forty fifty sixty seventy eighty ninety hundred",
    "de": "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig hundert",
    "fr": "vingt trente quarante cinquante soixante soixante-dix quatre-vingts quatre-vingt-dix cent",
    "es": "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa cien",
    "it": "venti trenta quaranta cinquanta sessanta settanta ottanta novanta cento",
    "pt": "vinte trinta quarenta cinquenta sessenta setenta oitenta noventa cem",
    "nl": "twintig dertig veertig vijftig zestig zeventig tachtig negentig honderd",
}
_MORE = {
    "en": {"dozen": "12", "half": "0.5"},
    "de": {"dutzend": "12", "hälfte": "0.5"},
    "fr": {"douzaine": "12", "moitié": "0.5", "mille": "1000"},
    "es": {"docena": "12", "mitad": "0.5", "mil": "1000"},
    "it": {"dozzina": "12", "metà": "0.5", "mille": "1000"},
    "pt": {"dúzia": "12", "metade": "0.5", "mil": "1000", "duas": "2"},
    "nl": {"dozijn": "12", "helft": "0.5"},
}
# Adjectives and verbs as well, so that alone they are no numbers even in their own language.
_NEVER_ALONE = frozenset(("neuf", "sei"))
_WORDS: dict[str, dict[str, str]] = {
    language: {
        word: number
        for word, number in (
            *((word, str(number)) for number, word in enumerate(words.split(), 2)),
            *zip(_TENS[language].split(), map(str, range(20, 101, 10)), strict=True),
            *_MORE[language].items(),
        )
        if word not in _NEVER_ALONE
    }
    for language, words in _FROM_TWO.items()
}
_KNOWN = {word: number for its in _WORDS.values() for word, number in its.items()}
# Words of other languages, names or other parts of speech as well: they count only in a text of their own language.
_SHARED = frozenset(
    ("once", "due", "dos", "sept", "dix", "tre", "otto", "nove", "sette", "cent", "cento", "mil", "mille", "cem",
     "venti", "zes", "tien")
)  # fmt: skip

# These are numbers only where a magnitude follows: the first where it stands in the singular ("a million", but
# "a millones de personas"), the others anyhow.
_ARTICLES = (
    "a",
    "an",
    "one",
    "ein",
    "eine",
    "einen",
    "einem",
    "einer",
    "un",
    "une",
    "una",
    "uno",
    "um",
    "uma",
    "een",
    "één",
)
_HALVES = (
    "half a",
    "half",
    "eine halbe",
    "einer halben",
    "halbe",
    "halben",
    "un demi",
    "demi",
    "medio",
    "mezzo",
    "meio",
)
_ONE = {**dict.fromkeys(_ARTICLES, "1"), **dict.fromkeys(_HALVES, "0.5")}
_SOME = {
    **dict.fromkeys(("one and a half", "anderthalb", "eineinhalb"), "1.5"),
    **dict.fromkeys(("mil", "mille", "thousand", "tausend", "duizend"), "1000"),
    "sei": "6",
    "neuf": "9",
}


def _any(words: dict[str, str]) -> str:
    return "|".join(re.escape(word).replace(r"\ ", GAP) for word in sorted(words, key=len, reverse=True))


_PLURAL = rf"[^\W\d_]+(?:s|ionen|iarden|ni|di){WORD_END}"
# A word that may be a number: as `one` and `some` before a magnitude, as `spoken` alone.
WORDS = (
    rf"(?P<one>{_any(_ONE)})(?=(?:{GAP}|-)(?!{_PLURAL}){MAGNITUDE_WORD})"
    rf"|(?P<some>{_any(_SOME)})(?=(?:{GAP}|-){MAGNITUDE_WORD})"
    rf"|(?P<spoken>{_any(_KNOWN)}){WORD_END}"
)


def in_words(match: re.Match[str], language: str | None, *, magnitude: bool) -> str | None:
    """Return the number that a word found by `WORDS` stands for in a text of `language`, None where it is none.

    `magnitude` says that one follows, with which a word is a number in a text of any unknown language.
    """
    for group, known in (("one", _ONE), ("some", _SOME)):
        if match[group]:
            return known[" ".join(match[group].lower().split())]
    word = match["spoken"].lower()
    own = _WORDS.get(language or "", {})
    if word in own or word not in _SHARED or (magnitude and language is None):
        return own.get(word) or _KNOWN[word]
    return None


def plain_digits(text: str) -> str:
    """Return `text` with the digits of every script as 0 to 9; nothing changes its place."""
    return "".join(_plain(char) for char in text)


def _plain(char: str) -> str:
    if char.isascii():
        return char
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    return {"٫": ".", "．": ".", "٬": ",", "，": ","}.get(char, char)


def digits(text: str, language: str | None) -> Iterator[Decimal | str]:
    """Yield what a number with separators may mean, the likeliest first; as a text what is to stand as it is.

    Where a mark may part the thousands or begin the decimals, `language` tells; one that is not known yields both.
    """
    marks = [char for char in text if char in ".,"]
    if not marks:
        yield Decimal(text)
        return
    groups = re.split(r"[.,]", text)
    grouped = all(len(group) == _THOUSANDS for group in groups[1:]) and 0 < len(groups[0]) <= _THOUSANDS
    grouped = grouped and not groups[0].startswith("0")
    if len(set(marks)) == 1 and len(marks) > 1:
        # A date or a version is no number, and as a text still the same.
        yield Decimal("".join(groups)) if grouped else text
    elif len(marks) == 1:
        if not grouped:
            yield Decimal(".".join(groups))
        else:
            parted: tuple[Decimal | str, ...] = (Decimal("".join(groups)),)
            begun: tuple[Decimal | str, ...] = (".".join(groups),)
            comma = marks[0] == ","
            if language in (_COMMA_DECIMALS if comma else _POINT_DECIMALS):
                yield from begun
            elif language in (_POINT_DECIMALS if comma else _COMMA_DECIMALS):
                yield from parted
            else:
                yield from (*parted, *begun) if comma else (*begun, *parted)
    elif len(set(marks)) == len(marks) or marks.count(marks[-1]) == 1:
        # The last of two kinds of separators is the decimal one.
        yield Decimal("".join(groups[:-1]) + "." + groups[-1])
    else:
        yield text


def in_parts(text: str) -> Decimal | str:
    """Return the number that Chinese, Japanese or Korean parts make (1億2000万), as it stands where they make none."""
    total, end = Decimal(0), 0
    for part in _PART.finditer(text):
        number = next(digits(part[1].rstrip(".,"), "ja"))
        try:
            number = Decimal(number)
        except InvalidOperation:
            return text
        total += number * Decimal(10) ** EASTERN[part[2]]
        end = part.end()
    rest = text[end:]
    return total + Decimal(rest) if rest else total
