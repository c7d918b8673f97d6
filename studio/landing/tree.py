"""A page as a tree: parsed as browsers parse it, within bounds, and written out again in one strict form.

What is stored is what `serialise` writes, never what the model wrote.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
from html5lib._tokenizer import HTMLTokenizer
from html5lib.treebuilders import getTreeBuilder

from studio.landing.problems import DocumentRefused, Problem
from studio.landing.vocabulary import HTML, SVG, VOID
from studio.text import storable

# 400 KB is a hundred times the text of a page; what is larger carries pictures or repeats itself.
MAX_BYTES = 400_000
# Misnested formatting elements multiply when they are parsed; a real page has some hundred elements.
MAX_ELEMENTS = 20_000
MAX_DEPTH = 120
MAX_ATTRIBUTES = 120

_DOCTYPE = re.compile(r"\s*<!doctype\s+html\s*>", re.IGNORECASE)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")


class _OutOfBounds(Exception):
    pass


_Etree: Any = getTreeBuilder("etree")


class _BoundedTokenizer(HTMLTokenizer):  # type: ignore[misc]
    """html5lib's tokenizer, which compares every attribute of a tag with all before it."""

    def attributeNameState(self) -> Any:  # noqa: N802 - html5lib's name
        if len(self.currentToken["data"]) > MAX_ATTRIBUTES:
            raise _OutOfBounds
        return super().attributeNameState()


class _BoundedParser(html5lib.HTMLParser):  # type: ignore[misc]
    """html5lib's parser over that tokenizer."""

    def _parse(self, stream: Any, *_: Any, **__: Any) -> None:
        self.innerHTMLMode, self.container, self.scripting = False, None, False
        self.tokenizer = _BoundedTokenizer(stream, parser=self)
        self.reset()
        self.mainLoop()


class _BoundedBuilder(_Etree):  # type: ignore[misc]
    """html5lib's tree builder, which stops where a document grows beyond all measure while it is parsed."""

    def reset(self) -> None:
        self.made = 0
        super().reset()

    def _count(self) -> None:
        self.made += 1
        if self.made > MAX_ELEMENTS or len(self.openElements) > MAX_DEPTH:
            raise _OutOfBounds

    def createElement(self, token: Any) -> Any:  # noqa: N802 - html5lib's name
        self._count()
        return super().createElement(token)

    def insertElementNormal(self, token: Any) -> Any:  # noqa: N802 - html5lib's name
        self._count()
        return super().insertElementNormal(token)


def has_doctype(source: str) -> bool:
    """Return whether the text starts as an HTML document does."""
    return _DOCTYPE.match(source) is not None


def parse(source: str) -> Element:
    """Return the root of the document `source`. Raises `DocumentRefused` beyond the bounds."""
    if len(source.encode("utf-8", "replace")) > MAX_BYTES:
        raise DocumentRefused([Problem("size", f"The page is larger than {MAX_BYTES // 1000} KB.")])
    try:
        root: Element = _BoundedParser(tree=_BoundedBuilder).parse(storable(source))
    except _OutOfBounds:
        raise DocumentRefused(
            [
                Problem(
                    "size",
                    f"The page has more than {MAX_ELEMENTS:,} elements, nests more than {MAX_DEPTH} of them, or gives"
                    f" one more than {MAX_ATTRIBUTES} attributes.",
                )
            ]
        ) from None
    return root


# --- reading a tree


def is_element(node: Element) -> bool:
    """Return whether `node` is an element, and no comment."""
    return isinstance(node.tag, str)


def split(node: Element) -> tuple[str, str]:
    """Return an element's namespace and local name."""
    namespace, _, name = node.tag[1:].rpartition("}")
    return namespace, name


def name_of(node: Element) -> str:
    """Return the local name of an HTML element, `svg:name` for one of SVG, and `?` for anything else."""
    if not is_element(node):
        return "?"
    namespace, name = split(node)
    return name if namespace == HTML else f"svg:{name}" if namespace == SVG else "?"


def walk(root: Element) -> Iterator[Element]:
    """Yield all elements below and including `root`, in the order of the document."""
    return (node for node in root.iter() if is_element(node))


def find(root: Element, *names: str) -> list[Element]:
    """Return the elements that `name_of` calls by one of `names`, in the order of the document."""
    return [node for node in walk(root) if name_of(node) in names]


def parents(root: Element) -> dict[Element, Element]:
    """Return each element's parent."""
    return {child: parent for parent in walk(root) for child in parent}


def text_of(node: Element) -> str:
    """Return the text that an element shows, with single spaces; styles and titles of pictures are none."""
    return squeeze("".join(_texts(node)))


def _texts(node: Element) -> Iterator[str]:
    if not is_element(node) or name_of(node) in ("style", "svg:title", "svg:desc", "svg:defs"):
        return
    yield node.text or ""
    for child in node:
        block = name_of(child) not in ("a", "span", "strong", "em", "b", "i", "small", "mark", "abbr", "svg:tspan")
        yield " " if block and name_of(child) != "wbr" else ""
        yield from _texts(child)
        yield " " if block and name_of(child) != "wbr" else ""
        yield child.tail or ""


def squeeze(text: str) -> str:
    """Return `text` without soft hyphens and the like, every run of white space as one space."""
    return " ".join(_INVISIBLE.sub("", text).split())


# --- writing


def append_text(parent: Element, text: str | None) -> None:
    """Add text after what `parent` holds so far."""
    if not text:
        return
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text


def serialise(root: Element) -> str:
    """Return the document as text: doctype first, attributes quoted, nothing left to a parser's goodwill."""
    # No newline at the end: a parser would take it into the body.
    return "<!doctype html>\n" + "".join(_pieces(root))


def _pieces(node: Element) -> Iterator[str]:
    namespace, name = split(node)
    yield f"<{name}"
    for key, value in node.attrib.items():
        yield f' {key}="{_attribute(value)}"'
    yield ">"
    if namespace == HTML and name in VOID:
        return
    if namespace == HTML and name == "style":
        # Raw text: `styles` has made sure that nothing in it looks like a tag.
        yield node.text or ""
    else:
        if name == "textarea" and (node.text or "").startswith("\n"):
            yield "\n"
        yield _text(node.text)
        for child in node:
            yield from _pieces(child)
            yield _text(child.tail)
    yield f"</{name}>"


def _text(text: str | None) -> str:
    return html.escape(text or "", quote=False)


def _attribute(value: str) -> str:
    # "<" and ">" as well: an attribute that ends up as text must not become a tag.
    return html.escape(value, quote=True)
