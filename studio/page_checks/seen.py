"""What a visit brought home, with the questions that every judgement asks of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from studio.addresses import DEFAULT_PORTS
from studio.page_checks.causes import Cause, cause_of
from studio.page_checks.owing import place

_PORTS = "Only the web's ports 80 and 443 are visited."


@dataclass(frozen=True)
class Seen:
    """A visit. `refused` maps host and port to why the guard did not let the browser go there.

    `failed` says the same of those that could not be reached, and `here` of those that nobody could tell of, because
    it lies with this machine's network or settings.
    """

    url: str
    pages: Mapping[str, Any] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    refused: Mapping[tuple[str, int], str] = field(default_factory=dict)
    failed: Mapping[tuple[str, int], str] = field(default_factory=dict)
    here: Mapping[tuple[str, int], str] = field(default_factory=dict)
    # Whether nothing but our own pages is visited: the settings say so.
    off: bool = False
    # Why the browser did not come back, where it did not.
    lost: str | None = None

    @property
    def desktop(self) -> Mapping[str, Any]:
        """The page in a laptop's window."""
        return self.pages.get("desktop") or {}

    @property
    def mobile(self) -> Mapping[str, Any]:
        """The page in a telephone's window."""
        return self.pages.get("mobile") or {}

    @property
    def final_url(self) -> str | None:
        """Where the page was in the end; None where nothing answered."""
        return self.desktop.get("final_url") if self.desktop.get("reached") else None

    def unreachable(self) -> Cause | None:
        """Return why nothing could be looked at; None where the page has answered."""
        if self.desktop.get("reached"):
            return None
        hops = self.desktop.get("hops") or [self.url]
        for hop in reversed([self.url, *hops]):
            if why := self.why_here(hop):
                return Cause(f"{hop} could not be visited from here: {why}", by_page=False, lasting=self.off)
            if why := self.why_refused(hop):
                allowed = "" if place(hop)[1] in DEFAULT_PORTS.values() else f" {_PORTS}"
                return Cause(f"The guard does not let {hop} be visited: {why}{allowed}", by_page=True)
        if self.lost:
            return Cause(f"The page could not be looked at: {self.lost}", by_page=False)
        failures = [why for hop in reversed(hops) if (why := self.failed.get(place(hop)))]
        # A connection that is given up breaks as well.
        if (why := next(iter(failures), None)) and not self.desktop.get("timed_out"):
            return Cause(f"The page could not be reached: {why}", by_page=True)
        return _unreached(self.desktop)

    def came_of_it(self) -> dict[str, Any]:
        """Return what is known of a page that could not be looked at.

        Where it was looked for (`url`, `hops`), the `status` of its answer, None where none came, and whether it has
        `ended` the look itself, such as by a crash.
        """
        ended = cause_of(self.desktop.get("ended"))
        asked = [one for one in self.desktop.get("requests", []) if one.get("main") and not one.get("framed")]
        return {
            "url": self.url,
            "hops": list(self.desktop.get("hops") or [self.url]),
            "status": asked[-1]["status"] if asked else None,
            "ended": ended is not None and ended.by_page,
        }

    def why_refused(self, url: str) -> str | None:
        """Return why the guard refuses the address, None where it does not."""
        return self.refused.get(place(url))

    def why_here(self, url: str) -> str | None:
        """Return why nothing can be told of the address from here, None where something can."""
        return self.here.get(place(url))

    def silence(self, window: str, *answers: str) -> Cause | None:
        """Return why one of the `answers` of the page in this window is missing; None where all are there."""
        page = self.pages.get(window)
        if page is None:
            return Cause(self.lost or "The page was not looked at", by_page=False)
        if not page.get("reached"):
            return _unreached(page)
        if silent := cause_of(page.get("silent")):
            told = "keeps the browser so busy that it answers nothing" if silent.by_page else "answered nothing in time"
            return Cause(f"The page {told}: {silent.why}", silent.by_page)
        for name in answers:
            if name not in page:
                why = cause_of(page.get(f"{name}_error")) or Cause(self.lost or "the browser had no time for it", False)
                return Cause(f"The page did not let itself be looked at: {why.why}", why.by_page)
        return None

    def no_picture(self, window: str, *, draft: bool = False) -> Cause | None:
        """Return why there is no picture of the page in this window, or of its draft there; None where there is one."""
        name = f"draft-{window}" if draft else window
        if name in self.pictures:
            return None
        page = self.pages.get(name) or {}
        why = cause_of(page.get("picture_error")) or self.silence(name) or self.silence(window)
        why = why or Cause(self.lost or "the browser had no time for it", by_page=False)
        which = " of the draft" if draft else ""
        # What keeps the approved page from being drawn is nothing that the live one does.
        return Cause(f"There is no {window} picture{which}: {why.why.rstrip('.')}", why.by_page and not draft)


def _unreached(page: Mapping[str, Any]) -> Cause:
    if ended := cause_of(page.get("ended")):
        return Cause(f"The page could not be looked at: {ended.why}", ended.by_page)
    why = str(page.get("error") or "nothing answered").rstrip(".")
    if page.get("timed_out") and not page.get("owed"):
        told = f"The page could not be reached in the time that the browser had for it: {why}"
        return Cause(told, by_page=False)
    return Cause(f"The page could not be reached: {why}", by_page=True)


def requests_of(page: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the requests of a page, without the picture in the tab, which browsers ask for by themselves."""
    return [one for one in page.get("requests", []) if urlsplit(one["url"]).path != "/favicon.ico"]
