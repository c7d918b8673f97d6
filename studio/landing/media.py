"""Which at-rules of a style sheet hold: colour schemes and widths of one window; what cannot be told does not."""

from __future__ import annotations

import re
from typing import Any, Literal

import tinycss2

Scheme = Literal["light", "dark"]

# The window that width queries are answered for.
WIDTH = 1280


def applies(node: Any, scheme: Scheme) -> bool:
    """Return whether the rules in an at-rule hold on a screen of `WIDTH` in the given scheme; where unsure, not."""
    if node.lower_at_keyword in ("supports", "layer"):
        return True
    if node.lower_at_keyword != "media":
        return False
    return any(_holds(query, scheme) for query in tinycss2.serialize(node.prelude).lower().split(","))


def _holds(query: str, scheme: Scheme) -> bool:
    if "print" in query or re.search(r"\bnot\b", query):
        return False
    for feature in re.findall(r"\(([^()]*)\)", query):
        name, _, value = (part.strip() for part in feature.partition(":"))
        if name == "prefers-color-scheme" and value != scheme:
            return False
        pixels = _pixels(value)
        if name == "min-width" and (pixels is None or pixels > WIDTH):
            return False
        if name == "max-width" and (pixels is None or pixels < WIDTH):
            return False
        if name not in ("prefers-color-scheme", "min-width", "max-width"):
            return False
    return True


def _pixels(text: str) -> float | None:
    # Only what CSS calls a number: ".px" and "1..px" are none, and a query that cannot be read is not judged.
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(px|em|rem)", text)
    if found is None:
        return None
    return float(found.group(1)) * (1 if found.group(2) == "px" else 16)
