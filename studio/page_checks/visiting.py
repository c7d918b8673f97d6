"""The visit: a page is opened in a laptop's and in a telephone's window, measured, pictured, and its form filled in.

Runs in the browser's process and judges nothing: it brings home what there was, as JSON, and the pictures. What it
brings was made by the page, so whoever reads it trusts none of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from studio.errors import OutboundFailed
from studio.page_checks import filling
from studio.page_checks.causes import cause
from studio.page_checks.isolated import Isolated, axe, script
from studio.page_checks.limits import DESKTOP, MOBILE, PICTURE_HEIGHT, Limits, Window
from studio.page_checks.recording import Recording
from studio.page_checks.speed import is_slow

if TYPE_CHECKING:
    from studio.browser.pages import Pages, View

# Below these a telephone's user cannot read or hit (`mobile_responsive` gives the reasons).
SMALLEST_TEXT = 12
SMALLEST_TARGET = 24
DRAFT = "draft.html"
# The windows of a visit, in their order. Each is done by itself, so that none is lost with the next.
PARTS = ("desktop", "mobile", "form", "again")

_AXE = """axe.run(document, { iframes: false, resultTypes: ['violations', 'incomplete'] }).then((found) => ({
  version: axe.version,
  passes: found.passes.length,
  incomplete: found.incomplete.map((rule) => rule.id),
  violations: found.violations.map((rule) => ({
    rule: rule.id, impact: rule.impact, help: rule.help, count: rule.nodes.length,
    targets: rule.nodes.slice(0, 5).map((node) => String(node.target).slice(0, 200)),
  })),
}))"""
_FONTS = "document.fonts.ready.then(() => document.fonts.status)"
_STILL = "for (const moving of document.getAnimations()) { try { moving.finish(); } catch { moving.cancel(); } }; null"
_A_MOMENT = 50


def visit(pages: Pages, task: dict[str, Any]) -> dict[str, Any]:
    """Visit `task["url"]` for `task["checks"]` in one window, which `task["part"]` names; the pictures are attached.

    The parts are `PARTS`, in their order. The task further holds `limits`; for the form `post` (the address to leave,
    and the origins it may be left at); for the comparison `policy`, with which the file `draft.html` is drawn (null
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

    def _draft(self, tab: _Tab, window: Window) -> None:
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
    def _tab(self, window: Window) -> Iterator[_Tab]:
        with self._pages.view(
            width=window.width, height=window.height, mobile=window.mobile, seconds=self._limits.view
        ) as view:
            yield _Tab(view, window, self._limits)


class _Tab:
    def __init__(self, view: View, window: Window, limits: Limits) -> None:
        self.view = view
        self.window = window
        session = view.page.context.new_cdp_session(view.page)
        self.world = Isolated(session)
        self.recording = Recording()
        self.recording.attach(view.page, session)
        self._limits = limits

    def go(self, url: str) -> dict[str, Any]:
        """Open the page and wait until it is quiet; return whether something answered, what and where, or why not.

        Also what it has asked for and complained of: what comes after this is no longer the page's own doing.
        """
        from playwright.sync_api import Error

        began = time.monotonic()
        self.recording.begin()
        try:
            arrival = self.view.go(url, answer_seconds=self._limits.load, settle_seconds=self._limits.load)
        except Error as exc:
            # Its process has ended: it took all the memory, or all the time, that there was.
            ended = cause(exc, self.view).as_json()
            return {"reached": False, "hops": [url], "ended": ended} | self.recording.as_json()
        seen: dict[str, Any] = {
            "reached": arrival.status is not None,
            "status": arrival.status,
            "final_url": arrival.url,
            "hops": list(arrival.hops),
            "loaded": arrival.loaded,
            "error": arrival.failure,
        }
        if seen["reached"]:
            self._settle(seen)
        closed = {"popups": self.view.popups, "dialogs": self.view.dialogs, "downloads": self.view.downloads}
        return seen | self.recording.as_json() | {"closed": closed, "seconds": time.monotonic() - began}

    def ask(self, seen: dict[str, Any], name: str) -> None:
        """Put one of our scripts to the page, and its answer into `seen` under its name."""
        self._ask(seen, name, script("common.js"), script(f"{name}.js"))

    def examine(self, seen: dict[str, Any]) -> None:
        """Have axe look at the page."""
        self._ask(seen, "axe", axe(), _AXE)

    def picture(self, seen: dict[str, Any], pages: Pages, name: str) -> None:
        """Take a picture of the whole page, at most `PICTURE_HEIGHT` high."""
        from playwright.sync_api import Error

        if seen.get("silent"):
            return
        page = self.view.page
        try:
            page.emulate_media(reduced_motion="reduce")
            picture = page.screenshot(
                full_page=True,
                clip={"x": 0, "y": 0, "width": self.window.width, "height": PICTURE_HEIGHT},
                animations="disabled",
                caret="hide",
                scale="css",
                timeout=self._limits.picture * 1000,
            )
            # The next page of this tab is drawn under the same conditions as this one was.
            page.emulate_media(reduced_motion="no-preference")
        except Error as exc:
            seen["picture_error"] = cause(exc, self.view).as_json()
            return
        pages.attach(f"{name}.png", picture)

    def spare(self) -> None:
        """Have this tab load nothing that a form can do without: it has been looked at before."""
        self.view.page.route(
            "**/*",
            lambda route: (
                route.abort() if route.request.resource_type in ("image", "media", "font") else route.continue_()
            ),
        )

    @contextmanager
    def serving(self, url: str, html: bytes, policy: str) -> Iterator[None]:
        """Have this tab be given `html` where it asks for the page, and nothing where it asks for more."""
        bare = url.split("#")[0]

        def give(route: Any) -> None:
            if route.request.url == bare and route.request.is_navigation_request():
                headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}
                route.fulfill(body=html, headers=headers)
            else:
                route.abort()

        self.view.page.route("**/*", give)
        yield
        self.view.page.unroute("**/*", give)

    def _settle(self, seen: dict[str, Any]) -> None:
        from playwright.sync_api import Error

        page, limits = self.view.page, self._limits
        try:
            # A page whose own scripts never let go of its thread answers no question either.
            self._answering()
            end = time.monotonic() + limits.settle
            while time.monotonic() < end and (self.recording.busy() or self.recording.quiet_for() < limits.quiet):
                page.wait_for_timeout(_A_MOMENT)
        except Error as exc:
            seen["silent"] = cause(exc, self.view).as_json()
            return
        self._ask(seen, "fonts", _FONTS)
        self._ask(seen, "still", _STILL)

    def _answering(self) -> None:
        """Wait until the page's thread is free; where it only lacks the processor, as long as there is time at all."""
        from playwright.sync_api import TimeoutError

        while True:
            try:
                self.view.page.wait_for_function("true", timeout=self._limits.answer * 1000)
            except TimeoutError:
                if self.view.busy():
                    raise
            else:
                return

    def _ask(self, seen: dict[str, Any], name: str, *parts: str) -> None:
        from playwright.sync_api import Error

        if seen.get("silent"):
            return
        try:
            seen[name] = self.world.ask(
                *parts,
                seconds=self._limits.answer,
                SMALLEST_TEXT=SMALLEST_TEXT,
                SMALLEST_TARGET=SMALLEST_TARGET,
            )
        except (Error, OutboundFailed) as exc:
            seen[f"{name}_error"] = cause(exc, self.view).as_json()


# What is asked of the page, and by which checks; the document itself always.
_QUESTIONS: dict[str, set[str]] = {
    "document": set(),
    "forms": {"waitlist_form", "form_post"},
    "links": {"broken_links"},
}
