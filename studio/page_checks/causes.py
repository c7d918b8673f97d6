"""Why something could not be seen: by the page's own doing, or because the browser had too little time for it.

The first is a finding. The second says nothing of the page: it is not measured, and worth another attempt. The causes
are told by the browser's process, as JSON, in words that need no knowledge of what drives the browser.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from studio.errors import OutboundFailed
from studio.text import clip

if TYPE_CHECKING:
    from playwright.sync_api import Error

    from studio.browser.pages import View

CAUSE_CHARS = 300
# Chromium's own words for a script that it has ended because its time was over.
_ENDED = ("execution was terminated", "timed out")


class Cause(NamedTuple):
    """Why something was not seen, as a clause without a full stop; `by_page` says that it is the page's own doing.

    `lasting` says that another attempt would not see it either.
    """

    why: str
    by_page: bool
    lasting: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the cause as it is brought home."""
        return {"why": self.why, "by_page": self.by_page}


def cause_of(told: Mapping[str, Any] | None) -> Cause | None:
    """Return a cause that was brought home; None where none was."""
    return None if told is None else Cause(str(told.get("why") or "no reason is known"), told.get("by_page") is True)


def cause(error: Error | OutboundFailed, view: View) -> Cause:
    """Return why a question to the page, or a deed on it, came to nothing."""
    from playwright.sync_api import TimeoutError

    if view.out_of_time:
        if view.busy():
            return Cause(f"it kept its thread to itself until its {view.seconds:g} seconds were over", by_page=True)
        return Cause(f"the {view.seconds:g} seconds that the browser had for it were over", by_page=False)
    if view.crashed:
        return Cause("its process crashed, or took more memory than there is", by_page=True)
    if isinstance(error, OutboundFailed):
        ended = any(words in error.message.lower() for words in _ENDED)
        return Cause("the browser had too little time for it", False) if ended else Cause(_clause(error.message), True)
    if "intercepts pointer events" in str(error):
        return Cause("something lies over it, so that it cannot be pressed", by_page=True)
    if isinstance(error, TimeoutError):
        if view.busy():
            return Cause("it keeps its thread to itself", by_page=True)
        return Cause("the browser had too little time for it", by_page=False)
    return Cause("the browser refused it", by_page=False)


def _clause(sentence: str) -> str:
    return clip(sentence.split("\n")[0].strip(), CAUSE_CHARS).rstrip(".")
