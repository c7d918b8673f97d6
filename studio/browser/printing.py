"""Documents of our own, drawn by a browser that has no network and runs no scripts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.browser.printing_work import PDF, PNG, draw_pdf, draw_picture
from studio.browser.served import served
from studio.browser.session import Work, browser_session
from studio.settings import Settings

# Thirty pages with the fonts of every script take a few.
SECONDS = 60.0
# Ours, fonts included; a stranger's page may load far less.
_MAX_BYTES = 512 * 1024 * 1024

# Relative address → media type and bytes.
Files = Mapping[str, tuple[str, bytes]]


def print_pdf(
    settings: Settings,
    html: str,
    *,
    width_in: float,
    height_in: float,
    seconds: float = SECONDS,
    files: Files | None = None,
) -> bytes:
    """Return `html` as a PDF of pages that are `width_in` × `height_in` inches, without margins of the browser's own.

    What it shows is in it (`data:` addresses) or in `files`, which lie beside it: nothing else is reached, and no
    script runs. Raise `BrowserUnavailable` where there is no browser, or it takes longer than `seconds`.
    """
    size = {"width": f"{width_in}in", "height": f"{height_in}in"}
    return _drawn(settings, html, files, draw_pdf, size, PDF, seconds)


def picture(
    settings: Settings,
    html: str,
    *,
    width: int,
    height: int,
    scale: float = 1.0,
    seconds: float = SECONDS,
    files: Files | None = None,
) -> bytes:
    """Return the top `width` × `height` CSS pixels of `html` as a PNG, `scale` times as many of its own; as above."""
    size = {"width": width, "height": height, "scale": scale}
    return _drawn(settings, html, files, draw_picture, size, PNG, seconds)


def _drawn(
    settings: Settings, html: str, files: Files | None, work: Work, size: Mapping[str, Any], what: str, seconds: float
) -> bytes:
    with (
        served(html, files) as document,
        browser_session(settings, resolve=document.resolve, seconds=seconds, max_bytes=_MAX_BYTES) as session,
    ):
        return session.run(work, {**size, "url": document.url, "seconds": seconds}).files[what]
