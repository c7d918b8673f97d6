"""The code agent's sentences, and those of the products it writes, in English and German.

They have a folder of their own: what a page says that an agent wrote must not slip into an answer about an idea.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from studio.sandbox.words import Language

_FOLDER = Path(__file__).parent / "phrases"

Sentences = dict[str, dict[Language, str]]


def read(name: str) -> Sentences:
    """Return the sentences of one file by their keys."""
    told = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    return {key: {"en": both["en"], "de": both["de"]} for key, both in told.items()}


AGENT = read("agent")
COMMON = read("product")
KINDS: dict[str, Sentences] = {name: read(name) for name in ("booking", "catalogue", "tracker")}


def say(language: Language, key: str, **parts: object) -> str:
    """Return the agent's sentence `key` with its parts filled in."""
    return AGENT[key][language].format(**parts)


def product_text(language: Language, kind: str) -> dict[str, str]:
    """Return everything that a product of this kind says, by key."""
    return {key: both[language] for key, both in {**COMMON, **KINDS[kind]}.items()}
