"""In which language and script a text is written: enough to say whether two texts can be compared word by word."""

from __future__ import annotations

import re
from collections import Counter

_SCRIPTS = (
    ("ja", re.compile("[぀-ヿ]")),
    ("ko", re.compile("[가-힯ᄀ-ᇿ]")),
    ("zh", re.compile("[一-鿿㐀-䶿]")),
    ("ar", re.compile("[\u0600-\u06ff\u0750-\u077f]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("ru", re.compile("[Ѐ-ӿ]")),
    ("el", re.compile("[Ͱ-Ͽ]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
)
# Words that carry no matter and are those of one language alone, or nearly. What several have ("de", "in") stands with
# each of them, lest it speak for one.
_MARKERS = {
    "en": "the of and to is are for with that this which how what from by on as at it was were have has not about in",
    "de": "der die das und ist sind für mit nicht ein eine einen den dem des wie was welche von zu auf im in es wird"
    " werden auch bei nach über",
    "fr": "le la les et est sont pour avec dans une des du qui que quelles quel sur par au aux pas ce cette de en",
    "es": "el la los las y es son para con en una del que por cuáles qué se como más este esta de",
    "it": "il lo la le in gli e è sono per con nel una della dei che di quali come più questo questa",
    "pt": "o os as e é são para com em uma do da dos das que por quais como mais este esta não de",
    "nl": "de het een en is in zijn voor met niet van op te wat welke hoe naar ook bij door",
    "sv": "och att det som en på är av för med den till inte om ett har de var från",
    "da": "og at det som en på er af for med den til ikke om et har de var fra der",
    "nb": "og at det som en på er av for med den til ikke om et har de var fra",
    "fi": "ja on ei että se oli ovat mutta myös kuin tai joka hän sen",
    "pl": "i w z na do nie się jest że o dla od po jak to są oraz przez",
    "cs": "v na se je že s z do o i pro jako by jsou od po to",
    "hu": "az és hogy nem egy ez is van volt meg de csak",
    "ro": "și în de la cu pe o este care un din nu pentru sunt mai",
    "tr": "ve bir bu da de için ile çok olarak en o ne gibi",
}
_WORDS = {language: frozenset(words.split()) for language, words in _MARKERS.items()}
_WORD = re.compile(r"[^\W\d_]+")
# Beyond this a text says nothing new about its language.
_LOOKED_AT = 4000
_SHARE = 0.3
# So many words more than any other language's show for sure which one it is: one or two may be a name's, as in "Los
# Angeles".
CLEAR = 2
TAG = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")


def primary(tag: str) -> str:
    """Return the language of a BCP 47 tag, without script and country."""
    return tag.partition("-")[0].lower()


def script_language(text: str) -> str | None:
    """Return the language that stands for the script of `text`, None for the Latin one and for a text of none.

    A script counts from three letters in ten; Japanese is told by its own letters among Chinese ones.
    """
    shown = text[:_LOOKED_AT]
    letters = sum(char.isalpha() for char in shown)
    if not letters:
        return None
    counts = {language: len(pattern.findall(shown)) for language, pattern in _SCRIPTS}
    if counts["ja"]:
        counts["ja"] += counts["zh"]
    language, count = max(counts.items(), key=lambda entry: entry[1])
    return language if count >= _SHARE * letters else None


def language_of(text: str, lead: int = 1) -> str | None:
    """Return the language of `text` as far as script and small words tell, None where they do not.

    `lead` is how many small words it has to have more than any other language.
    """
    if (found := script_language(text)) is not None:
        return found
    words = [word.lower() for word in _WORD.findall(text[:_LOOKED_AT])]
    counts = Counter({language: sum(word in known for word in words) for language, known in _WORDS.items()})
    (first, most), (_, second) = counts.most_common(2)
    return first if most - second >= lead else None


def checked_tag(named: str, text: str) -> str:
    """Return the BCP 47 tag of the language of `text`: the named one, unless it is none or its script is another."""
    found = language_of(text)
    if TAG.fullmatch(named) is None:
        return found or "en"
    script = script_language(text)
    return script if script is not None and script_language_of(named) != _group(script) else named


def script_language_of(tag: str) -> str | None:
    """Return the group of scripts in which a language is written, as `_group` names it."""
    return _group(primary(tag)) if primary(tag) in _GROUPS else None


# Languages that share a script with the one that stands for it.
_GROUPS = {
    **dict.fromkeys(("ar", "fa", "ur", "ps", "ckb", "sd", "ug"), "ar"),
    **dict.fromkeys(("he", "yi"), "he"),
    **dict.fromkeys(("ru", "uk", "bg", "sr", "mk", "be", "kk", "ky", "mn", "tg"), "ru"),
    **dict.fromkeys(("hi", "mr", "ne", "sa"), "hi"),
    **dict.fromkeys(("ja", "zh", "yue"), "zh"),
    "ko": "ko",
    "el": "el",
    "th": "th",
}


def _group(language: str) -> str:
    return _GROUPS.get(language, language)
