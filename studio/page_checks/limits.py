"""What a page may take and what a picture of it may be: every bound of a visit, with its reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self


@dataclass(frozen=True)
class Window:
    """A window that a page is looked at in, in CSS pixels."""

    name: str
    width: int
    height: int
    mobile: bool = False


# Of the two pictures: a laptop's, and that of the narrowest telephone that is still sold.
DESKTOP = Window("desktop", 1440, 900)
MOBILE = Window("mobile", 375, 812, mobile=True)
# Below these a telephone's user cannot read or hit.
SMALLEST_TEXT = 12
SMALLEST_TARGET = 24
# Six screens of a laptop: more of a picture nobody looks at, and a page can be made as long as it likes.
PICTURE_HEIGHT = 6000


# What `GREENLIGHT_BROWSER_SECONDS` is where nobody says otherwise.
_USUAL_SECONDS = 240.0
_SCALED = ("view", "load", "settle", "answer", "picture", "form", "link", "links")


@dataclass(frozen=True)
class Limits:
    """How long each part of a visit may take, in seconds, and how much all of it may load.

    A page has finished loading when its load event came and no request was under way for `quiet`; one that never
    does is looked at as it stands after `load`.
    """

    # Whatever a page does in one window. The four that there are at most (a desk, a telephone, the form, a desk again)
    # take all of it only on a machine at its end, and then fit into a browser's life but for its start. So all times
    # but that of quiet are those of a browser that lives for `_USUAL_SECONDS`, and longer where it lives longer.
    view: float = 60.0
    # To answer, and as long again to load: visitors of a slower one are gone.
    load: float = 15.0
    quiet: float = 0.5
    # After the load event: pages that load forever in the background are looked at nevertheless.
    settle: float = 5.0
    # One question to the page; a page whose scripts keep its thread busy longer than this cannot be used either.
    answer: float = 15.0
    picture: float = 20.0
    # From pressing the button to the answer of whoever takes the form.
    form: float = 15.0
    link: float = 8.0
    links: float = 45.0
    # What all windows together may load: a page of fifty megabytes can still be told from one that does not answer.
    bytes: int = 128 * 1024 * 1024

    @classmethod
    def within(cls, seconds: float) -> Self:
        """Return the limits of a visit by a browser that may live for `seconds`."""
        usual = cls()
        share = seconds / _USUAL_SECONDS
        return replace(usual, **{name: getattr(usual, name) * share for name in _SCALED})

    def as_json(self) -> dict[str, Any]:
        """Return the limits as the browser's process is told them."""
        return asdict(self)
