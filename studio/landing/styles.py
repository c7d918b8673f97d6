"""Style sheets that fetch nothing: each is parsed, what is not listed is left out, and the rest is written anew."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any

import tinycss2

from studio.landing.problems import Problem
from studio.landing.vocabulary import AT_RULES, FRAGMENT, FUNCTIONS, IMAGE_DATA, PROPERTIES_REFUSED, words

# Nested rules within nested rules: nobody reads them, and parsers have limits.
_MAX_NESTING = 12
_SHEETS_KEPT = 8
_TOO_DEEP = Problem("unsafe", "A style nests too deep to be read; it was left out.")
# Functions of selectors, and of the conditions of `@media`, `@supports` and `@container`.
_SELECTOR_FUNCTIONS = words(
    "not is where has nth-child nth-last-child nth-of-type nth-last-of-type lang dir state style scroll- state selector"
)


def clean_sheet(text: str) -> tuple[str, list[Problem]]:
    """Return the style sheet without whatever could load, run or confuse, and what was left out."""
    kept, problems = _cleaned(text)
    return kept, list(problems)


# A page is cleaned until it is at rest and once more to be judged, mostly with the same sheet.
@functools.lru_cache(maxsize=_SHEETS_KEPT)
def _cleaned(text: str) -> tuple[str, tuple[Problem, ...]]:
    problems: list[Problem] = []
    try:
        kept = list(_rules(tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True), problems, 0))
    except RecursionError:
        return "", (_TOO_DEEP,)
    return _closed("\n".join(kept), problems), tuple(problems)


def clean_attribute(text: str) -> tuple[str, list[Problem]]:
    """Return the declarations of a `style` attribute, cleaned as `clean_sheet` does, and what was left out."""
    problems: list[Problem] = []
    try:
        parsed = tinycss2.parse_declaration_list(text, skip_comments=True, skip_whitespace=True)
        return "; ".join(_declarations(parsed, problems)), problems
    except RecursionError:
        return "", [_TOO_DEEP]


def reference_problem(value: str) -> str:
    """Return why a text within `url()` may not stand there, or an empty string."""
    text = value.strip()
    if IMAGE_DATA.fullmatch(text) or FRAGMENT.fullmatch(text):
        return ""
    return f"The page refers to {_short(text)}; a self-contained page loads nothing."


def _closed(text: str, problems: list[Problem]) -> str:
    # In HTML a style sheet ends at the first "</style", wherever that stands, and "<!--" opens an older trap.
    if "</" not in text and "<!" not in text:
        return text
    problems.append(Problem("unsafe", "A style sheet holds markup; it was left out."))
    return ""


def _rules(nodes: Iterable[Any], problems: list[Problem], depth: int) -> Iterator[str]:
    for node in nodes:
        if node.type == "qualified-rule":
            yield from _qualified(node, problems, depth)
        elif node.type == "at-rule":
            yield from _at_rule(node, problems, depth)
        elif node.type == "error":
            problems.append(Problem("structure", f"A style sheet has a part that is no CSS: {node.message}."))


def _qualified(node: Any, problems: list[Problem], depth: int) -> Iterator[str]:
    if depth > _MAX_NESTING or not _harmless(node.prelude, problems, _SELECTOR_FUNCTIONS):
        return
    body = "; ".join(_block(node.content, problems, depth + 1))
    if body:
        yield f"{tinycss2.serialize(node.prelude).strip()} {{ {body} }}"


def _at_rule(node: Any, problems: list[Problem], depth: int) -> Iterator[str]:
    name = node.lower_at_keyword
    if name == "charset":
        return
    if name not in AT_RULES:
        problems.append(Problem("unsafe", f"A style sheet uses @{_short(name)}, which a self-contained page may not."))
        return
    if depth > _MAX_NESTING or not _harmless(node.prelude, problems, _SELECTOR_FUNCTIONS | FUNCTIONS):
        return
    prelude = tinycss2.serialize(node.prelude).strip()
    head = f"@{name} {prelude}".strip()
    if node.content is None:
        yield f"{head};"
    elif name == "property":
        yield f"{head} {{ {'; '.join(_block(node.content, problems, depth + 1))} }}"
    else:
        # Within a style rule a condition holds declarations, elsewhere rules: `_block` reads both.
        yield f"{head} {{ {' '.join(_conditional(node.content, problems, depth + 1))} }}"


def _conditional(content: Any, problems: list[Problem], depth: int) -> Iterator[str]:
    for part in _block(content, problems, depth):
        yield part if part.endswith(("}", ";")) else f"{part};"


def _block(content: Any, problems: list[Problem], depth: int) -> Iterator[str]:
    nodes = tinycss2.parse_blocks_contents(content, skip_comments=True, skip_whitespace=True)
    for node in nodes:
        if node.type == "declaration":
            yield from _declarations([node], problems)
        else:
            yield from _rules([node], problems, depth)


def _declarations(nodes: Iterable[Any], problems: list[Problem]) -> Iterator[str]:
    for node in nodes:
        if node.type == "error":
            problems.append(Problem("structure", f"A style has a part that is no CSS: {node.message}."))
        if node.type != "declaration":
            continue
        if node.lower_name in PROPERTIES_REFUSED:
            problems.append(Problem("unsafe", f"A style sets {node.lower_name}, which a page may not."))
        elif _harmless(node.value, problems, FUNCTIONS):
            important = " !important" if node.important else ""
            yield f"{node.name}: {tinycss2.serialize(node.value).strip()}{important}"


def _harmless(nodes: Iterable[Any] | None, problems: list[Problem], functions: frozenset[str]) -> bool:
    """Return whether a value or a prelude holds only listed functions and references into this very page."""
    for node in nodes or ():
        if node.type == "error":
            problems.append(Problem("structure", f"A style has a part that is no CSS: {node.message}."))
            return False
        if node.type == "url":
            if why := reference_problem(node.value):
                problems.append(Problem("unsafe", why))
                return False
        elif node.type == "function":
            if node.lower_name == "url":
                target = "".join(part.value for part in node.arguments if part.type == "string")
                why = reference_problem(target) or _plain_string(node.arguments)
                if why:
                    problems.append(Problem("unsafe", why))
                    return False
            elif node.lower_name not in functions:
                problems.append(Problem("unsafe", f"A style uses {_short(node.name)}(), which a page may not."))
                return False
            elif not _harmless(node.arguments, problems, functions):
                return False
        elif node.type in ("() block", "[] block", "{} block") and not _harmless(node.content, problems, functions):
            return False
    return True


def _plain_string(arguments: Iterable[Any]) -> str:
    odd = any(part.type not in ("string", "whitespace") for part in arguments)
    return "The page refers to an address that is put together in its style sheet." if odd else ""


def _short(text: str) -> str:
    return f"{text[:60]}…" if len(text) > 60 else text
