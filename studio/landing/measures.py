"""What can be measured on a page without looking at it: contrast, structure, labels, and words nobody gave it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element

from studio.brand.colors import TEXT_CONTRAST, contrast
from studio.landing import cascade
from studio.landing.media import Scheme
from studio.landing.problems import Problem
from studio.landing.tree import find, name_of, parents, squeeze, text_of, walk
from studio.packets.phase1 import LandingCopy

# Headlines are large, and large text may have less (WCAG 2.2, success criterion 1.4.3).
LARGE_CONTRAST = 3.0
_LARGE = frozenset({"h1"})
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_SHOWN = 40

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_FIGURE = re.compile(r"(?<![\w#])[$€£]?\d[\d.,]*\d%?|(?<![\w#])[$€£]?\d[%+kKmM]\b|(?<![\w#])\d%")
# With bounds, because a page may be one long word.
_ADDRESS = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}\.[\w.]{1,64}|\b(?:https?://|www\.)\S{1,200}", re.IGNORECASE
)


# --- structure and access


def structure(root: Element) -> Iterator[Problem]:
    """Yield what a document has to have and this one has not."""
    if not _LANGUAGE.fullmatch(root.get("lang", "").strip()):
        yield Problem("structure", "The html element names no language (lang).")
    if not any(text_of(node) for node in find(root, "title")):
        yield Problem("structure", "The page has no title.")
    metas = {node.get("name", "").lower(): node.get("content", "").lower() for node in find(root, "meta")}
    if "width=device-width" not in metas.get("viewport", "").replace(" ", ""):
        yield Problem("structure", "There is no meta viewport with width=device-width.")
    if re.search(r"user-scalable\s*=\s*(no|0)|maximum-scale\s*=\s*1(\.0*)?\b", metas.get("viewport", "")):
        yield Problem("accessibility", "The viewport keeps visitors from zooming in.")
    if not metas.get("description", "").strip():
        yield Problem("structure", "There is no meta description.")
    if (mains := len(find(root, "main"))) != 1:
        yield Problem("structure", f"The page has {mains} main elements and needs exactly one.")
    yield from _headings(root)


def _headings(root: Element) -> Iterator[Problem]:
    headings = find(root, *_HEADINGS)
    firsts = sum(name_of(node) == "h1" for node in headings)
    if firsts != 1:
        yield Problem("structure", f"The page has {firsts} h1 elements and needs exactly one.")
    level = 0
    for node in headings:
        now = int(name_of(node)[1])
        if now > level + 1:
            yield Problem("accessibility", f"The heading {_shown(node)} is an h{now} below an h{level or 'none'}.")
        if not text_of(node):
            yield Problem("accessibility", f"There is an empty h{now}.")
        level = now


def access(root: Element) -> Iterator[Problem]:
    """Yield what keeps somebody from using the page with a keyboard or a screen reader."""
    ids = Counter(node.get("id", "") for node in walk(root) if node.get("id"))
    for name, times in ids.items():
        if times > 1:
            yield Problem("accessibility", f"The id {name[:_SHOWN]!r} stands {times} times.")
    labels = {node.get("for", "") for node in find(root, "label") if text_of(node)}
    above = parents(root)
    for field in find(root, "input", "select", "textarea"):
        if field.get("type", "").lower() != "hidden" and not _labelled(field, labels, ids, above):
            yield Problem("accessibility", f"The field {field.get('name', '')[:_SHOWN]!r} has no label.")
    for link in find(root, "a"):
        target = link.get("href", "")
        if len(target) > 1 and target[1:] not in ids:
            yield Problem("structure", f"A link leads to {target[:_SHOWN]}, which is not on the page.")
        if not text_of(link) and not _named(link):
            yield Problem("accessibility", "There is a link without words.")
    yield from _pictures(root)
    yield from _movement(root)


def _labelled(field: Element, labels: set[str], ids: Iterable[str], above: dict[Element, Element]) -> bool:
    if field.get("id") in labels or field.get("aria-label", "").strip():
        return True
    if any(name in ids for name in field.get("aria-labelledby", "").split()):
        return True
    node = field
    while (node := above.get(node, node)) in above:
        if name_of(node) == "label":
            return bool(text_of(node))
    return False


def _pictures(root: Element) -> Iterator[Problem]:
    hidden = {inner for node in walk(root) if node.get("aria-hidden") == "true" for inner in walk(node)}
    for node in find(root, "img"):
        if "alt" not in node.attrib:
            yield Problem("accessibility", "A picture has no alt text.")
    inner = {child for node in find(root, "svg:svg") for child in walk(node) if child is not node}
    for node in find(root, "svg:svg"):
        if node in hidden or node in inner:
            continue
        if node.get("role") != "img" or not (_named(node) or any(name_of(child) == "svg:title" for child in node)):
            yield Problem(
                "accessibility", "A drawing is neither hidden (aria-hidden) nor named (role img with a label)."
            )


def _named(node: Element) -> bool:
    return bool(node.get("aria-label", "").strip() or node.get("aria-labelledby", "").strip())


def _movement(root: Element) -> Iterator[Problem]:
    sheets = "\n".join(node.text or "" for node in find(root, "style"))
    if "@keyframes" in sheets and "prefers-reduced-motion" not in sheets:
        yield Problem("accessibility", "Something moves, whatever the visitor's prefers-reduced-motion says.")
    if re.search(r"outline(?:-width)?\s*:\s*(?:0|none)", sheets) and ":focus" not in sheets:
        yield Problem("accessibility", "The outline of what has the focus is switched off, and nothing replaces it.")


# --- contrast


def contrasts(root: Element) -> Iterator[Problem]:
    """Yield every pair of text and ground that can be worked out and that cannot be read, in both colour schemes."""
    schemes: list[Scheme] = ["light", "dark"] if cascade.has_dark_scheme(root) else ["light"]
    told: set[tuple[str, str, float]] = set()
    for scheme in schemes:
        for node, look in cascade.looks(root, scheme).items():
            if look.color is None or not look.shown or not _own_text(node):
                continue
            wanted = LARGE_CONTRAST if name_of(node) in _LARGE else TEXT_CONTRAST
            for ground in look.grounds:
                color = look.color.over(ground).hex
                if (ratio := contrast(color, ground.hex)) < wanted and (color, ground.hex, wanted) not in told:
                    told.add((color, ground.hex, wanted))
                    yield Problem(
                        "contrast",
                        f"{_shown(node)} is {color} on {ground.hex} in the {scheme} scheme, {ratio:.1f}:1; it needs"
                        f" {wanted}:1.",
                    )


def _own_text(node: Element) -> bool:
    if name_of(node) in ("style", "title", "head", "html"):
        return False
    own = [node.text or "", *(child.tail or "" for child in node)]
    return any(squeeze(text) for text in own) and node.get("aria-hidden") != "true"


def _shown(node: Element) -> str:
    text = text_of(node)
    return f"“{text[:_SHOWN]}…”" if len(text) > _SHOWN else f"“{text}”"


# --- words


def missing(root: Element, copy: LandingCopy) -> Iterator[Problem]:
    """Yield what the copy says and the page does not: headline, subheadline, button, titles and texts of sections."""
    places = [("headline", copy.headline, "h1"), ("button", copy.primary_cta, "button")]
    places += [("subheadline", copy.subheadline, "body")]
    places += [("title", section.title, "body") for section in copy.section_copy]
    places += [("text", section.body, "body") for section in copy.section_copy]
    said = {name: _folded(" ".join(map(text_of, find(root, name)))) for name in ("h1", "button", "body")}
    where = {"h1": "in the h1", "button": "on the form's button", "body": "on the page"}
    for what, text, place in places:
        if _folded(text) not in said[place]:
            yield Problem("content", f"The {what} “{text[: _SHOWN * 2]}” is not {where[place]}.")


def invented(root: Element, known: Iterable[str]) -> Iterator[Problem]:
    """Yield figures and addresses on the page that none of the `known` texts holds."""
    said = _folded(" ".join(known))
    figures = {figure.strip(".,") for figure in _FIGURE.findall(said)}
    body = _folded(" ".join(text_of(node) for node in find(root, "body")))
    for figure in dict.fromkeys(match.strip(".,") for match in _FIGURE.findall(body)):
        # Sections may be numbered.
        if figure not in figures and not re.fullmatch(r"0\d", figure):
            yield Problem("content", f"The page says “{figure}”, which nobody has given it.")
    for address in dict.fromkeys(_ADDRESS.findall(body)):
        if address not in said:
            yield Problem("content", f"The page names the address {address[:_SHOWN]}, which nobody has given it.")


def _folded(text: str) -> str:
    return squeeze(unicodedata.normalize("NFKC", text)).casefold()
