"""The landing page as a document: what is wrong with it, and the safe, complete form in which it is stored.

`check` reads any text and says everything that is wrong with it. `prepare` makes of it what may be served: the tree is
reduced to an allow-list, the waitlist form is filled in by our own code, and the page is written anew from that very
tree, so that what was checked is what visitors get. The page needs nothing from anywhere and runs no script; it is
made to be served under `CONTENT_SECURITY_POLICY`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from uuid import UUID
from xml.etree.ElementTree import Element

from studio.brand import Brand
from studio.landing import form, likeness, measures
from studio.landing.form import WAITLIST_ACTION, consent_text
from studio.landing.problems import DocumentRefused, Problem, unique
from studio.landing.sanitize import Sanitizer
from studio.landing.tree import find, has_doctype, parse, serialise, text_of
from studio.landing.vocabulary import HTML, META_PROPERTIES
from studio.packets.phase1 import LandingCopy

__all__ = ["CONTENT_SECURITY_POLICY", "WAITLIST_ACTION", "check", "consent_text", "language_of", "prepare"]

# About so much of it is shown.
TITLE_CHARS = 70
_BETWEEN_PARTS = re.compile(r"\s+[–—|·-]\s+|:\s+")
# A page settles at the second writing, one with misplaced parts at the third.
MAX_ROUNDS = 6
_RESTLESS = Problem("unsafe", "The page turns into another one each time a browser parses it.")

# The least a prepared page needs; whoever serves it sends at most this.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'self'; sandbox allow-forms"
)


def check(
    source: str, copy: LandingCopy | None = None, known: Iterable[str] = (), brand: Brand | None = None
) -> list[Problem]:
    """Return everything that is wrong with the page `source`; an empty list for one that may be published.

    With `copy` the page has to say all of it, and no figure or address beyond it and the `known` texts; with `brand` it
    has to be drawn in that brand's colours and fonts. Any text is accepted; what is no page at all has one problem that
    says so.
    """
    try:
        return unique(_found(source, copy, known, brand))
    except DocumentRefused as exc:
        return list(exc.problems)


def _found(source: str, copy: LandingCopy | None, known: Iterable[str], brand: Brand | None) -> list[Problem]:
    root = parse(source)
    found: list[Problem] = []
    if not has_doctype(source):
        found.append(Problem("structure", "The document does not start with <!doctype html>."))
    sanitizer = Sanitizer()
    clean = sanitizer.clean(root)
    found += sanitizer.problems
    found += form.problems_of(clean)
    found += measures.structure(clean)
    found += measures.access(clean)
    found += measures.contrasts(clean)
    if copy is not None:
        found += measures.missing(clean, copy)
        found += measures.invented(clean, [*known, copy.model_dump_json()])
    if brand is not None:
        found += likeness.off_brand(clean, brand)
    return found


def prepare(source: str, *, project_id: UUID, consent: str, action: str = WAITLIST_ACTION) -> str:
    """Return the page as it may be stored and served, its waitlist form filled in for the project.

    The same source and arguments give the same bytes. Raises `DocumentRefused` where the page has no usable form, is
    too large, or would become another page when it is parsed again.
    """
    root = _at_rest(source)
    form.fill(root, project_id=project_id, action=action, consent=consent, language=root.get("lang", ""))
    written = serialise(root)
    if serialise(_at_rest(written)) != written:
        raise DocumentRefused([_RESTLESS])
    return written


def language_of(source: str) -> str:
    """Return the language that a page says it is in, an empty string where it says none."""
    return parse(source).get("lang", "").strip()


def _at_rest(source: str) -> Element:
    """Return the cleaned tree of a page that a browser parses to that very tree.

    Parsers move what stands where it may not, so cleaning and writing are repeated until nothing moves any more.
    """
    text = source
    for _ in range(MAX_ROUNDS):
        sanitizer = Sanitizer()
        root = sanitizer.clean(parse(text))
        _complete_head(root)
        written = serialise(root)
        if written == text and not sanitizer.problems:
            return root
        text = written
    raise DocumentRefused([_RESTLESS])


def short_title(text: str) -> str:
    """Return a title in the length that tabs and search results show: as many of its parts, or words, as fit."""
    title = " ".join(text.split())
    if len(title) <= TITLE_CHARS:
        return title
    # "The name – what it does": what comes first is what it is known by.
    for found in reversed(list(_BETWEEN_PARTS.finditer(title))):
        if found.start() <= TITLE_CHARS:
            return title[: found.start()]
    cut = title[: TITLE_CHARS - 1]
    words = cut.rpartition(" ")[0] if title[TITLE_CHARS - 1] != " " and " " in cut else cut
    return f"{words.rstrip()}…"


def _complete_head(root: Element) -> None:
    """Say first of all how the page is encoded: as UTF-8, whatever it said. Then what is shown where it is shared."""
    head = find(root, "head")[0]
    for meta in find(head, "meta"):
        if "charset" in meta.attrib:
            meta.attrib.clear()
    for meta in [node for node in find(head, "meta") if not node.attrib or "property" in node.attrib]:
        head.remove(meta)
    head.insert(0, Element(f"{{{HTML}}}meta", {"charset": "utf-8"}))
    for node in find(head, "title"):
        node.text = short_title(text_of(node))
    titles = [text_of(node) for node in find(head, "title")]
    descriptions = [
        node.get("content", "") for node in find(head, "meta") if node.get("name", "").lower() == "description"
    ]
    for name, said in zip(META_PROPERTIES, (titles, descriptions), strict=True):
        if text := " ".join("".join(said[:1]).split()):
            head.append(Element(f"{{{HTML}}}meta", {"property": name, "content": text}))
