"""The figures in a text: each number with its unit, however the text's language spells them.

"4,5 Milliarden Euro" and "€4.5 billion" are the same figure. Where a spelling can be read in two ways (1.500 is a
thousand and a half in German, one and a half in English; a billion) the text's language tells which it is, and both
readings are kept where none is known: a figure is carried by another one that shares a reading. One and a half is never
1.500, lest a thousand times as many be carried.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import pairwise

from studio.reports.languages import CLEAR, language_of
from studio.reports.model import Claim
from studio.reports.numerals import PART, WORDS, digits, in_parts, in_words, plain_digits
from studio.reports.units import GAP, MONEY, Factor, after_magnitude, magnitude_at, money_before, unit_at

# A number with a unit: two readings that are equal mean the same.
Reading = tuple[str, str]

# What belongs to a name is no figure: the 2 of B2B, the 19 of COVID-19. Chinese and Japanese write on without a space.
_LETTER_BEFORE = r"(?<![A-Za-z\u00c0-\u024f_\d])(?<![A-Za-z\u00c0-\u024f][-‐])"
_NUMBER = re.compile(
    rf"(?P<eastern>{_LETTER_BEFORE}(?:\d[\d.,]*{GAP}?(?:{PART}))+\d*)"
    rf"|{_LETTER_BEFORE}(?P<spaced>\d{{1,3}}(?:[ \u00a0\u2009\u202f'’]\d{{3}})+(?:[.,]\d+)?)(?!\d)"
    rf"|{_LETTER_BEFORE}(?P<plain>\d(?:[\d.,]*\d)?)"
    rf"|(?<![^\W\d_])(?:{WORDS})",
    re.IGNORECASE,
)
# Money may be written right before its number, so that a letter there is not a name's.
_CODE = re.compile(r"(?:USD|EUR|GBP|CHF|JPY|CNY|INR|KRW)(?=\d)")
_DASH = "[-–—~〜～]"
_UNTIL = "to|bis|à|a|hasta|até|tot|до"
_AND = "and|und|or|oder|et|ou|y|e|o|en"
_BETWEEN = re.compile(rf"{GAP}?(?:(?P<until>{_DASH}|{_UNTIL})|{_AND}){GAP}?", re.IGNORECASE)
# Before the first of two figures with a word between them, this tells that they are the ends of a range.
_RANGES = re.compile(
    rf"(?<![^\W\d_])(?:between|from|zwischen|von|entre|de|tra|fra|da|van|tussen){GAP}\Z", re.IGNORECASE
)
_RANGE_CHARS = 12
_JOINT = re.compile(rf"(?:{GAP}|[-‐])?")
_YEAR = re.compile(r"(?:19|20)\d\d")
_SIGN = re.compile(r"(?:^|[\s(\[:;=])(?P<sign>[-–−]|minus\s)\Z", re.IGNORECASE)
# Behind a number the same mark is a range's.
_RANGE = re.compile(r"[\d%％٪]\s+[-–−]\Z")
_SIGN_CHARS = 8
# So much of a text around a part of it shows how a figure at the part's edge goes on.
_EDGE_CHARS = 60
# What a reading adds to a number that is one only where its text counts on the long scale.
_ASSUMED = " on the long scale"


@dataclass(frozen=True)
class Figure:
    """A figure as it stands in a text. `readings` begins with the likeliest; `spoken` is a number written as a word.

    `at` is where its number begins in the text.
    """

    readings: tuple[Reading, ...]
    shown: str
    spoken: bool = False
    at: int = field(default=0, compare=False)

    @property
    def value(self) -> Decimal | None:
        """The number, None where it is no plain one or may be one of several."""
        return number_in(self.readings)

    @property
    def unit(self) -> str:
        """The unit in its likeliest reading, empty where there is none that is known."""
        return self.readings[0][1]

    def same(self, other: Figure) -> bool:
        """Whether both can be read as the same number of the same unit."""
        return not set(self.readings).isdisjoint(other.readings)


@dataclass
class _Found:
    """A number on its way to being a figure; `money` says that its currency stands in front of it."""

    numbers: tuple[Decimal | str, ...]
    factors: tuple[Factor, ...]
    units: tuple[str, ...]
    begin: int
    number_begin: int
    end: int
    money: bool
    spoken: bool
    negative: bool
    year: bool
    # Whether it may share nothing with the figure that it is joined to, and be a number by itself.
    alone: bool = False


def figures_in(text: str, language: str | None = None) -> list[Figure]:
    """Return the figures of `text` in the order in which they stand.

    `language` is that of what the text belongs to, and counts where the text itself does not clearly tell its own.
    """
    return _figures(text, language_of(text, CLEAR) or language)


def figures_of(claim: Claim, language: str) -> list[Figure]:
    """Return the figures of a claim's statement and of its quote.

    `language` is the report's, without script and country. A quote of which nobody knows another one is read in it.
    """
    return [*figures_in(claim.statement, language), *_figures(claim.quote or "", quoted_in(claim) or language)]


def figures_quoted(claim: Claim) -> list[Figure]:
    """Return the figures of a claim's quote, read in no other language than it is known to be `quoted_in`."""
    return _figures(claim.quote or "", quoted_in(claim))


def quoted_in(claim: Claim) -> str | None:
    """Return the language of a claim's quote: that of its page, or else what its own words clearly tell."""
    return claim.quote_language or language_of(claim.quote or "", CLEAR)


def figures_of_part(text: str, begin: int, end: int, language: str | None = None) -> list[Figure]:
    """Return the figures that stand wholly in `text[begin:end]`, as they stand in `text`.

    One that goes on outside ("$3" of "$3 million", "30" of "30%", "10" of "10 to 20 million") is another one in the
    part than in the text, and is left out. `language` is the text's; the part's own words count only where it is not
    known, because names in a few words ("La Poste", "Los Angeles") speak another one.
    """
    part = text[begin:end]
    language = language or language_of(part, CLEAR)
    start = max(0, begin - _EDGE_CHARS)
    whole = {figure.at + start: figure for figure in _figures(text[start : end + _EDGE_CHARS], language)}
    return [
        figure
        for figure in _figures(part, language)
        if (there := whole.get(figure.at + begin)) is not None and set(figure.readings) <= set(there.readings)
    ]


def _figures(text: str, language: str | None) -> list[Figure]:
    plain = plain_digits(text)
    found = list(_found(plain, language))
    for first, second in pairwise(found):
        if between := _BETWEEN.fullmatch(plain[first.end : second.begin]):
            head = plain[max(0, first.begin - _RANGE_CHARS) : first.begin]
            _share(first, second, until=between["until"], named=_RANGES.search(head) is not None)
    return [
        Figure(_readings(one), text[one.begin : one.end].strip(), one.spoken and not one.factors, at=one.number_begin)
        for one in found
    ]


def _share(first: _Found, second: _Found, *, until: str | None, named: bool) -> None:
    """Let two figures that are joined share what is written once for both.

    In "20 to 30 %" the first number has the unit of the second, in "$10–20 billion" its magnitude as well, and the
    second the unit of the first. `until` is what joins them unless it is "and" or "or", `named` says that a word
    before them names a range. With "and" or "or" alone the two may have nothing in common ("iOS 15 and 20 million
    people have it"): the first shares a magnitude only where a unit follows it, and stays what it is by itself.
    """
    dash = until is not None and not until.isalpha()
    if first.units and not first.money:
        return
    if first.money and not (named or dash or (until and second.factors)):
        # "It costs $10 and 20 million people have it."
        return
    if (first.year or first.factors) and not (named or dash or (until and not first.year)):
        # "In 2019 and 30 % of all cases", "from 5 million in 2019 to 6 million in 2020"
        return
    if second.factors and not (named or until):
        if not second.units:
            return
        first.alone = True
    if not first.factors and not (first.money and second.units and set(first.units).isdisjoint(second.units)):
        first.factors = second.factors
    if first.money and not second.units:
        second.units = (*first.units, "")
    elif second.units and not first.units and not any(factor.by == 1 for factor in first.factors):
        first.units = (*second.units, "")


def number_in(readings: Iterable[Reading]) -> Decimal | None:
    """Return the one number of all readings, None where there are several, or none that is a plain number."""
    numbers = {value.removesuffix(_ASSUMED) for value, _ in readings}
    try:
        (number,) = {Decimal(value) for value in numbers}
    except (InvalidOperation, ValueError):
        return None
    return number


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


def _found(text: str, language: str | None) -> Iterator[_Found]:
    # Each character keeps its place: what is found is read from the text itself.
    searched = _CODE.sub(lambda code: "¤" * len(code[0]), text)
    position = 0
    while match := _NUMBER.search(searched, position):
        one = _figure(text, match, language)
        if one is not None:
            yield one
        position = match.end() if one is None else one.end


def _figure(text: str, match: re.Match[str], language: str | None) -> _Found | None:
    begin, end = match.span()
    money, money_begin = money_before(text, begin)
    joint = _JOINT.match(text, end)
    after = joint.end() if joint else end
    # "2019 ha" may be a year and a verb, "2019ha" is not.
    year = not money and after > end and match["plain"] is not None and _YEAR.fullmatch(match["plain"]) is not None
    factors, factor_end = magnitude_at(text, after, language, year=year)
    numbers = _said(match, language, magnitude=bool(factors))
    if not numbers:
        return None
    reached = factor_end if factors else end
    sum_like = bool(factors) or match["plain"] is None or not match["plain"].isdigit()
    joint_end = after_magnitude(text, reached) if factors else after
    units, unit_end = unit_at(text, joint_end, language, year=year, sum_like=sum_like)
    if units and units[0] in MONEY and text[unit_end : unit_end + 1].isdigit():
        # In "$10-$20" the second sign is the next number's.
        units = ()
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
        begin,
        reached,
        bool(money),
        match.lastgroup in ("one", "some", "spoken"),
        sign is not None,
        year,
    )


def _said(match: re.Match[str], language: str | None, *, magnitude: bool) -> tuple[Decimal | str, ...]:
    if match["eastern"]:
        return (in_parts(match["eastern"]),)
    if match["spaced"]:
        return tuple(digits(re.sub(r"[ \u00a0\u2009\u202f'’]", "", match["spaced"]), language))
    if match["plain"]:
        return tuple(digits(match["plain"], language))
    number = in_words(match, language, magnitude=magnitude)
    return () if number is None else (Decimal(number),)


def _readings(one: _Found) -> tuple[Reading, ...]:
    found: dict[Reading, None] = {}
    for number in one.numbers:
        for by, assumed in one.factors or (Factor(Decimal(1)),):
            value = ("-" if one.negative else "") + _multiplied(number, by) + (_ASSUMED if assumed else "")
            if by == 1 and one.factors:
                # "5 m" is a length or five millions; "$5 m" is no length.
                units: tuple[str, ...] = () if one.units else ("m",)
            else:
                units = one.units or ("",)
            found.update(dict.fromkeys((value, unit) for unit in units))
        if one.alone:
            found[("-" if one.negative else "") + _multiplied(number, Decimal(1)), ""] = None
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
