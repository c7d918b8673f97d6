"""Units and magnitudes of figures, as they are written in several languages."""

from __future__ import annotations

import re
from decimal import Decimal

# Words that multiply a number. "Billion" is a thousand millions in English and a million millions in German.
_MAGNITUDES: tuple[tuple[str, tuple[int, ...]], ...] = (
    (r"thousand|tausend|tsd\.?|mille|mil|mila|duizend|тыс(?:яч\w*|\.)?|ألف|آلاف|हज़ार|हजार|k", (3,)),
    (r"lakhs?|लाख", (5,)),
    (r"millions?|millionen|mio\.?|millones|millón|milioni|milione|milhões|milhão|miljoen|млн\.?|миллион\w*"
     r"|مليون|ملايين|mn\.?", (6,)),
    (r"crores?|करोड़", (7,)),
    (r"milliards?|milliarden|mrd\.?|miliardi|miliardo|miljard|bilhões|bilhão|млрд\.?|миллиард\w*|مليار|bn\.?|b", (9,)),
    (r"billions?", (9, 12)),
    (r"billionen|billones|billón|bio\.", (12,)),
    (r"trillions?|tn", (12, 18)),
    (r"m", (6, 0)),
)  # fmt: skip
_UNITS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"percentage points?|prozentpunkte?n?|points? de pourcentage|puntos porcentuales|pp", ("pp",)),
    (r"%|％|٪|per ?cent|pct|prozent|pour ?cent|por ciento|por cento|per cento|procent\w*|процент\w*|パーセント|퍼센트"
     r"|प्रतिशत|بالمئة|في المئة|אחוזים|אחוז", ("%",)),
    (r"us ?\$|usd|us-dollars?|us dollars?|美元|米ドル", ("USD", "$")),
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
SPOKEN: dict[str, str] = {
    **{
        word: str(number)
        for words in (
            "two three four five six seven eight nine ten eleven twelve",
            "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
        )
        for number, word in enumerate(words.split(), 2)
    },
    **{
        word: str(number)
        for words in ("twenty thirty forty fifty sixty seventy eighty ninety hundred",
                      "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig hundert")
        for number, word in zip(range(20, 101, 10), words.split(), strict=True)
    },
    "dozen": "12",
    "dutzend": "12",
    "half": "0.5",
    "hälfte": "0.5",
}  # fmt: skip

# A word ends where no letter of an alphabet follows; Chinese and Japanese write on without a space.
WORD_END = r"(?![A-Za-z\u00c0-\u024f\u0370-\u052f\u0590-\u08ff\u0900-\u097f²³])"


def _table(rows: tuple[tuple[str, tuple[object, ...]], ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(rf"(?:{pattern}){WORD_END}", re.IGNORECASE) for pattern, _ in rows)


_MAGNITUDE_PATTERNS = _table(_MAGNITUDES)
_UNIT_PATTERNS = _table(_UNITS)
# What may stand before a number: units of money alone.
_MONEY = ("USD", "$", "EUR", "GBP", "CHF", "JPY", "CNY", "¥", "INR", "KRW")
_LONGEST_PREFIX = 6
_PREFIXES = tuple(
    (names, re.compile(rf"(?<![^\W\d_])(?:{pattern})[\s\u00a0\u202f]?$", re.IGNORECASE))
    for pattern, names in _UNITS
    if names[0] in _MONEY
)


def magnitude_at(text: str, position: int) -> tuple[tuple[Decimal, ...], int]:
    """Return by what the word at `position` multiplies (more than one reading where it is not clear), and its end."""
    for (_, powers), pattern in zip(_MAGNITUDES, _MAGNITUDE_PATTERNS, strict=True):
        if found := pattern.match(text, position):
            return tuple(Decimal(10) ** power for power in powers), found.end()
    return (), position


def unit_at(text: str, position: int) -> tuple[tuple[str, ...], int]:
    """Return the unit at `position` (more than one reading where it is not clear), and its end."""
    for (_, names), pattern in zip(_UNITS, _UNIT_PATTERNS, strict=True):
        if found := pattern.match(text, position):
            return names, found.end()
    return (), position


def money_before(text: str, position: int) -> tuple[tuple[str, ...], int]:
    """Return the currency that ends right before `position`, and where it begins."""
    head = text[max(0, position - _LONGEST_PREFIX) : position]
    for names, pattern in _PREFIXES:
        if found := pattern.search(head):
            return names, position - len(head) + found.start()
    return (), position
