"""A tree with only what the vocabulary lists: the copy that is checked, completed and served."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

from studio.landing import styles
from studio.landing.problems import Problem
from studio.landing.tree import append_text, is_element, name_of, split
from studio.landing.vocabulary import (
    DROPPED_WHOLE,
    ELEMENTS,
    FORM,
    FRAGMENT,
    HTML,
    IMAGE_DATA,
    LOCAL_REFERENCE,
    META_NAMES,
    META_PROPERTIES,
    SVG_ELEMENTS,
    may_hold,
)

_XLINK_HREF = "{http://www.w3.org/1999/xlink}href"
_HEAD = frozenset({"head", "title", "meta", "style"})
# In them an HTML parser goes on reading HTML, which is how svg smuggles it in; they hold text and nothing else.
_TEXT_ONLY = frozenset({"svg:title", "svg:desc", "title", "option", "textarea", "style"})
_REFERENCES = frozenset(["fill", "stroke", "clip-path", "mask", "filter", "marker-start", "marker-mid", "marker-end"])
_SHORT = 60


class Sanitizer:
    """Copies trees. `problems` collects what was left out, and why."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def clean(self, root: Element) -> Element:
        """Return a copy of the document `root` that holds only listed elements, attributes and styles."""
        copy = Element(f"{{{HTML}}}html", self._attributes(root, "html"))
        for child in root:
            if name_of(child) in ("head", "body"):
                self._copy(child, copy, in_form=False, place="html")
        return copy

    def _copy(self, node: Element, parent: Element, *, in_form: bool, place: str) -> None:
        """Append the copy of `node` to `parent`, or of its children, or nothing; its tail is the caller's."""
        if not is_element(node):
            return
        name = name_of(node)
        if not self._allowed(node, name, in_form=in_form, place=place):
            self._dropped(name, node)
            if self._keeps_children(name):
                self._children(node, parent, in_form=in_form, place=place)
            return
        attributes = self._attributes(node, name)
        if name == "meta" and not _is_listed_meta(attributes, node):
            self._tell(f"The head holds a meta element that is not listed: {_short(attributes)}.")
            return
        if name == "img" and "src" not in attributes:
            return
        copy = Element(node.tag, attributes)
        parent.append(copy)
        if name == "style":
            self._sheet(node, copy)
        elif name in _TEXT_ONLY:
            append_text(copy, "".join(node.itertext()))
            if any(is_element(child) for child in node):
                self._tell(f"There are elements within a {name}, which holds text only.")
        else:
            self._children(node, copy, in_form=in_form or name == "form", place=name)

    def _children(self, node: Element, parent: Element, *, in_form: bool, place: str) -> None:
        append_text(parent, node.text)
        for child in node:
            self._copy(child, parent, in_form=in_form, place=place)
            append_text(parent, child.tail)

    def _allowed(self, node: Element, name: str, *, in_form: bool, place: str) -> bool:
        if name.startswith("svg:"):
            local = split(node)[1]
            # An svg element starts a picture in the body, and stands in one else.
            return local in SVG_ELEMENTS and (local == "svg" or place.startswith("svg:"))
        if name not in ELEMENTS or place.startswith("svg:"):
            return False
        if name in _HEAD:
            return place in ("head", "html")
        if place == "head":
            return False
        if name == "form":
            return not in_form
        return in_form or name not in FORM

    def _keeps_children(self, name: str) -> bool:
        return not name.startswith(("svg:", "?")) and name not in DROPPED_WHOLE and name not in _HEAD

    def _dropped(self, name: str, node: Element) -> None:
        shown = name if name != "?" else str(node.tag).rpartition("}")[2]
        if name in FORM:
            self._tell(f"There is a {shown} outside of the waitlist form.", "form")
        else:
            self._tell(f"The page holds the element {shown[:_SHORT]}, which it may not here.")

    def _sheet(self, node: Element, copy: Element) -> None:
        copy.text, problems = styles.clean_sheet("".join(node.itertext()))
        self.problems += problems

    # --- attributes

    def _attributes(self, node: Element, name: str) -> dict[str, str]:
        svg = name.startswith("svg:")
        kept: dict[str, str] = {}
        for key, value in node.attrib.items():
            if svg and (key == "xmlns" or key.startswith("{http://www.w3.org/2000/xmlns/}")):
                continue
            attribute = "href" if svg and key == _XLINK_HREF else key
            if not may_hold(name.removeprefix("svg:"), attribute, svg=svg):
                self._tell(f"{name} has the attribute {attribute[:_SHORT]}, which it may not.", *_rule(attribute))
                continue
            cleaned = self._value(name, attribute, value)
            if cleaned is not None:
                kept.setdefault(attribute, cleaned)
        return kept

    def _value(self, name: str, attribute: str, value: str) -> str | None:
        """Return the value as it may stand, or None where the attribute has to go."""
        if attribute == "style":
            text, problems = styles.clean_attribute(value)
            self.problems += problems
            return text or None
        if attribute == "href" and not FRAGMENT.fullmatch(value.strip()):
            self._tell(f"A link leads to {_short(value)}; a page may only lead to its own parts.")
            return None
        if attribute == "src" and not IMAGE_DATA.fullmatch(value.strip()):
            self._tell(f"A picture comes from {_short(value)}; a self-contained page loads nothing.")
            return None
        if name.startswith("svg:") and "url" in value.lower() and not _is_local(attribute, value):
            self._tell(f"A drawing refers to {_short(value)}; it may only refer to its own parts.")
            return None
        if attribute in ("tabindex",) and value.strip() not in ("0", "-1"):
            self._tell("A tabindex above 0 takes the page's order apart.", "accessibility")
            return None
        return value.strip() if attribute in ("href", "src") else value

    def _tell(self, message: str, rule: str = "unsafe") -> None:
        self.problems.append(Problem(rule, message))  # type: ignore[arg-type]


def _rule(attribute: str) -> tuple[str, ...]:
    # Attributes that nobody lists and that do nothing are untidy; the rest could do harm.
    harmless = re.fullmatch(r"(?:for|name|value|type|align|valign|border|cellpadding|cellspacing|rel|media)", attribute)
    return ("structure",) if harmless else ()


def _is_local(attribute: str, value: str) -> bool:
    return attribute in _REFERENCES and LOCAL_REFERENCE.fullmatch(value) is not None


def _is_listed_meta(kept: dict[str, str], node: Element) -> bool:
    if "http-equiv" in node.attrib:
        return False
    if "property" in kept:
        return kept["property"] in META_PROPERTIES and "name" not in kept
    return "charset" in kept or kept.get("name", "").lower() in META_NAMES


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return f"{text[:_SHORT]}…" if len(text) > _SHORT else text or "nothing"
