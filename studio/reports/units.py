"""Units and magnitudes of figures, as they are written in several languages."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple


class Factor(NamedTuple):
    """By what a word multiplies. `assumed` is a reading on the long scale, which agrees with none on the short one."""

    by: Decimal
    assumed: bool = False


# Words that multiply a number, with the power of ten. What is shorter comes after what begins with it.
_MAGNITUDES: tuple[tuple[str, tuple[int, ...]], ...] = (
    (r"thousand|tausend|tsd\.?|mille|mil|mila|duizend|тыс(?:яч\w*|\.)?|ألف|آلاف|אלף|हज़ार|हजार|k", (3,)),
    (r"lakhs?|लाख", (5,)),
    (r"millions?|millionen|mio\.?|millones|millón|milioni|milione|milhões|milhão|miljoen|mln\.?|млн\.?|миллион\w*"
     r"|مليون|ملايين|מיליון|मिलियन|mn\.?", (6,)),
    (r"crores?|करोड़", (7,)),
    (r"milliards?|milliarden?|mrd\.?|mld\.?|mlrd\.?|mds?\.?|mia\.|miliardi|miliardo|miljard|bilhões|bilhão|млрд\.?"
     r"|миллиард\w*|مليار|מיליארד|अरब|बिलियन|bn\.?|b", (9,)),
    (r"trilhões|trilhão|трлн\.?|триллион\w*|تريليون|טריליון|tn", (12,)),
    (r"m", (6, 0)),
)  # fmt: skip
# Words of the long scale alone, and such as have a power on the short one and another on the long one.
_LONG: tuple[tuple[str, tuple[int, ...]], ...] = (
    (r"billionen|billones|billón|biljoen|bilioni|bilione|biliões|bilião|bio\.", (12,)),
    (r"trillionen|trillones|trillón|triljoen|trilioni|trilione|triliões|trilião", (18,)),
)
_SCALED: tuple[tuple[str, tuple[int, int]], ...] = ((r"billions?", (9, 12)), (r"trillions?", (12, 18)))
# Where these words count on the long scale: a German "Billion" and a French "billion" are a million millions, and so is
# a Danish and a Norwegian one.
_LONG_SCALE = frozenset(("de", "fr", "da", "nb", "nn", "no", "sv"))
_UNITS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"percentage points?|prozentpunkte?n?|points? de pourcentage|puntos porcentuales|pp", ("pp",)),
    (r"%|％|٪|per ?cent|pct|prozent|pour ?cent|por ciento|por cento|per cento|procent\w*|процент\w*|パーセント|퍼센트"
     r"|प्रतिशत|بالمئة|في المئة|אחוזים|אחוז", ("%",)),
    (r"us ?\$|usd|us-dollars?|us dollars?|u\.s\. dollars?|美元|米ドル", ("USD", "$")),
    (r"\$|dollars?|dólares|dollari|долларов|دولار|ドル|달러", ("$", "USD")),
    (r"€|eur|euros?|евро|يورو|ユーロ|欧元|유로", ("EUR",)),
    (r"£|gbp|pounds?|pfund", ("GBP", "lb")),
    (r"chf|fr\.|francs?|franken", ("CHF",)),
    (r"jpy|yen|円", ("JPY", "¥")),
    (r"cny|rmb|yuan|元|人民币", ("CNY", "¥")),
    (r"¥|￥", ("¥", "JPY", "CNY")),
    (r"₹|inr|rupees?|rs\.?|रुपये", ("INR",)),
    (r"₩|krw|won|원", ("KRW",)),
    (r"cents?|pence", ("cent",)),
    (r"square (?:kilomet(?:er|re)s?)|quadratkilometern?|km²|km2", ("km²",)),
    (r"square (?:met(?:er|re)s?)|quadratmetern?|m²|m2|qm", ("m²",)),
    (r"hectares?|hektar|ha", ("ha",)),
    (r"kilomet(?:er|re)s?n?|kilómetros|km|キロメートル|公里", ("km",)),
    (r"miles?|meilen?", ("mi",)),
    (r"met(?:er|re)s?n?|metros", ("m",)),
    (r"centimet(?:er|re)s?n?|cm", ("cm",)),
    (r"kilograms?|kilogramm|kilos?|kg", ("kg",)),
    (r"tonn?es?|tonnen|tons?|тонн\w*", ("t",)),
    (r"lit(?:er|re)s?n?|litros", ("l",)),
    (r"gwh|gigawatt ?-?(?:hours?|stunden)", ("GWh",)),
    (r"mwh|megawatt ?-?(?:hours?|stunden)", ("MWh",)),
    (r"kwh|kilowatt ?-?(?:hours?|stunden)", ("kWh",)),
    (r"twh|terawatt ?-?(?:hours?|stunden)", ("TWh",)),
    (r"gw|gigawatts?", ("GW",)),
    (r"mw|megawatts?", ("MW",)),
    (r"kw|kilowatts?", ("kW",)),
    (r"°c|degrees celsius|grad celsius", ("°C",)),
    (r"°f|degrees fahrenheit", ("°F",)),
    (r"seconds?|sekunden?|secondes?|segundos?|秒", ("s",)),
    (r"minutes?|minuten|min\.?|minutos?|分钟", ("min",)),
    (r"hours?|stunden?|heures?|horas?|小时|時間|시간", ("h",)),
    (r"days?|tagen?|tage|jours?|días?|giorni|天", ("day",)),
    (r"weeks?|wochen?|semaines?|semanas?|週間|周", ("week",)),
    (r"months?|monaten?|monate|mois|meses|mesi|か月|ヶ月|个月|개월", ("month",)),
    (r"years?|yrs?|jahren?|jahre|ans|années?|años?|anni|anos|лет|سنوات|年間", ("year",)),
    (r"gigabytes?|gb", ("GB",)),
    (r"terabytes?|tb", ("TB",)),
    (r"megabytes?|mb", ("MB",)),
)  # fmt: skip
# Chinese, Japanese and Korean write a number in parts: 1億2000万.
EASTERN = {
    "千": 3, "천": 3, "万": 4, "萬": 4, "만": 4, "百万": 6, "千万": 7, "億": 8, "亿": 8, "억": 8, "十億": 9,
    "十亿": 9, "兆": 12, "조": 12,
}  # fmt: skip

# A word ends where no letter of an alphabet follows; Chinese and Japanese write on without a space.
WORD_END = r"(?![A-Za-z\u00c0-\u024f\u0370-\u052f\u0590-\u08ff\u0900-\u097f²³])"
GAP = r"[\s\u00a0\u2009\u202f]"

# After a plain year these are words of their own: "in 2019 won", "nel 2019 ha", "ging 2019 ans Netz", "en 2019 M. Roy",
# "en 2019 mil personas".
_NOT_AFTER_A_YEAR = frozenset(("won", "ha", "ans", "min", "min.", "pp", "fr.", "m", "b", "k", "mil", "mille"))
# And this one is after any number that is not written as sums are: "of the 20 won a prize".
_WON = "won"
# In these "ha" is a verb as well, and in German "ans" is no years.
_HA_IS_A_VERB = frozenset(("es", "it"))


def _table(rows: tuple[tuple[str, tuple[object, ...]], ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(rf"(?:{pattern}){WORD_END}", re.IGNORECASE) for pattern, _ in rows)


_MAGNITUDE_PATTERNS, _LONG_PATTERNS = _table(_MAGNITUDES), _table(_LONG)
_SCALED_PATTERNS, _UNIT_PATTERNS = _table(_SCALED), _table(_UNITS)
# Any magnitude that is more than a letter, to be looked for after a word for a number.
MAGNITUDE_WORD = (
    rf"(?![kmb]{WORD_END})(?:{'|'.join(pattern for pattern, _ in (*_MAGNITUDES, *_LONG, *_SCALED))}){WORD_END}"
)  # fmt: skip
_SECOND_MAGNITUDE = re.compile(rf"{GAP}(?={MAGNITUDE_WORD})", re.IGNORECASE)
# "3 millones de dólares", "3 millions d'euros", "3 million of them".
_OF = re.compile(rf"(?:{GAP}(?:(?:de|di|do|of|van){GAP}|d['’])|{GAP}|[-‐])?", re.IGNORECASE)
# What may stand before a number: units of money alone.
MONEY = ("USD", "$", "EUR", "GBP", "CHF", "JPY", "CNY", "¥", "INR", "KRW")
_LONGEST_PREFIX = 6
_PREFIXES = tuple(
    (names, re.compile(rf"(?<![^\W\d_])(?:{pattern})[\s\u00a0\u202f]?$", re.IGNORECASE))
    for pattern, names in _UNITS
    if names[0] in MONEY
)


def magnitude_at(
    text: str, position: int, language: str | None = None, *, year: bool = False
) -> tuple[tuple[Factor, ...], int]:
    """Return by what the word at `position` multiplies (more than one reading where it is not clear), and its end.

    Two words multiply each other, as in "mil millones". `year` says that the number before it may be one.
    """
    factors, end = _magnitude(text, position, language)
    if not factors or (year and text[position:end].lower() in _NOT_AFTER_A_YEAR):
        return (), position
    if end - position > 1 and (second := _SECOND_MAGNITUDE.match(text, end)):
        more, end = _magnitude(text, second.end(), language)
        factors = tuple(Factor(one.by * other.by, one.assumed or other.assumed) for one in factors for other in more)
    return factors, end


def _magnitude(text: str, position: int, language: str | None) -> tuple[tuple[Factor, ...], int]:
    for (_, powers), pattern in zip(_MAGNITUDES, _MAGNITUDE_PATTERNS, strict=True):
        if found := pattern.match(text, position):
            return tuple(Factor(_ten(power)) for power in powers), found.end()
    for (_, (power,)), pattern in zip(_LONG, _LONG_PATTERNS, strict=True):
        if found := pattern.match(text, position):
            return _long(power), found.end()
    for (_, (short, power)), pattern in zip(_SCALED, _SCALED_PATTERNS, strict=True):
        if found := pattern.match(text, position):
            if language in _LONG_SCALE:
                return _long(power), found.end()
            # Nobody knows on which scale such a text counts. On the long one it agrees only with what surely does, so
            # that a billion is never a trillion.
            assumed = (Factor(_ten(power), assumed=True),) if language is None else ()
            return (Factor(_ten(short)), *assumed), found.end()
    return (), position


def _long(power: int) -> tuple[Factor, ...]:
    """Return the factor of a word that surely counts on the long scale, as itself and as what may be assumed of one."""
    return Factor(_ten(power)), Factor(_ten(power), assumed=True)


def _ten(power: int) -> Decimal:
    return Decimal(10) ** power


def unit_at(
    text: str, position: int, language: str | None = None, *, year: bool = False, sum_like: bool = True
) -> tuple[tuple[str, ...], int]:
    """Return the unit at `position` (more than one reading where it is not clear), and its end.

    `year` says that the number before it may be a year, `sum_like` that it is written as sums of money are.
    """
    for (_, names), pattern in zip(_UNITS, _UNIT_PATTERNS, strict=True):
        if found := pattern.match(text, position):
            word = found[0].lower()
            if (year and word in _NOT_AFTER_A_YEAR) or (word == _WON and not sum_like):
                return (), position
            if word == "ans" and language == "de":
                return (), position
            return (*names, "") if word == "ha" and language in _HA_IS_A_VERB else names, found.end()
    return (), position


def after_magnitude(text: str, position: int) -> int:
    """Return where the unit of a number with a magnitude would begin, past what joins the two."""
    found = _OF.match(text, position)
    return found.end() if found else position


def money_before(text: str, position: int) -> tuple[tuple[str, ...], int]:
    """Return the currency that ends right before `position`, and where it begins."""
    head = text[max(0, position - _LONGEST_PREFIX) : position]
    for names, pattern in _PREFIXES:
        if found := pattern.search(head):
            return names, position - len(head) + found.start()
    return (), position
