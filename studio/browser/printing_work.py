"""What `studio.browser.printing` has done in the browser's process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from studio.browser.pages import Pages

if TYPE_CHECKING:
    from playwright.sync_api import Page

PDF = "document.pdf"
PNG = "document.png"


def draw_pdf(pages: Pages, task: dict[str, Any]) -> dict[str, Any]:
    """Attach the document at `url` as a PDF whose pages are `width` × `height` (CSS lengths)."""
    with _shown(pages, task, width=1280, height=720, scale=1.0) as page:
        data = page.pdf(
            width=task["width"],
            height=task["height"],
            print_background=True,
            margin={"top": "0", "right": "0", "bottom": "0", "left": "0"},
            tagged=True,
            outline=True,
        )
        pages.attach(PDF, data)
    return {}


def draw_picture(pages: Pages, task: dict[str, Any]) -> dict[str, Any]:
    """Attach the document's top `width` × `height` CSS pixels as a PNG."""
    with _shown(pages, task, width=task["width"], height=task["height"], scale=task["scale"]) as page:
        pages.attach(PNG, page.screenshot(animations="disabled"))
    return {}


@contextlib.contextmanager
def _shown(pages: Pages, task: dict[str, Any], *, width: int, height: int, scale: float) -> Iterator[Page]:
    seconds = task["seconds"]
    with pages.view(width=width, height=height, scale=scale, javascript=False, seconds=seconds) as view:
        view.page.goto(task["url"], wait_until="load", timeout=seconds * 1000)
        yield view.page
