"""The form, filled in and sent as a visitor would, and what came of it. Runs in the browser's process."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus, urljoin

from studio.page_checks.causes import cause
from studio.page_checks.limits import Limits
from studio.page_checks.origins import origin

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Request, Response

    from studio.browser.pages import View

# What a field is given that asks for more than an address. Nothing a recipient could take for a person's.
NAME = "Greenlight check"
NUMBER = "1"
TELEPHONE = "+10000000000"
# On a machine with much else to do a key may take seconds.
_PART_SECONDS = 15.0
_TEXT_CHARS = 300
_DIGITS = re.compile(r"\d+")
_FIELDS = "input:not([type=hidden]):not([type=submit]):not([type=button]):not([type=image]), select, textarea"
_EMAIL = "input[type=email], input[name=email i], input[autocomplete=email]"
_SUBMIT = "button:not([type=button]):not([type=reset]), input[type=submit], input[type=image]"


def fill_and_send(view: View, post: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Fill in the first visible form that asks for a mail address, press its button, and return what was answered.

    `post` holds the `address` to leave, and the `origins` at which it may be left, null for anywhere.
    """
    from playwright.sync_api import Error

    try:
        return _filled(view.page, post, limits)
    except Error as exc:
        return {"sent": False, "unfilled": cause(exc, view).as_json()}


def _filled(page: Page, post: dict[str, Any], limits: Limits) -> dict[str, Any]:
    form = _form(page)
    if form is None:
        return {"sent": False, "why": "there is no form that a visitor could leave a mail address in"}
    told: dict[str, Any] = {"method": (form.get_attribute("method") or "get").lower()}
    told |= _destination(page, form.get_attribute("action"), post)
    if "why" in told:
        return {**told, "sent": False}
    told["filled"] = _fill(form, post["address"])
    button = _first_visible(form.locator(_SUBMIT))
    if button is None:
        return {**told, "sent": False, "why": "the form has no button that can be seen"}
    # A button may send its form elsewhere than the form says.
    if (action := button.get_attribute("formaction")) is not None:
        told["method"] = (button.get_attribute("formmethod") or told["method"]).lower()
        told |= _destination(page, action, post)
        if "why" in told:
            return {**told, "sent": False}
    return told | _press(page, button, post["address"], limits)


def _destination(page: Page, written: str | None, post: dict[str, Any]) -> dict[str, Any]:
    """Return the `action` that a form or its button says, and where it may not be sent there, `why`."""
    based = page.locator("base[href]")
    try:
        base = urljoin(page.url, based.first.get_attribute("href") or "") if based.count() else page.url
        action = urljoin(base, (written or "").strip()) if written else page.url
    except ValueError:
        action = ""
    is_web = action.lower().startswith(("http:", "https:"))
    if not action or (is_web and not origin(action)):
        return {"action": (written or "")[:500], "why": "its action is no address"}
    allowed = post["origins"]
    if allowed is not None and origin(action) not in {origin(one) for one in allowed}:
        where = origin(action) or action[:80]
        return {"action": action[:500], "why": f"the form leads to {where}, which is not where its page is"}
    return {"action": action[:500]}


def _press(page: Page, button: Locator, address: str, limits: Limits) -> dict[str, Any]:
    before = _shown(page)
    sent: list[Request] = []
    answers: dict[Request, Response | None] = {}

    def note(request: Request) -> None:
        # What else the page asks for meanwhile is not what the form sends; what that is redirected to is its answer.
        if request.redirected_from in sent or _carries(request, address):
            sent.append(request)

    page.on("request", note)
    page.on("response", lambda answer: answers.update({answer.request: answer}))
    page.on("requestfailed", lambda request: answers.update({request: answers.get(request)}))
    button.click(timeout=_PART_SECONDS * 1000, no_wait_after=True)
    end = time.monotonic() + limits.form
    while time.monotonic() < end and not (sent and _is_over(_last(sent), answers)):
        page.wait_for_timeout(50)
    if not sent:
        return {"sent": False, "why": "nothing was sent that holds the address, when its button was pressed"}
    after = _shown_later(page, end, limits)
    last = _last(sent)
    answer = answers.get(last)
    return {
        "sent": True,
        "posted_to": sent[0].url[:500],
        "posted_by": sent[0].method,
        "status": answer.status if answer is not None else None,
        "failure": last.failure,
        "answered_at": last.url[:500],
        "shows": after[:_TEXT_CHARS],
        # A clock or a counter goes on by itself.
        "changed": _DIGITS.sub("", after) != _DIGITS.sub("", before),
    }


def _carries(request: Request, address: str) -> bool:
    """Say whether a request holds the address: in its own address or its body, as it is or encoded."""
    body = (request.post_data_buffer or b"").decode("utf-8", "replace")
    for text in (request.url, body):
        plain = unquote_plus(unquote_plus(text)).replace("\\u0040", "@")
        if address.lower() in text.lower() or address.lower() in plain.lower():
            return True
    return False


def _last(sent: list[Request]) -> Request:
    """Return where the first request that was sent has led to in the end."""
    last = sent[0]
    while (onwards := last.redirected_to) is not None:
        last = onwards
    return last


def _is_over(request: Request, answers: dict[Request, Response | None]) -> bool:
    """Say whether a request was answered or has failed; a redirect is no answer as long as it may be followed."""
    if request not in answers:
        return False
    answer = answers[request]
    return (
        answer is None
        or request.failure is not None
        or not (300 <= answer.status < 400 and answer.headers.get("location"))
    )


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
