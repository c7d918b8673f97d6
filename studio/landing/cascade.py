"""What colour and typeface an element has and what stands behind it, by a page's own styles and a browser's rules.

Only what can be known is said: type, class and structure selectors, custom properties, media queries for colour
schemes and widths, solid colours and gradients. Where a ground depends on a picture, on blending or on where
something is placed, it is unknown, and nobody judges it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

import cssselect2
import tinycss2

from studio.landing import media, typefaces
from studio.landing.media import Scheme
from studio.landing.paint import BLACK, WHITE, Rgba, color_of
from studio.landing.problems import DocumentRefused, Problem
from studio.landing.tree import find, is_element, name_of, walk
from studio.landing.vocabulary import words

# A colour is some tokens long; a custom property that names itself would go on for ever.
_MAX_SUBSTITUTIONS = 400
# Rules times elements: what a page of ordinary size stays far below, and what takes seconds to match.
_MAX_MATCHES = 2_000_000

# Properties that colours and typefaces depend on; some of them make a ground unknown.
_WANTED = words(
    "color background background-color background-image display position mix-blend-mode opacity "
    "background-clip -webkit-background-clip -webkit-text-fill-color filter visibility font font-family"
)
# `:lang()`, `:nth-child(2n+)` and the like: the compiler of selectors fails on some that are none, each in another way.
_UNREADABLE = (
    cssselect2.SelectorError,
    *(SyntaxError, AttributeError, TypeError, ValueError, LookupError, RecursionError, MemoryError),
)
_LENGTHS = frozenset({"calc", "min", "max", "clamp"})
_INHERITED = frozenset({"color", "visibility", "font-family"})
# The longhands that a shorthand takes back.
_TAKES_BACK = {"background": ("background-color", "background-image"), "font": ("font-family",)}


@dataclass(frozen=True)
class Look:
    """How an element's text looks: its colour and every colour that may stand behind it; empty where unknown.

    `family` is the first typeface it asks for, in lower case; empty where it asks for none.
    """

    color: Rgba | None
    grounds: tuple[Rgba, ...]
    shown: bool = True
    family: str = ""


class _Rule(NamedTuple):
    declarations: tuple[tuple[str, tuple[Any, ...], bool], ...]


def has_dark_scheme(root: Element) -> bool:
    """Return whether the page's styles look at the visitor's colour scheme."""
    return any("prefers-color-scheme" in (node.text or "") for node in find(root, "style"))


def looks(root: Element, scheme: Scheme) -> dict[Element, Look]:
    """Return how each HTML element of the page looks in the given colour scheme.

    Raises `DocumentRefused` where there are too many rules to tell.
    """
    matcher = cssselect2.Matcher()
    rules = 0
    for style in find(root, "style"):
        sheet = tinycss2.parse_stylesheet(style.text or "", skip_comments=True, skip_whitespace=True)
        for rule in _rules(sheet, scheme):
            rules += _add(matcher, rule)
    if rules * sum(1 for _ in walk(root)) > _MAX_MATCHES:
        raise DocumentRefused([Problem("size", f"The page has {rules:,} style rules, too many to be measured.")])
    found: dict[Element, Look] = {}
    canvas = BLACK if scheme == "dark" and _follows_scheme(root) else WHITE
    start = _Style({"color": _text("black")}, {})
    _descend(cssselect2.ElementWrapper.from_html_root(root), matcher, start, Look(BLACK, (canvas,)), scheme, found)
    return found


class _Style(NamedTuple):
    values: Mapping[str, tuple[Any, ...]]
    custom: Mapping[str, tuple[Any, ...]]


def _descend(
    wrapper: Any, matcher: Any, above: _Style, behind: Look, scheme: Scheme, found: dict[Element, Look]
) -> None:
    element: Element = wrapper.etree_element
    if not is_element(element) or name_of(element).startswith("svg:"):
        return
    style = _computed(wrapper, matcher, above)
    family = typefaces.first(style.values.get("font-family", ()))
    look = replace(_look(style, behind, scheme), family=family)
    found[element] = look
    for child in wrapper.iter_children():
        _descend(child, matcher, style, look, scheme, found)


def _computed(wrapper: Any, matcher: Any, above: _Style) -> _Style:
    own: dict[str, tuple[Any, ...]] = {}
    strong: dict[str, tuple[Any, ...]] = {}
    matches = [payload for _, _, pseudo, payload in matcher.match(wrapper) if pseudo is None]
    inline = tinycss2.parse_declaration_list(wrapper.etree_element.get("style", ""))
    for rule in [*matches, _Rule(tuple(_declared(inline)))]:
        for name, value, important in rule.declarations:
            (strong if important else own)[name] = value
    own |= strong
    custom = {**above.custom, **{name: value for name, value in own.items() if name.startswith("--")}}
    values = {name: value for name, value in above.values.items() if name in _INHERITED}
    for name, value in own.items():
        if not name.startswith("--"):
            values[name] = tuple(Substitution(custom).of(value))
    family = values["font-family"] if "font-family" in own else ()
    inherited = above.values.get("font-family", ())
    values["font-family"] = typefaces.computed(family, values.pop("font", ()), inherited)
    return _Style(values, custom)


def _look(style: _Style, behind: Look, scheme: Scheme) -> Look:
    word = {name: _word(style.values.get(name, ())) for name in ("display", "visibility", "position")}
    shown = behind.shown and word["display"] != "none" and word["visibility"] != "hidden"
    color = _color(style.values.get("color", ()), scheme, behind.color)
    clipped = any(name in style.values for name in ("background-clip", "-webkit-background-clip"))
    if clipped or "-webkit-text-fill-color" in style.values or "mix-blend-mode" in style.values:
        return Look(None, (), shown)
    if "filter" in style.values or _word(style.values.get("opacity", ())) not in ("", "1"):
        return Look(color, (), shown)
    # What is lifted out of the flow may lie on anything.
    grounds = () if word["position"] in ("absolute", "fixed") else behind.grounds
    return Look(color, _grounds(style, grounds, color, scheme), shown)


def _grounds(style: _Style, behind: tuple[Rgba, ...], color: Rgba | None, scheme: Scheme) -> tuple[Rgba, ...]:
    base: Rgba | None = None
    stops: list[Rgba] = []
    for token in [*style.values.get("background", ()), *style.values.get("background-image", ())]:
        if token.type == "function" and token.lower_name.endswith("-gradient"):
            seen = list(_colors(token.arguments, color, scheme))
            stops += [stop for stop in seen if stop is not None]
            if None in seen:
                return ()
        elif (found := color_of(token, scheme, color)) is not None:
            base = found
        elif token.type == "url" or (token.type == "function" and token.lower_name not in _LENGTHS):
            return ()
    for token in style.values.get("background-color", ()):
        base = color_of(token, scheme, color)
        if base is None:
            return ()
    if base is not None and base.alpha > 0:
        behind = (base,) if base.alpha >= 1 else tuple(base.over(ground) for ground in behind)
    if not stops:
        return behind
    if all(stop.alpha >= 1 for stop in stops):
        return tuple(dict.fromkeys(stops))
    return tuple(dict.fromkeys(stop.over(ground) for stop in stops for ground in behind))


def _colors(tokens: Iterable[Any], current: Rgba | None, scheme: Scheme) -> Iterator[Rgba | None]:
    for token in tokens:
        found = color_of(token, scheme, current)
        if found is not None:
            yield found
        elif token.type == "function" and token.lower_name not in _LENGTHS:
            yield None


# --- declarations


def _declared(nodes: Iterable[Any]) -> Iterator[tuple[str, tuple[Any, ...], bool]]:
    for node in nodes:
        if node.type == "declaration" and (node.lower_name in _WANTED or node.name.startswith("--")):
            value = tuple(token for token in node.value if token.type not in ("whitespace", "comment"))
            name = node.name if node.name.startswith("--") else node.lower_name
            if name == "font" and typefaces.is_void(value):
                continue
            yield name, value, node.important
            for longhand in _TAKES_BACK.get(name, ()):
                yield longhand, (), node.important


class Substitution:
    """Puts the values of custom properties in their places. Each may name others, so there is a limit to the work."""

    def __init__(self, custom: Mapping[str, tuple[Any, ...]]) -> None:
        self._custom = custom
        self._left = _MAX_SUBSTITUTIONS

    def of(self, tokens: Iterable[Any]) -> Iterator[Any]:
        """Yield the tokens with every `var()` replaced; what lies beyond the limit is left out."""
        for token in tokens:
            self._left -= 1
            if self._left < 0:
                return
            if token.type == "function" and token.lower_name == "var":
                arguments = [part for part in token.arguments if part.type not in ("whitespace", "comment")]
                name = arguments[0].value if arguments and arguments[0].type == "ident" else ""
                yield from self.of(self._custom.get(name, tuple(arguments[2:])))
            elif token.type == "function":
                inner = list(self.of(token.arguments))
                yield tinycss2.ast.FunctionBlock(token.source_line, token.source_column, token.name, inner)
            else:
                yield token


def _word(tokens: Iterable[Any]) -> str:
    for token in tokens:
        if token.type == "ident":
            return str(token.lower_value)
        if token.type == "number":
            return f"{token.value:g}"
    return ""


def _color(tokens: Iterable[Any], scheme: Scheme, inherited: Rgba | None) -> Rgba | None:
    found = list(tokens)
    if not found or (found[0].type == "ident" and found[0].lower_value in ("inherit", "currentcolor", "unset")):
        return inherited
    return color_of(found[0], scheme, inherited)


def _text(color: str) -> tuple[Any, ...]:
    return (tinycss2.parse_one_component_value(color),)


# --- rules


def _rules(nodes: Iterable[Any], scheme: Scheme) -> Iterator[Any]:
    for node in nodes:
        if node.type == "qualified-rule":
            yield node
        elif node.type == "at-rule" and node.content is not None and media.applies(node, scheme):
            yield from _rules(tinycss2.parse_rule_list(node.content, skip_comments=True, skip_whitespace=True), scheme)


def _add(matcher: Any, rule: Any) -> int:
    """Add the rule's selectors to those that are matched; return how many these are."""
    nodes = tinycss2.parse_blocks_contents(rule.content, skip_comments=True, skip_whitespace=True)
    payload = _Rule(tuple(_declared(nodes)))
    if not payload.declarations:
        return 0
    try:
        selectors = cssselect2.compile_selector_list(rule.prelude)
    except _UNREADABLE:
        return 0
    for selector in selectors:
        matcher.add_selector(selector, payload)
    return len(selectors)


def _follows_scheme(root: Element) -> bool:
    metas = [node.get("content", "") for node in find(root, "meta") if node.get("name", "").lower() == "color-scheme"]
    sheets = "".join(node.text or "" for node in find(root, "style"))
    return any("dark" in content for content in metas) or bool(re.search(r"color-scheme\s*:[^;}]*dark", sheets))
