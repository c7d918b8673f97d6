"""A window of a visit: a page is opened in it, waited for, asked and pictured. Runs in the browser's process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from studio.errors import OutboundFailed
from studio.page_checks.causes import cause
from studio.page_checks.isolated import Isolated, axe, script
from studio.page_checks.limits import PICTURE_HEIGHT, SMALLEST_TARGET, SMALLEST_TEXT, Limits, Window
from studio.page_checks.recording import REFUSED, UNREACHED, Recording

if TYPE_CHECKING:
    from studio.browser.pages import Pages, View

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


class Tab:
    """A window with a page in it, and the recording of what the page does."""

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
            arrival = self.view.go(
                url,
                answer_seconds=self._limits.load,
                settle_seconds=self._limits.load,
                stopping=self.recording.stop,
            )
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
            "timed_out": arrival.timed_out,
            "gave_up_at": arrival.gave_up_at,
        }
        if arrival.timed_out and self.recording.asked is not None:
            # Redirects have led there, of which nothing else tells.
            seen["hops"] = list(dict.fromkeys([url, self.recording.asked.url]))
        if seen["reached"]:
            self._settle(seen)
            self._move_on(seen)
            seen["settled_at"] = time.monotonic()
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

    def _move_on(self, seen: dict[str, Any]) -> None:
        """Tell of the page that is there by now: one may lead on to the next by itself."""
        at, shown, asked = self.view.page.url, self.recording.document, self.recording.asked
        if not at.startswith(("http:", "https:")):
            # An error page of the browser's own: what was asked for last could not be reached.
            error = (asked and asked.error) or "the browser shows a page of its own"
            moved, shown = (asked.url if asked else at), None
        elif shown is not None and shown.error in (REFUSED, UNREACHED):
            error, moved = shown.error, at
        else:
            seen["final_url"] = at
            if shown is not None and shown.status is not None:
                seen["status"] = shown.status
            if _bare(at) not in [_bare(hop) for hop in seen["hops"]]:
                seen["hops"].append(at)
            return
        seen |= {"reached": False, "error": f"it leads on to {moved}, and {error}"}
        seen["hops"].append(moved)

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


def _bare(url: str) -> str:
    return url.partition("#")[0].removesuffix("/")
