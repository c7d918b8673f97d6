"""What a piece of work in the browser's process gets: pages with everything closed that a page does not need.

Each view is a context of its own: no cookies, no storage, no cache of another. Its time is limited, and that limit is
kept against a page that keeps its own thread busy: nothing but the end of its process frees whoever waits for it.
"""

from __future__ import annotations

import contextlib
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil

from studio.egress.connection import OURS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, CDPSession, Dialog, Page, Response

VIEW_SECONDS = 30.0
# Redirects included; a server that takes longer has visitors who have left.
ANSWER_SECONDS = 20.0
SETTLE_SECONDS = 10.0
# Between two attempts to end what draws a page whose time is up; a new process may have taken its place.
_KILL_PAUSE_SECONDS = 0.2
# A page has kept its thread when what draws it took this share of the time, and more than a heavy page takes to be
# drawn. A machine with much else to do gives a waiting page neither.
_BUSY_SHARE = 0.1
_BUSY_SECONDS = 2.0
_MAX_HOPS = 20
_SCHEMES = ("http", "https")


@dataclass(frozen=True)
class Arrival:
    """Where a visit has ended.

    `failure` says why there is no page; else `status` is the answer's, `url` the last of `hops`, and `loaded` whether
    the page finished loading in its time. `timed_out` says that the failure is nothing but the end of the time, and
    `gave_up_at` (a reading of `time.monotonic`) when answer or end were no longer waited for.
    """

    status: int | None
    url: str
    loaded: bool
    failure: str | None
    hops: list[str] = field(default_factory=list)
    timed_out: bool = False
    gave_up_at: float | None = None


class View:
    """One page, and what it has tried."""

    def __init__(self, page: Page, devtools: CDPSession, seconds: float) -> None:
        self.page = page
        self.seconds = seconds
        self.popups = 0
        self.dialogs = 0
        self.downloads = 0
        self.crashed = False
        self.out_of_time = False
        self._devtools = devtools
        self._began = time.monotonic()
        self._busy_at_the_end = False

    def busy(self) -> bool:
        """Say whether the page has been working nearly all the time: then it is the page that does not answer.

        Else who waits for it in vain waits for the machine.
        """
        if self.out_of_time:
            return self._busy_at_the_end
        least = max(_BUSY_SHARE * (time.monotonic() - self._began), min(_BUSY_SECONDS, _BUSY_SHARE * self.seconds))
        return _drawing_seconds() >= least

    def end(self) -> None:
        """Note that the time is over, and whether it was the page that took it."""
        self._busy_at_the_end = self.busy()
        self.out_of_time = True

    def go(
        self,
        url: str,
        *,
        settle_seconds: float = SETTLE_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        stopping: Callable[[], None] = lambda: None,
    ) -> Arrival:
        """Visit `url`: wait at most `answer_seconds` for its answer, then `settle_seconds` for the end of its loading.

        A page that goes on loading is stopped, and stays; `stopping` is called just before. What the guard refuses and
        what is no web address is a failure like any other. Raise Playwright's `Error` where the page's process has
        ended, as at the end of time.
        """
        from playwright.sync_api import Error, TimeoutError

        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in _SCHEMES or not parts.hostname or "@" in parts.netloc:
            return Arrival(None, url, loaded=False, failure="Only http and https addresses are visited.")
        try:
            response = self.page.goto(url, wait_until="commit", timeout=answer_seconds * 1000)
        except TimeoutError:
            gave_up_at = self._stop(stopping)
            failure = f"There was no answer within {answer_seconds:g} s."
            return Arrival(None, url, loaded=False, failure=failure, timed_out=True, gave_up_at=gave_up_at)
        except Error as exc:
            if self.crashed or self.page.is_closed():
                raise
            return Arrival(None, url, loaded=False, failure=_brief(exc.message))
        if response is None:
            return Arrival(None, url, loaded=False, failure="The address led to no page.")
        hops = _hops(response)
        if OURS.lower() in response.headers:
            return Arrival(None, hops[-1], loaded=False, failure=f"{hops[-1]} may not or cannot be visited.", hops=hops)
        try:
            self.page.wait_for_load_state("load", timeout=settle_seconds * 1000)
        except TimeoutError:
            gave_up_at = self._stop(stopping)
            return Arrival(response.status, hops[-1], loaded=False, failure=None, hops=hops, gave_up_at=gave_up_at)
        return Arrival(response.status, hops[-1], loaded=True, failure=None, hops=hops)

    def _stop(self, stopping: Callable[[], None]) -> float:
        now = time.monotonic()
        stopping()
        self._devtools.send("Page.stopLoading")
        return now


class Pages:
    """Makes views, and carries results back."""

    def __init__(self, browser: Browser, files: Mapping[str, bytes], keep: Callable[[str, Any], None]) -> None:
        self.files = dict(files)
        self.attachments: dict[str, bytes] = {}
        self._browser = browser
        self._keep = keep

    def attach(self, name: str, data: bytes) -> None:
        """Send `data` back with the result."""
        self.attachments[name] = data

    def keep(self, name: str, value: Any) -> None:
        """Tell the worker a JSON value at once: it has it even if the rest of the work comes to nothing."""
        self._keep(name, value)

    @contextlib.contextmanager
    def view(
        self,
        *,
        width: int,
        height: int,
        scale: float = 1.0,
        mobile: bool = False,
        javascript: bool = True,
        offline: bool = False,
        seconds: float = VIEW_SECONDS,
    ) -> Iterator[View]:
        """An empty page of `width` × `height` CSS pixels, for `seconds` at most.

        After that its processes are killed, whatever they do: each call that waits for the page raises Playwright's
        `Error`, and `out_of_time` is set.
        """
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
            is_mobile=mobile,
            has_touch=mobile,
            java_script_enabled=javascript,
            offline=offline,
            accept_downloads=False,
            service_workers="block",
            locale="en-US",
            timezone_id="UTC",
        )
        view: View | None = None
        alarm = _Alarm(seconds, lambda: view)
        try:
            # None of them: what a page asks for is denied.
            context.grant_permissions([])
            context.set_default_timeout(seconds * 1000)
            page = context.new_page()
            view = View(page, context.new_cdp_session(page), seconds)
            _close_everything_else(context, view)
            with alarm:
                yield view
        finally:
            _close(context)


def _close_everything_else(context: BrowserContext, view: View) -> None:
    from playwright.sync_api import Error

    def window(_: Any) -> None:
        # It is asked for here whether Chromium blocks it or not.
        view.popups += 1

    def other_page(page: Page) -> None:
        with contextlib.suppress(Error):
            page.close()

    def dialog(shown: Dialog) -> None:
        view.dialogs += 1
        with contextlib.suppress(Error):
            shown.dismiss()

    def download(_: Any) -> None:
        view.downloads += 1

    def crash(_: Any) -> None:
        view.crashed = True

    context.on("page", other_page)
    view._devtools.on("Page.windowOpen", window)
    view._devtools.send("Page.enable")
    view.page.on("dialog", dialog)
    view.page.on("download", download)
    view.page.on("crash", crash)


def _close(context: BrowserContext) -> None:
    from playwright.sync_api import Error

    # A browser that is gone has closed it already, and whoever comes next is told.
    with contextlib.suppress(Error):
        context.close()


class _Alarm:
    """Kills what draws pages when the time is up: a thread, because the main one may be waiting for just that page."""

    def __init__(self, seconds: float, view: Callable[[], View | None]) -> None:
        self._seconds = seconds
        self._view = view
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="alarm", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        if self._over.wait(self._seconds):
            return
        view = self._view()
        if view is not None:
            view.end()
        while True:
            _kill_renderers()
            if self._over.wait(_KILL_PAUSE_SECONDS):
                return


def _kill_renderers() -> None:
    for process in _renderers():
        with contextlib.suppress(psutil.Error):
            process.kill()


def _renderers() -> Iterator[psutil.Process]:
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "--type=renderer" in process.cmdline():
                yield process


def _drawing_seconds() -> float:
    """Return how long the processor has worked for that process which draws pages and took most of it."""
    worked = [0.0]
    for process in _renderers():
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            worked.append(times.user + times.system)
    return max(worked)


def _hops(response: Response) -> list[str]:
    hops = [response.url]
    request = response.request.redirected_from
    while request is not None and len(hops) < _MAX_HOPS:
        hops.insert(0, request.url)
        request = request.redirected_from
    return hops


def _brief(message: str) -> str:
    """Playwright's first line, without the name of the call: `net::ERR_NAME_NOT_RESOLVED at …`."""
    line = message.strip().split("\n", 1)[0]
    return line.removeprefix("Page.goto: ")
