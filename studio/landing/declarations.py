"""Everything that a page's styles declare, wherever it stands: style sheets, style attributes, drawings' attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree.ElementTree import Element

import tinycss2

from studio.landing.cascade import Substitution
from studio.landing.media import Scheme
from studio.landing.paint import Rgba, color_of
from studio.landing.tree import find, name_of, walk
from studio.landing.vocabulary import words

# The attributes of drawings that are declarations in other clothes (SVG 2, presentation attributes).
_PRESENTATION = words("fill stroke color stop-color flood-color lighting-color")
# Colours put together from custom properties, of which a page has a few; a hostile one has them by the thousand.
_MAX_COMPOSED = 200
_SCHEMES: tuple[Scheme, Scheme] = ("light", "dark")


def colors(root: Element) -> Iterator[Rgba]:
    """Yield every colour that the page declares, also within gradients and custom properties, in no order.

    Whether a declaration ever takes effect is not asked.
    """
    declared = list(_declared(root))
    first: dict[str, tuple[Any, ...]] = {}
    last: dict[str, tuple[Any, ...]] = {}
    for name, value in declared:
        if name.startswith("--"):
            first.setdefault(name, value)
            last[name] = value
    composed: dict[str, Any] = {}
    for _, value in declared:
        yield from _named(value, composed)
    # A property that is set for each scheme has two values.
    for token in list(composed.values())[:_MAX_COMPOSED]:
        for custom in (first, last):
            yield from _named(Substitution(custom).of([token]), {})


def _named(tokens: Iterable[Any], composed: dict[str, Any]) -> Iterator[Rgba]:
    """Yield the colours that tokens name; functions with a `var()` within are kept in `composed`."""
    for token in tokens:
        found = [color for scheme in _SCHEMES if (color := color_of(token, scheme)) is not None]
        yield from found
        if token.type == "function" and not found:
            if any(part.type == "function" and part.lower_name == "var" for part in token.arguments):
                composed.setdefault(token.serialize(), token)
            yield from _named(token.arguments, composed)


def _declared(root: Element) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for node in walk(root):
        yield from _pairs(tinycss2.parse_declaration_list(node.get("style", "")))
        if name_of(node).startswith("svg:"):
            for name in _PRESENTATION & node.attrib.keys():
                yield name, _solid(tinycss2.parse_component_value_list(node.attrib[name]))
    for style in find(root, "style"):
        yield from _pairs(tinycss2.parse_stylesheet(style.text or ""))


def _pairs(nodes: Iterable[Any]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for node in nodes:
        if node.type == "declaration":
            yield (node.name if node.name.startswith("--") else node.lower_name), _solid(node.value)
        elif node.type in ("qualified-rule", "at-rule") and node.content is not None:
            yield from _pairs(tinycss2.parse_blocks_contents(node.content))


def _solid(tokens: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(token for token in tokens if token.type not in ("whitespace", "comment"))
