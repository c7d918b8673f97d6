"""The form, filled in and sent as a visitor would, and what came of it. Runs in the browser's process."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus, urljoin

from studio.page_checks import fields
from studio.page_checks.causes import cause
from studio.page_checks.limits import Limits
from studio.page_checks.origins import origin

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Request, Response

    from studio.browser.pages import View

_TEXT_CHARS = 300
_DIGITS = re.compile(r"\d+")
_SUBMIT = "button:not([type=button]):not([type=reset]), input[type=submit], input[type=image]"


def fill_and_send(view: View, post: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Fill in the first visible form that asks for a mail address, press its button, and return what was answered.

    `post` holds the `address` to leave, whether it is that of a page of our `own`, and the origins that are `ours`:
    there our own page's address is left, and nobody else's; anywhere else nobody is told it. `pressed` says of what
    is returned that the button may have been pressed.
    """
    from playwright.sync_api import Error

    told: dict[str, Any] = {"sent": False, "pressed": False}
    try:
        told |= _filled(view.page, post, limits, told)
    except Error as exc:
        told |= {"unfilled": cause(exc, view).as_json()}
    return told


def _filled(page: Page, post: dict[str, Any], limits: Limits, told: dict[str, Any]) -> dict[str, Any]:
    """Return what came of it; into `told` goes at once what is to be known whatever comes of it."""
    form = _form(page)
    if form is None:
        return {"why": "there is no form that a visitor could leave a mail address in"}
    told["method"] = (form.get_attribute("method") or "get").lower()
    told |= _destination(page, form.get_attribute("action"), post)
    if "why" in told:
        return {}
    told["filled"] = fields.fill(form, post["address"], limits.answer)
    button = _first_visible(form.locator(_SUBMIT))
    if button is None:
        return {"why": "the form has no button that can be seen"}
    # A button may send its form elsewhere than the form says.
    if (action := button.get_attribute("formaction")) is not None:
        told["method"] = (button.get_attribute("formmethod") or told["method"]).lower()
        told |= _destination(page, action, post)
        if "why" in told:
            return {}
    if (field := fields.lacking(button)) is not None:
        return {"lacking": field}
    told["pressed"] = True
    return _press(page, button, post, limits)


def _destination(page: Page, written: str | None, post: dict[str, Any]) -> dict[str, Any]:
    """Return the `action` that a form or its button says, and where it may not be sent there, `why`.

    `to_us` says that it is somebody else's page, and the way to our own waitlist.
    """
    based = page.locator("base[href]")
    try:
        base = urljoin(page.url, based.first.get_attribute("href") or "") if based.count() else page.url
        action = urljoin(base, (written or "").strip()) if written else page.url
    except ValueError:
        action = ""
    is_web = action.lower().startswith(("http:", "https:"))
    if not action or (is_web and not origin(action)):
        return {"action": (written or "")[:500], "why": "its action is no address"}
    told = {"action": action[:500]}
    where, here = origin(action) or action[:80], origin(page.url)
    if not post["own"]:
        if {origin(action), here}.isdisjoint(post["ours"]):
            return told
        return {**told, "to_us": True, "why": f"the form leads to {where}, which is this studio's own"}
    if here not in post["ours"]:
        return {**told, "why": f"the page has led on to {here or page.url[:80]}, which is none of this studio's"}
    # Where our own page's form leads anywhere else, nobody there is told our address.
    if origin(action) != here:
        return {**told, "why": f"the form leads to {where}, which is not where its page is"}
    return told


def _press(page: Page, button: Locator, post: dict[str, Any], limits: Limits) -> dict[str, Any]:
    before = _shown(page)
    sent: list[Request] = []
    answers: dict[Request, Response | None] = {}

    def note(request: Request) -> None:
        # What else the page asks for meanwhile is not what the form sends; what that is redirected to is its answer.
        if request.redirected_from in sent or _carries(request, post["address"]):
            sent.append(request)

    page.on("request", note)
    page.on("response", lambda answer: answers.update({answer.request: answer}))
    page.on("requestfailed", lambda request: answers.update({request: answers.get(request)}))
    button.click(timeout=limits.answer * 1000, no_wait_after=True)
    end = time.monotonic() + limits.form
    while time.monotonic() < end and not (sent and _is_over(_last(sent), answers)):
        page.wait_for_timeout(50)
    if not sent:
        return {"sent": False, "why": "nothing was sent that holds the address, when its button was pressed"}
    last = _last(sent)
    given_up = None if _is_over(last, answers) else time.monotonic()
    after = _shown_later(page, end, limits)
    answer = answers.get(last)
    return {
        "sent": True,
        "posted_to": sent[0].url[:500],
        "posted_by": sent[0].method,
        "status": answer.status if answer is not None else None,
        "failure": last.failure,
        "answered_at": last.url[:500],
        "gave_up_on_answer_at": given_up,
        # Where else a form leads than it says, a script or a redirect decides.
        "to_us": not post["own"] and not {origin(sent[0].url), origin(last.url)}.isdisjoint(post["ours"]),
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
    return next((form for form in page.locator("form").all()[:20] if fields.has_mail_field(form)), None)


def _first_visible(found: Locator) -> Locator | None:
    return next((one for one in found.all()[:20] if fields.reachable(one)), None)


def _shown(page: Page) -> str:
    return " ".join(str(page.evaluate("document.body ? document.body.innerText : ''")).split())
