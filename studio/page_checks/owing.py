"""Who kept whom waiting: what came too late is the page's own doing only where its server is known to have owed it.

Known from the way out, which all that a browser asks for passes: a machine with much else to do asks late and takes
its answers late, and no page can help that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from studio.addresses import DEFAULT_PORTS
from studio.page_checks.limits import Limits

# Of the time that was given: connecting, and finding out where to, takes some of it everywhere.
OWED_SHARE = 0.75


class Owed(Protocol):
    """Says for how many seconds a host, at a moment, has owed an answer; see `studio.egress.Egress.silent_for`."""

    def __call__(self, host: str, port: int, at: float, *, altogether: bool) -> float | None:
        """Return the seconds, None where nobody there was connected to."""


def place(url: str) -> tuple[str, int]:
    """Return host and port of an address; an empty host for what is none of the web's."""
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", 0


def with_owing(pages: Mapping[str, Any], limits: Limits, owed: Owed) -> dict[str, Any]:
    """Return the windows of a visit with `owed` noted on what did not come: on pages, requests and the form's answer.

    Of the first window alone: where it had its answer, a later one that has none waited for the machine.
    """
    noted = dict(pages)
    if (page := pages.get("desktop")) is not None:
        noted["desktop"] = _page(page, limits, owed)
    if (form := pages.get("form")) is not None:
        noted["form"] = form_with_owing(form, limits, owed)
    return noted


def form_with_owing(form: Mapping[str, Any], limits: Limits, owed: Owed) -> dict[str, Any]:
    """Return what came of a form with `owed` noted on an answer that did not come.

    One on which it is noted stays as it is: it may be another process's, whose moments and connections nobody knows.
    """
    at = form.get("gave_up_on_answer_at")
    if at is None or "owed" in form:
        return dict(form)
    return {**form, "owed": _is_owed(owed, form["answered_at"], at, limits.form, altogether=True)}


def _page(page: Mapping[str, Any], limits: Limits, owed: Owed) -> dict[str, Any]:
    gave_up_at, settled_at = page.get("gave_up_at"), page.get("settled_at")
    if page.get("timed_out"):
        return {**page, "owed": _is_owed(owed, page["hops"][-1], gave_up_at, limits.load, altogether=True)}
    requests: list[dict[str, Any]] = []
    for request in page.get("requests", []):
        if request["ended"]:
            requests.append(request)
            continue
        # Something may drip all the time, and never be whole.
        at, given = (gave_up_at, limits.load) if request["cut"] else (settled_at, limits.settle)
        requests.append({**request, "owed": _is_owed(owed, request["url"], at, given, altogether=False)})
    return {**page, "requests": requests}


def _is_owed(owed: Owed, url: str, at: float | None, given: float, *, altogether: bool) -> bool:
    if at is None:
        return False
    seconds = owed(*place(url), at, altogether=altogether)
    return seconds is not None and seconds >= OWED_SHARE * given
