"""The visit: a page is opened in a laptop's and in a telephone's window, measured, pictured, and its form filled in.

Runs in the browser's process and judges nothing: it brings home what there was, as JSON, and the pictures. What it
brings was made by the page, so whoever reads it trusts none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from studio.page_checks import filling
from studio.page_checks.limits import DESKTOP, MOBILE, Limits, Window
from studio.page_checks.speed import is_slow
from studio.page_checks.tab import Tab

if TYPE_CHECKING:
    from studio.browser.pages import Pages

DRAFT = "draft.html"
# The windows of a visit, in their order. Each is done by itself, so that none is lost with the next.
PARTS = ("desktop", "mobile", "form", "again")


def visit(pages: Pages, task: dict[str, Any]) -> dict[str, Any]:
    """Visit `task["url"]` for `task["checks"]` in one window, which `task["part"]` names; the pictures are attached.

    The parts are `PARTS`, in their order. The task further holds `limits`; for the form `post` (see
    `filling.fill_and_send`); for the comparison `policy`, with which the file `draft.html` is drawn (null
    where there is none to compare with). What is seen is kept piece by piece, for the case that the browser does not
    live to tell all of it; so is every part by itself.
    """
    tour = _Tour(pages, task)
    parts: dict[str, Callable[[], None]] = {
        "desktop": tour.desktop,
        "mobile": tour.mobile,
        "form": tour.form,
        "again": tour.again,
    }
    parts[task["part"]]()
    return {}


def is_wanted(task: Mapping[str, Any], seen: Mapping[str, Any], part: str) -> bool:
    """Say whether a part is to be done, after what was seen before it."""
    checks, desktop = set(task["checks"]), seen.get("desktop") or {}
    if part == "desktop":
        return True
    if not desktop.get("reached"):
        return False
    if part == "mobile":
        return bool(checks & {"screenshot", "mobile_responsive", "visual_difference"})
    if part == "form":
        forms = desktop.get("forms")
        return "form_post" in checks and bool(task["post"]) and (forms is None or forms["count"] > 0)
    vitals = desktop.get("vitals")
    return vitals is not None and is_slow(vitals)


class _Tour:
    def __init__(self, pages: Pages, task: dict[str, Any]) -> None:
        self.checks = set(task["checks"])
        self._pages = pages
        self._task = task
        self._url: str = task["url"]
        self._limits = Limits(**task["limits"])

    def desktop(self) -> None:
        """Look at the page as a laptop shows it, and at its draft."""
        with self._tab(DESKTOP) as tab:
            tab.world.observe()
            seen = tab.go(self._url)
            if seen["reached"]:
                # Taking a picture moves what these have measured.
                if "web_vitals" in self.checks:
                    tab.ask(seen, "vitals")
                if self.checks & {"screenshot", "visual_difference"}:
                    tab.picture(seen, self._pages, "desktop")
                for name, wanted in _QUESTIONS.items():
                    if not wanted or self.checks & wanted:
                        tab.ask(seen, name)
                if "accessibility" in self.checks:
                    tab.examine(seen)
            self._pages.keep("desktop", seen)
            if seen["reached"]:
                self._draft(tab, DESKTOP)

    def mobile(self) -> None:
        """Look at the page and its draft as a telephone shows them."""
        with self._tab(MOBILE) as tab:
            seen = tab.go(self._url)
            if seen["reached"]:
                tab.picture(seen, self._pages, "mobile")
                if "mobile_responsive" in self.checks:
                    tab.ask(seen, "document")
                    tab.ask(seen, "layout")
            self._pages.keep("mobile", seen)
            if seen["reached"]:
                self._draft(tab, MOBILE)

    def form(self) -> None:
        """Fill in the form and send it."""
        with self._tab(DESKTOP) as tab:
            tab.spare()
            seen = tab.go(self._url)
            if seen["reached"] and not seen.get("silent"):
                seen |= filling.fill_and_send(tab.view, self._task["post"], self._limits)
            self._pages.keep("form", seen)

    def again(self) -> None:
        """Measure once more how quick the page is."""
        with self._tab(DESKTOP) as tab:
            tab.world.observe()
            seen = tab.go(self._url)
            if seen["reached"]:
                tab.ask(seen, "vitals")
            self._pages.keep("again", seen)

    def _draft(self, tab: Tab, window: Window) -> None:
        """Draw the approved page at the live page's address, with its own policy, and nothing from the network."""
        policy = self._task.get("policy")
        if "visual_difference" not in self.checks or policy is None:
            return
        with tab.serving(self._url, self._pages.files[DRAFT], policy):
            drawn = tab.go(self._url)
            if drawn["reached"]:
                tab.picture(drawn, self._pages, f"draft-{window.name}")
        self._pages.keep(f"draft-{window.name}", drawn)
        pictures = self._pages.attachments
        if pictures.get(f"{window.name}.png") != pictures.get(f"draft-{window.name}.png"):
            # The first time that a browser draws with a typeface of the system it may take another one for it.
            again = tab.go(self._url)
            if again["reached"]:
                tab.picture(again, self._pages, f"again-{window.name}")

    @contextmanager
    def _tab(self, window: Window) -> Iterator[Tab]:
        with self._pages.view(
            width=window.width, height=window.height, mobile=window.mobile, seconds=self._limits.view
        ) as view:
            yield Tab(view, window, self._limits)


# What is asked of the page, and by which checks; the document itself always.
_QUESTIONS: dict[str, set[str]] = {
    "document": set(),
    "forms": {"waitlist_form", "form_post"},
    "links": {"broken_links"},
}
