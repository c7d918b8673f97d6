"""The form, filled in and sent as a visitor would, and what came of it. Runs in the browser's process."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from studio.page_checks.limits import Limits

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Request, Response

# What a field is given that asks for more than an address. Nothing a recipient could take for a person's.
NAME = "Greenlight check"
NUMBER = "1"
TELEPHONE = "+10000000000"
_PART_SECONDS = 3.0
_TEXT_CHARS = 300
_FIELDS = "input:not([type=hidden]):not([type=submit]):not([type=button]):not([type=image]), select, textarea"
_EMAIL = "input[type=email], input[name=email i], input[autocomplete=email]"
_SUBMIT = "button:not([type=button]):not([type=reset]), input[type=submit], input[type=image]"


def fill_and_send(page: Page, post: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Fill in the first visible form that asks for a mail address, press its button, and return what was answered.

    `post` holds the `address` to leave, and the `origins` at which it may be left, null for anywhere.
    """
    from playwright.sync_api import Error

    try:
        return _filled(page, post, limits)
    except Error as exc:
        return {"sent": False, "why": f"the form could not be filled in: {str(exc).splitlines()[0][:200]}"}


def _filled(page: Page, post: dict[str, Any], limits: Limits) -> dict[str, Any]:
    form = _form(page)
    if form is None:
        return {"sent": False, "why": "there is no form that a visitor could leave a mail address in"}
    action = urljoin(page.url, form.get_attribute("action") or page.url)
    told: dict[str, Any] = {"action": action[:500], "method": (form.get_attribute("method") or "get").lower()}
    if post["origins"] is not None and _origin(action) not in post["origins"]:
        return {**told, "sent": False, "why": f"the form leads to {_origin(action)}, which is not where its page is"}
    told["filled"] = _fill(form, post["address"])
    button = _first_visible(form.locator(_SUBMIT))
    if button is None:
        return {**told, "sent": False, "why": "the form has no button that can be seen"}
    return told | _press(page, button, limits)


def _press(page: Page, button: Locator, limits: Limits) -> dict[str, Any]:

    before = _shown(page)
    sent: list[Request] = []
    answers: dict[Request, Response | None] = {}

    def note(request: Request) -> None:
        if request.is_navigation_request() or request.resource_type in ("fetch", "xhr", "ping"):
            sent.append(request)

    page.on("request", note)
    page.on("response", lambda answer: answers.update({answer.request: answer}))
    page.on("requestfailed", lambda request: answers.update({request: answers.get(request)}))
    button.click(timeout=_PART_SECONDS * 1000, no_wait_after=True)
    end = time.monotonic() + limits.form
    # After a redirect the last one is another.
    while time.monotonic() < end and not (sent and sent[-1] in answers):
        page.wait_for_timeout(50)
    if not sent:
        return {"sent": False, "why": "nothing was sent when its button was pressed"}
    after = _shown_later(page, end, limits)
    answer = answers.get(sent[-1])
    return {
        "sent": True,
        "posted_to": sent[0].url[:500],
        "posted_by": sent[0].method,
        "status": answer.status if answer is not None else None,
        "failure": sent[-1].failure,
        "answered_at": sent[-1].url[:500],
        "shows": after[:_TEXT_CHARS],
        "changed": after != before,
    }


def _shown_later(page: Page, end: float, limits: Limits) -> str:
    """Return what the page shows once it has settled; the one before it may still be on its way out."""
    from playwright.sync_api import Error

    while True:
        try:
            page.wait_for_load_state("load", timeout=max(1.0, 1000 * (end - time.monotonic())))
            page.wait_for_timeout(1000 * limits.quiet)
            return _shown(page)
        except Error:
            if time.monotonic() >= end:
                # It still loads: what it shows by now is what a visitor sees.
                return _shown(page)


def _form(page: Page) -> Locator | None:
    for form in page.locator("form").all()[:20]:
        if _first_visible(form.locator(_EMAIL)) is not None:
            return form
    return None


def _fill(form: Locator, address: str) -> list[str]:
    """Fill in what can be seen of the form, and return the names; what cannot be seen is no visitor's to fill."""
    filled: list[str] = []
    for field in form.locator(_FIELDS).all()[:30]:
        if not field.is_visible() or not field.is_enabled() or not _reachable(field):
            continue
        tag = str(field.evaluate("node => node.tagName")).lower()
        kind = (field.get_attribute("type") or "text").lower() if tag == "input" else tag
        name = field.get_attribute("name") or kind
        if kind == "email" or "email" in name.lower():
            field.fill(address, timeout=_PART_SECONDS * 1000)
        elif kind == "select":
            field.evaluate(
                "node => { const one = [...node.options].find((option) => option.value && !option.disabled);"
                " if (one) { node.value = one.value; node.dispatchEvent(new Event('change', { bubbles: true })); } }"
            )
        elif kind in ("checkbox", "radio"):
            if field.get_attribute("required") is None:
                continue
            field.check(timeout=_PART_SECONDS * 1000)
        elif kind in ("text", "textarea", "search"):
            field.fill(NAME, timeout=_PART_SECONDS * 1000)
        elif kind in ("tel", "number"):
            field.fill(TELEPHONE if kind == "tel" else NUMBER, timeout=_PART_SECONDS * 1000)
        else:
            continue
        filled.append(name[:80])
    return filled


def _first_visible(found: Locator) -> Locator | None:
    return next((one for one in found.all()[:20] if one.is_visible() and _reachable(one)), None)


def _reachable(field: Locator) -> bool:
    """Say whether a visitor would reach it: a trap for robots is drawn, but out of sight and off the keyboard's way."""
    return bool(
        field.evaluate(
            "node => node.tabIndex >= 0 && !node.closest('[aria-hidden=true]')"
            " && node.getBoundingClientRect().right + scrollX > 0 && node.getBoundingClientRect().bottom + scrollY > 0"
        )
    )


def _shown(page: Page) -> str:
    return " ".join(str(page.evaluate("document.body ? document.body.innerText : ''")).split())


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
