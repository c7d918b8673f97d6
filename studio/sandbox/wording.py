"""The sentences around the project's words, in English and German.

Frames quote what they carry, so that no phrase of the founder's has to be bent into a grammar it does not fit.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from studio.sandbox import words
from studio.sandbox.words import Language

NOT_MEASURED = "not measured: no retrieved passage gives a figure"
PRICE_NOT_FOUND = "not found"

# A quotation longer than this stops being a reminder and becomes the text itself.
QUOTE_LIMIT = 170

# A file for each kind of reader, because sentences are read and mended as texts.
_FOLDER = Path(__file__).parent / "phrases"


def read(folder: Path = _FOLDER) -> dict[str, dict[Language, str]]:
    """Return the sentences of all files in `folder` by their keys.

    Raises `ValueError` where two files have one of the same key.
    """
    found: dict[str, dict[Language, str]] = {}
    for path in sorted(folder.glob("*.toml")):
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        if twice := sorted(told.keys() & found.keys()):
            raise ValueError(f"{path.name} repeats the sentences {', '.join(twice)} of another file; keep one of each.")
        found |= {key: {"en": both["en"], "de": both["de"]} for key, both in told.items()}
    return found


PHRASES = read()


def say(language: Language, key: str, **parts: str) -> str:
    """Return the sentence `key` in `language` with its parts filled in."""
    return PHRASES[key][language].format(**parts)


def quoted(text: str, language: Language, limit: int = QUOTE_LIMIT) -> str:
    """Return `text` in the language's quotation marks, on one line, clipped to `limit` characters."""
    inner = " ".join(text.split()).strip()
    inner = re.sub(r"[\"“”„]", "’" if language == "en" else "‚", inner)
    inner = words.clip_words(inner, limit)
    return f"„{inner}“" if language == "de" else f"“{inner}”"


def quoted_sentence(text: str, language: Language, limit: int = QUOTE_LIMIT) -> str:
    """Return `text` as a quotation that may end a sentence: a full stop goes in where none stands."""
    return quoted(words.sentence_case(words.clip_words(" ".join(text.split()), limit)), language, limit + 1)


def listed(items: list[str], language: Language) -> str:
    """Return "A", "A and B" or "A, B and C"."""
    joint = " und " if language == "de" else " and "
    return joint.join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)
