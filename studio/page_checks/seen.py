"""What a visit brought home, with the questions that every judgement asks of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from studio.addresses import DEFAULT_PORTS


@dataclass(frozen=True)
class Seen:
    """A visit. `refused` maps host and port to why the guard did not let the browser go there."""

    url: str
    pages: Mapping[str, Any] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    refused: Mapping[tuple[str, int], str] = field(default_factory=dict)
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

    def unreachable(self) -> str | None:
        """Return why nothing could be looked at, as a sentence; None where the page has answered."""
        if self.desktop.get("reached"):
            return None
        hops = self.desktop.get("hops") or [self.url]
        for hop in reversed([self.url, *hops]):
            if why := self.why_refused(hop):
                return f"The guard does not let {hop} be visited: {why}"
        if self.lost:
            return f"The page could not be looked at: {self.lost}"
        return _unreached(self.desktop)

    def why_refused(self, url: str) -> str | None:
        """Return why the guard refuses the address, None where it does not."""
        try:
            parts = urlsplit(url)
            port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
        except ValueError:
            return None
        return self.refused.get((parts.hostname or "", port))

    def silence(self, window: str, *answers: str) -> str | None:
        """Return why one of the `answers` of the page in this window is missing; None where all are there."""
        page = self.pages.get(window)
        if page is None:
            return self.lost or "The page was not looked at."
        if not page.get("reached"):
            return _unreached(page)
        if page.get("silent"):
            return f"The page keeps the browser so busy that it answers nothing: {page['silent']}."
        for name in answers:
            if name not in page:
                return f"The page did not let itself be looked at: {page.get(f'{name}_error') or 'no answer'}."
        return None


def _unreached(page: Mapping[str, Any]) -> str:
    why = str(page.get("error") or "nothing answered").removesuffix(".")
    return f"The page could not be reached: {why}."


def requests_of(page: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the requests of a page, without the picture in the tab, which browsers ask for by themselves."""
    return [one for one in page.get("requests", []) if urlsplit(one["url"]).path != "/favicon.ico"]
