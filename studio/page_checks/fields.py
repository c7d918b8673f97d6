"""The fields of a form, filled in as a visitor would. Runs in the browser's process."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator

# What a field is given that asks for more than an address. Nothing a recipient could take for a person's.
NAME = "Greenlight check"
NUMBER = 1.0
# Typed in whole by everybody; what a field asks for that it is not is for a visitor to leave out.
_ALWAYS = {"text": NAME, "textarea": NAME, "search": NAME, "tel": "+10000000000"}
_WHERE_REQUIRED = {
    "url": "https://example.com/",
    "password": "Greenlight-check-1",
    "date": "2030-01-01",
    "month": "2030-01",
    "week": "2030-W01",
    "time": "12:00",
    "datetime-local": "2030-01-01T12:00",
}
_TICKED = ("checkbox", "radio")
_CHOSEN = ("select-one", "select-multiple")
# Kinds in which an address can be typed: a tick for news has a name with "email" in it as well.
_TYPED = ("email", "text", "search")
_MAIL = re.compile(r"e-?mail", re.IGNORECASE)
_FIELDS = "input:not([type=hidden]):not([type=submit]):not([type=button]):not([type=image]), select, textarea"
_MOST = 30

_DESCRIBED = """node => ({
  kind: node.type, name: node.name || '', autocomplete: node.getAttribute('autocomplete') || '',
  required: !!node.required, closed: !!node.readOnly, min: node.min || '', max: node.max || '',
  reachable: node.tabIndex >= 0 && !node.closest('[aria-hidden=true]')
    && node.getBoundingClientRect().right + scrollX > 0 && node.getBoundingClientRect().bottom + scrollY > 0,
})"""
_CHOOSE = """node => {
  const one = [...node.options].find((option) => option.value && !option.disabled);
  if (one) { node.value = one.value; node.dispatchEvent(new Event('change', { bubbles: true })); }
}"""
# What a browser would stop the form for. A text field that nobody can see stops it for everybody; a file or a tick may
# be chosen by other means than the field itself.
_LACKING = """button => {
  const form = button.form;
  if (!form || form.noValidate || button.formNoValidate) return [];
  return [...form.elements].filter((node) => node.willValidate && !node.validity.valid
    && (node.getClientRects().length || ['file', 'checkbox', 'radio'].includes(node.type)))
    .map((node) => `${node.name || node.id || 'without a name'} (${node.type})`);
}"""


def has_mail_field(form: Locator) -> bool:
    """Say whether a visitor can leave a mail address in a form."""
    return any(_is_mail(told) for _, told in _reachable(form))


def fill(form: Locator, address: str, seconds: float) -> list[str]:
    """Fill in what can be seen of the form, `seconds` at most for a field, and return the names.

    What cannot be seen is no visitor's to fill.
    """
    filled: list[str] = []
    for field, told in _reachable(form):
        if told["closed"] or not field.is_enabled():
            continue
        if _fill(field, told, address, seconds * 1000):
            filled.append((told["name"] or told["kind"])[:80])
    return filled


def lacking(button: Locator) -> str | None:
    """Return the first field for whose content the browser would not send the button's form; None where it would."""
    found = button.evaluate(_LACKING)
    return str(found[0])[:80] if found else None


def reachable(node: Locator) -> bool:
    """Say whether a visitor would reach it: a trap for robots is drawn, but out of sight and off the keyboard's way."""
    return node.is_visible() and bool(node.evaluate(_DESCRIBED)["reachable"])


def _reachable(form: Locator) -> Iterator[tuple[Locator, dict[str, Any]]]:
    # One by one: what is typed into one may show the next.
    for field in form.locator(_FIELDS).all()[:_MOST]:
        if field.is_visible() and (told := field.evaluate(_DESCRIBED))["reachable"]:
            yield field, told


def _is_mail(told: dict[str, Any]) -> bool:
    named = told["autocomplete"].lower() == "email" or _MAIL.search(told["name"]) is not None
    return told["kind"] == "email" or (told["kind"] in _TYPED and named)


def _fill(field: Locator, told: dict[str, Any], address: str, timeout: float) -> bool:
    kind = told["kind"]
    if _is_mail(told):
        field.fill(address, timeout=timeout)
    elif kind in _CHOSEN:
        field.evaluate(_CHOOSE)
    elif kind in _TICKED:
        if not told["required"]:
            return False
        field.check(timeout=timeout)
    elif kind == "number":
        field.fill(_number(told), timeout=timeout)
    elif kind in _ALWAYS:
        field.fill(_ALWAYS[kind], timeout=timeout)
    elif kind in _WHERE_REQUIRED and told["required"]:
        field.fill(told["min"] or told["max"] or _WHERE_REQUIRED[kind], timeout=timeout)
    else:
        return False
    return True


def _number(told: dict[str, Any]) -> str:
    number = NUMBER
    with contextlib.suppress(ValueError):
        number = max(number, float(told["min"]))
    with contextlib.suppress(ValueError):
        number = min(number, float(told["max"]))
    return f"{number:g}"
