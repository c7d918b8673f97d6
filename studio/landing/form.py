"""The waitlist form: what the designer draws, and what our own code makes of it.

A designer writes `<form data-waitlist>` with a labelled e-mail input, perhaps more fields, and one button. Where it
leads, what it carries unseen, the trap for robots and the sentence of consent are filled in here, so that the form
works whatever was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import UUID
from xml.etree.ElementTree import Element

from studio.errors import InvalidInput
from studio.landing.problems import DocumentRefused, Problem
from studio.landing.tree import find, name_of, parents, text_of, walk
from studio.landing.vocabulary import FIELD_NAME, HTML, INPUT_TYPES

# Where a published page sends a sign-up; the same origin serves both.
WAITLIST_ACTION = "/api/waitlist"
SOURCE = "landing_page"

EMAIL_FIELD = "email"
PROJECT_FIELD = "project_id"
SOURCE_FIELD = "source"
# Called like something that robots like to fill in, and that no waitlist asks for.
TRAP_FIELD = "website"
_RESERVED = frozenset({EMAIL_FIELD, PROJECT_FIELD, SOURCE_FIELD, TRAP_FIELD, "consent", "token", "metadata"})

MARK = "data-waitlist"
CONSENT_MARK = "data-consent"
TRAP_MARK = "data-trap"
MAX_EMAIL = 254
MAX_TEXT = 200
MAX_FIELDS = 8

_HIDE = "position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap"
_ACTION = re.compile(r"(?:https?://[A-Za-z0-9.:\[\]-]+)?/(?!/)[A-Za-z0-9/._~-]*", re.ASCII)

_TRAP_LABEL = {"en": "Leave this field empty", "de": "Dieses Feld bitte leer lassen"}
_CONSENT = {
    "en": "By joining you ask for mail about {name}. One mail comes first to confirm your address; every mail has a"
    " link that ends it.",
    "de": "Mit dem Eintrag bestellen Sie Post zu {name}. Zuerst kommt eine Mail, in der Sie Ihre Adresse bestätigen; in"
    " jeder steht ein Link zum Abmelden.",
}


def consent_text(name: str, language: str) -> str:
    """Return the sentence a visitor agrees to by signing up for the project `name`, in `de` or else in English."""
    return _CONSENT["de" if language.lower().startswith("de") else "en"].format(name=name)


def require_action(action: str) -> str:
    """Return the address a form may be sent to: a path, or an http(s) address with one. Raises `InvalidInput`."""
    if not _ACTION.fullmatch(action):
        raise InvalidInput(f"A form cannot be sent to {action!r}.", "Name a path such as /api/waitlist.")
    return action


def problems_of(root: Element) -> list[Problem]:
    """Return what keeps the page's form from being the waitlist form."""
    forms = find(root, "form")
    if not forms:
        return [Problem("form", "There is no form with the attribute data-waitlist: nobody can join.")]
    found = [
        Problem("form", "There is more than one form; the page has one, and links that lead to it.") for _ in forms[1:2]
    ]
    form = chosen(forms)
    emails = [node for node in find(form, "input") if _is_email(node)]
    if not emails:
        found.append(Problem("form", 'The form has no <input type="email" name="email">.'))
    if len(emails) > 1:
        found.append(Problem("form", "The form asks for the e-mail address more than once."))
    if not any(_submits(button) for button in find(form, "button")):
        found.append(Problem("form", "The form has no button with words on it."))
    fields = [node for node in find(form, "input", "select", "textarea") if not _is_ours(node)]
    if len(fields) > MAX_FIELDS:
        found.append(Problem("form", f"The form has {len(fields)} fields; more than {MAX_FIELDS} nobody fills in."))
    for node in fields:
        kind = (node.get("type") or "text").lower()
        if name_of(node) == "input" and kind not in INPUT_TYPES:
            found.append(
                Problem("form", f"The form has a field of the type {kind[:20]}, which a waitlist never asks for.")
            )
        elif not _is_email(node) and not _usable_name(node.get("name") or ""):
            found.append(Problem("form", f"A field of the form is named {(node.get('name') or 'nothing')[:40]!r}."))
    return found


def fill(root: Element, *, project_id: UUID, action: str, consent: str, language: str) -> list[Problem]:
    """Make the page's form work, in place; return what had to be changed. Raises `DocumentRefused` where it cannot."""
    forms = find(root, "form")
    form = chosen(forms) if forms else None
    emails = [node for node in find(form, "input") if _is_email(node)] if form is not None else []
    if form is None or not emails or not any(_submits(button) for button in find(form, "button")):
        raise DocumentRefused(problems_of(root))
    changed = problems_of(root)
    parent = parents(root)
    for other in [*forms, *_marked(form, TRAP_MARK)]:
        if other is not form:
            _remove(other, parent)
    for node in find(form, "input", "select", "textarea", "button"):
        if node in emails[1:] or (node is not emails[0] and not _keeps(node)):
            _remove(node, parent)
    _complete_email(emails[0])
    for button in find(form, "button"):
        button.set("type", "submit")
    kept = {key: value for key, value in form.attrib.items() if key not in ("method", "action", "accept-charset")}
    form.attrib.clear()
    form.attrib.update(
        {MARK: "", **kept, "method": "post", "action": require_action(action), "accept-charset": "utf-8"}
    )
    _say_consent(form, consent)
    _hide_fields(form, str(project_id), "de" if language.lower().startswith("de") else "en")
    return changed


def chosen(forms: list[Element]) -> Element:
    """Return the form that is the waitlist's: the marked one, else the first with an e-mail input, else the first."""
    tests: tuple[Callable[[Element], bool], ...] = (
        lambda form: MARK in form.attrib,
        lambda form: any(_is_email(node) for node in find(form, "input")),
    )
    for fits in tests:
        for form in forms:
            if fits(form):
                return form
    return forms[0]


def _is_email(node: Element) -> bool:
    return name_of(node) == "input" and "email" in (node.get("type", "").lower(), node.get("name", "").lower())


def _is_ours(node: Element) -> bool:
    """Return whether our own code has written the field, as it stands in a page that is prepared already."""
    name = node.get("name", "")
    return name_of(node) == "input" and (
        (node.get("type", "").lower() == "hidden" and name in (PROJECT_FIELD, SOURCE_FIELD)) or name == TRAP_FIELD
    )


def _usable_name(name: str) -> bool:
    return FIELD_NAME.fullmatch(name) is not None and name not in _RESERVED


def _keeps(node: Element) -> bool:
    if name_of(node) == "button":
        return True
    kind = (node.get("type") or "text").lower()
    return (name_of(node) != "input" or kind in INPUT_TYPES) and _usable_name(node.get("name") or "")


def _submits(button: Element) -> bool:
    return bool(text_of(button) or button.get("aria-label", "").strip())


def _complete_email(node: Element) -> None:
    node.attrib.update(
        {"type": "email", "name": EMAIL_FIELD, "required": "", "autocomplete": "email", "maxlength": str(MAX_EMAIL)}
    )
    node.attrib.pop("value", None)


def _hide_fields(form: Element, project_id: str, language: str) -> None:
    for name, value in ((PROJECT_FIELD, project_id), (SOURCE_FIELD, SOURCE)):
        form.append(_element("input", {"type": "hidden", "name": name, "value": value}))
    trap = _element("div", {TRAP_MARK: "", "aria-hidden": "true", "style": _HIDE})
    label = _element("label", {})
    label.text = f"{_TRAP_LABEL[language]} "
    label.append(
        _element("input", {"type": "text", "name": TRAP_FIELD, "tabindex": "-1", "autocomplete": "off", "value": ""})
    )
    trap.append(label)
    form.append(trap)


def _say_consent(form: Element, consent: str) -> None:
    # A mark around the fields themselves would take them along.
    marked = [node for node in _marked(form, CONSENT_MARK) if not find(node, "input", "select", "textarea", "button")]
    place = marked[0] if marked else _element("p", {CONSENT_MARK: ""})
    if not marked:
        form.append(place)
    for child in list(place):
        place.remove(child)
    place.text = consent


def _marked(form: Element, mark: str) -> list[Element]:
    return [node for node in walk(form) if mark in node.attrib and node is not form]


def _element(name: str, attributes: dict[str, str]) -> Element:
    return Element(f"{{{HTML}}}{name}", attributes)


def _remove(node: Element, parent: dict[Element, Element]) -> None:
    """Take a node out of the tree, but leave the text that follows it."""
    above = parent[node]
    siblings = list(above)
    position = siblings.index(node)
    if node.tail:
        if position:
            siblings[position - 1].tail = (siblings[position - 1].tail or "") + node.tail
        else:
            above.text = (above.text or "") + node.tail
    above.remove(node)
