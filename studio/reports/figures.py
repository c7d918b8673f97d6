"""The figures in a text: each number with its unit, however the text's language spells them.

"4,5 Milliarden Euro" and "€4.5 billion" are the same figure. Where a spelling can be read in two ways (1.500 is a
thousand and a half in German, one and a half in English) the text's language tells which it is, and both readings are
kept where it does not: a figure is carried by another one that shares a reading, or that is written the same way.
One and a half is never 1.500, lest a thousand times as many be carried.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import pairwise

from studio.reports.languages import language_of
from studio.reports.units import EASTERN, SPOKEN, WORD_END, magnitude_at, money_before, unit_at

# A number with a unit: two readings that are equal mean the same.
Reading = tuple[str, str]

_GAP = r"[\s\u00a0\u2009\u202f]"
_EASTERN_UNIT = "|".join(sorted(EASTERN, key=len, reverse=True))
_EASTERN_PART = re.compile(rf"(\d[\d.,]*){_GAP}?({_EASTERN_UNIT})")
# What belongs to a name is no figure: the 2 of B2B, the 19 of COVID-19. Chinese and Japanese write on without a space.
_LETTER_BEFORE = r"(?<![A-Za-z\u00c0-\u024f_\d])(?<![A-Za-z\u00c0-\u024f][-‐])"
_NUMBER = re.compile(
    rf"(?P<eastern>{_LETTER_BEFORE}(?:\d[\d.,]*{_GAP}?(?:{_EASTERN_UNIT}))+\d*)"
    rf"|{_LETTER_BEFORE}(?P<spaced>\d{{1,3}}(?:[ \u00a0\u2009\u202f'’]\d{{3}})+(?:[.,]\d+)?)(?!\d)"
    rf"|{_LETTER_BEFORE}(?P<plain>\d(?:[\d.,]*\d)?)"
    rf"|(?<![^\W\d_])(?P<spoken>{'|'.join(sorted(SPOKEN, key=len, reverse=True))}){WORD_END}",
    re.IGNORECASE,
)
# Money may be written right before its number, so that a letter there is not a name's.
_CODE = re.compile(r"(?:USD|EUR|GBP|CHF|JPY|CNY|INR|KRW)(?=\d)")
_BETWEEN = re.compile(rf"{_GAP}?(?:[-–—~〜～]|to|bis|and|und|or|oder|à|a|et|y|e){_GAP}?", re.IGNORECASE)
_JOINT = re.compile(rf"(?:{_GAP}|[-‐])?")
_THOUSANDS = 3
# In these a comma begins the decimals and a point parts the thousands, and the other way round.
_COMMA_DECIMALS = frozenset(("de", "fr", "es", "it", "pt", "nl", "ru", "el"))
_POINT_DECIMALS = frozenset(("en", "ja", "zh", "ko", "he", "hi", "th"))
_SIGN = re.compile(r"(?:^|[\s(\[:;=])(?P<sign>[-–−]|minus\s)\Z", re.IGNORECASE)
# Behind a number the same mark is a range's.
_RANGE = re.compile(r"[\d%％٪]\s+[-–−]\Z")
_SIGN_CHARS = 8


@dataclass(frozen=True)
class Figure:
    """A figure as it stands in a text. `readings` begins with the likeliest; `spoken` is one written as a word."""

    readings: tuple[Reading, ...]
    shown: str
    spoken: bool = False

    @property
    def value(self) -> Decimal | None:
        """The number in its likeliest reading, None where it is no plain number."""
        try:
            return Decimal(self.readings[0][0])
        except InvalidOperation:
            return None

    @property
    def unit(self) -> str:
        """The unit in its likeliest reading, empty where there is none that is known."""
        return self.readings[0][1]

    def same(self, other: Figure) -> bool:
        """Whether both can be read as the same number of the same unit."""
        return not set(self.readings).isdisjoint(other.readings)


@dataclass
class _Found:
    """A number on its way to being a figure."""

    numbers: tuple[Decimal | str, ...]
    factors: tuple[Decimal, ...]
    units: tuple[str, ...]
    begin: int
    number_end: int
    end: int
    spoken: bool
    negative: bool


def figures_in(text: str) -> list[Figure]:
    """Return the figures of `text` in the order in which they stand."""
    plain = _plain_digits(text)
    found = list(_found(plain, language_of(text)))
    for first, second in pairwise(found):
        # In "20 to 30 %" the first number has the unit of the second.
        if first.end == first.number_end and not first.units and _BETWEEN.fullmatch(plain[first.end : second.begin]):
            first.factors, first.units = second.factors, (*second.units, "")
    return [Figure(_readings(one), text[one.begin : one.end].strip(), one.spoken) for one in found]


def missing(figures: Iterable[Figure], carriers: Iterable[Figure]) -> list[Figure]:
    """Return those of `figures` that are not among `carriers`.

    "-5 %" carries a fall by 5 %, so that a number without a sign is carried by one with it, and not the other way.
    """
    there = {
        (value, unit)
        for carrier in carriers
        for signed, unit in carrier.readings
        for value in (signed, signed.removeprefix("-"))
    }
    return [figure for figure in figures if there.isdisjoint(figure.readings)]


def _plain_digits(text: str) -> str:
    """Return `text` with the digits of every script as 0 to 9; nothing changes its place."""
    return "".join(_plain(char) for char in text)


def _plain(char: str) -> str:
    if char.isascii():
        return char
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    return {"٫": ".", "．": ".", "٬": ",", "，": ","}.get(char, char)


def _found(text: str, language: str | None) -> Iterator[_Found]:
    # Each character keeps its place: what is found is read from the text itself.
    searched = _CODE.sub(lambda code: "¤" * len(code[0]), text)
    position = 0
    while match := _NUMBER.search(searched, position):
        one = _figure(text, match, language)
        yield one
        position = one.end


def _figure(text: str, match: re.Match[str], language: str | None) -> _Found:
    begin, end = match.span()
    numbers: tuple[Decimal | str, ...]
    if match["spoken"]:
        numbers = (Decimal(SPOKEN[match["spoken"].lower()]),)
    elif match["eastern"]:
        numbers = (_eastern(match["eastern"]),)
    elif match["spaced"]:
        numbers = tuple(_numbers(re.sub(r"[ \u00a0\u2009\u202f'’]", "", match["spaced"]), language))
    else:
        numbers = tuple(_numbers(match["plain"], language))
    money, money_begin = money_before(text, begin)
    joint = _JOINT.match(text, end)
    after = joint.end() if joint else end
    factors, factor_end = magnitude_at(text, after)
    reached = factor_end if factors else end
    joint = _JOINT.match(text, reached)
    units, unit_end = unit_at(text, joint.end() if joint else reached)
    if units:
        reached = unit_end
    first = money_begin if money else begin
    head = text[max(0, first - _SIGN_CHARS) : first]
    sign = None if _RANGE.search(head) else _SIGN.search(head)
    return _Found(
        numbers,
        factors,
        money or units,
        first - len(sign["sign"]) if sign else first,
        end,
        reached,
        bool(match["spoken"]),
        sign is not None,
    )


def _readings(one: _Found) -> tuple[Reading, ...]:
    found: dict[Reading, None] = {}
    for number in one.numbers:
        for factor in one.factors or (Decimal(1),):
            value = ("-" if one.negative else "") + _multiplied(number, factor)
            if factor == 1 and one.factors:
                # "5 m" is a length or five millions; "$5 m" is no length.
                units: tuple[str, ...] = () if one.units else ("m",)
            else:
                units = one.units or ("",)
            found.update(dict.fromkeys((value, unit) for unit in units))
    return tuple(found)


def _multiplied(number: Decimal | str, factor: Decimal) -> str:
    if isinstance(number, str):
        if factor == 1:
            return number
        try:
            number = Decimal(number)
        except InvalidOperation:
            return f"{number} times {factor}"
    return _spelled(number * factor)


def _spelled(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _numbers(text: str, language: str | None) -> Iterator[Decimal | str]:
    """Yield what a number with separators may mean, the likeliest first; as a text what is to stand as it is."""
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
            decimals = _COMMA_DECIMALS if marks[0] == "," else _POINT_DECIMALS
            thousands = _POINT_DECIMALS if marks[0] == "," else _COMMA_DECIMALS
            if language in decimals or (marks[0] == "." and language not in thousands):
                yield ".".join(groups)
            if language not in decimals:
                yield Decimal("".join(groups))
            yield f"as {text}"
    elif len(set(marks)) == len(marks) or marks.count(marks[-1]) == 1:
        # The last of two kinds of separators is the decimal one.
        yield Decimal("".join(groups[:-1]) + "." + groups[-1])
    else:
        yield text


def _eastern(text: str) -> Decimal | str:
    total, end = Decimal(0), 0
    for part in _EASTERN_PART.finditer(text):
        number = next(_numbers(part[1].rstrip(".,"), "ja"))
        try:
            number = Decimal(number)
        except InvalidOperation:
            return text
        total += number * Decimal(10) ** EASTERN[part[2]]
        end = part.end()
    rest = text[end:]
    return total + Decimal(rest) if rest else total
