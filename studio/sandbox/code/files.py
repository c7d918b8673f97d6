"""The files of a product, from the templates beside this module.

The idea's words reach code as literals in `content.py` alone; elsewhere they stand in comments and in the README, on
one line and without marks that mean something there.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from studio.sandbox import words
from studio.sandbox.code.product import Product
from studio.sandbox.code.speech import say

# In the order of writing: what must hold, then what makes it hold.
TESTS = ("tests/__init__.py", "tests/running.py", "tests/test_store.py", "tests/test_app.py", "Makefile", ".gitignore")
CODE = (
    "store.py",
    "app.py",
    "views.py",
    "pages.py",
    "content.py",
    "static/style.css",
    "static/mark.svg",
    "static/drawing.svg",
    "README.md",
)
# Without one of these there is nothing to run.
NEEDED = (*TESTS[:4], *CODE[:5], "static/drawing.svg")

_OF_A_KIND = ("store.py", "views.py", "tests/test_store.py", "tests/test_app.py")
_NO_COMMENT = re.compile(r"[^\w\s.,:;!?'()&+–-]")
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#~&])")
_LONGEST_COMMENT = 60
_LONGEST_IDEA = 400
# Corners of what lies on a page, and of the picture.
_ROUND, _SHARP = ("14px", "24px"), ("3px", "3px")
# A headline of so many characters keeps its full size.
_FULL_SIZE = 26
_MARKS = (
    '<path d="M7 25V7a18 18 0 0 1 18 18z" fill="{one}"/><circle cx="21" cy="11" r="4" fill="{two}"/>',
    '<circle cx="13" cy="13" r="6" fill="{one}"/><path d="M13 25a12 12 0 0 1 12-12v12z" fill="{two}"/>',
    '<path d="M7 7h8v18H7z" fill="{one}"/><path d="M17 15h8v10h-8z" fill="{two}"/>',
    '<path d="M7 25 16 7l9 18z" fill="{one}"/><circle cx="16" cy="20" r="3.5" fill="{two}"/>',
)


def literal(text: str) -> str:
    """Return a text as a Python literal on one line; what a reader could not see is written as its number."""
    return "".join(map(_seen, json.dumps(text, ensure_ascii=False)))


def _seen(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def comment(text: str) -> str:
    """Return a text for a comment or a docstring: one short line of letters, digits and plain marks."""
    plain = " ".join(_NO_COMMENT.sub(" ", text).split())
    return words.clip_words(plain, _LONGEST_COMMENT).rstrip("…") or "A first version"


def markdown(text: str) -> str:
    """Return a text on one line in which no mark means anything to Markdown."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


@functools.cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=False,  # noqa: S701 - it writes Python and CSS; the product escapes its HTML itself
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    made.filters |= {"literal": literal, "comment": comment, "markdown": markdown}
    return made


def content_of(product: Product, name: str, *, draft: bool = False) -> str:
    """Return a file by its name in the product; a draft of the store lacks one line that its tests ask for."""
    if name == "tests/__init__.py":
        return '"""What must hold."""\n'
    base = name.rsplit("/", 1)[-1].lstrip(".")
    if name == "README.md":
        base = f"README.{product.language}.md"
    folder = product.kind if name in _OF_A_KIND else "common"
    return _templates().get_template(f"{folder}/{base}.jinja").render(_names(product), draft=draft)


def files_of(product: Product, names: Sequence[str]) -> dict[str, str]:
    """Return files by their paths in the workspace, as they are first written; others' are not among them."""
    made = {
        path: content_of(product, name, draft=name == "store.py")
        for name in names
        if (path := product.path(name)) not in product.taken or name == "README.md"
    }
    if names is TESTS and product.root_makefile:
        made["Makefile"] = _templates().get_template("common/root.Makefile.jinja").render(_names(product))
    return made


def _names(product: Product) -> dict[str, object]:
    radius, art_radius = _ROUND if product.rounded else _SHARP
    size = min(1.0, max(0.55, (_FULL_SIZE / max(1, len(product.headline))) ** 0.5))
    return {
        **{one.name: getattr(product, one.name) for one in dataclasses.fields(product)},
        "opening": words.shortened(" ".join(product.idea.split()), _LONGEST_IDEA),
        "starter": say(product.language, f"kind_{product.kind}"),
        "radius": radius,
        "art_radius": art_radius,
        "hero_vw": round(5.6 * size, 1),
        "hero_rem": round(4.2 * size, 2),
        "shapes": _mark(product),
    }


def _mark(product: Product) -> str:
    """Return the shapes of the mark, in the brand's colours, of a form that the name decides."""
    day = product.day
    ground = f'<rect width="32" height="32" rx="{8 if product.rounded else 1}" fill="{day["fill"]}"/>'
    form = _MARKS[sum(map(ord, product.name)) % len(_MARKS)]
    return ground + form.format(one=day["art-1"], two=day["art-2"])
