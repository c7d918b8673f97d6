"""What the tests have done in the browser's process."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from studio.browser.pages import Pages


def look(pages: Pages, task: dict[str, Any]) -> dict[str, Any]:
    """Visit `url`, wait until the page says that it has `finished`, do `script`, and tell what has happened."""
    from playwright.sync_api import Error

    answer: dict[str, Any] = {"error": None, "value": None}
    with pages.view(width=800, height=600, seconds=task.get("seconds", 60)) as view:
        try:
            arrival = view.go(task["url"], settle_seconds=task.get("settle", 30), answer_seconds=task.get("answer", 30))
            answer["arrival"] = asdict(arrival)
            if task.get("finishes"):
                view.page.wait_for_function("window.finished === true")
            if "script" in task:
                answer["value"] = view.page.evaluate(task["script"])
            pages.attach("page.png", view.page.screenshot())
        except Error as exc:
            answer["error"] = exc.message
        answer |= {"url": view.page.url, "pages": len(view.page.context.pages)}
        for name in ("popups", "dialogs", "downloads", "crashed", "out_of_time"):
            answer[name] = getattr(view, name)
    return answer


def visit(pages: Pages, task: dict[str, Any]) -> dict[str, Any]:
    """Visit `urls` one after another, and tell where each visit has ended, and where the page was then."""
    with pages.view(width=800, height=600, seconds=60) as view:
        return {"visits": [{**asdict(view.go(url)), "at": view.page.url} for url in task["urls"]]}


def break_down(pages: Pages, task: dict[str, Any]) -> dict[str, Any]:
    pages.keep("before", 1)
    raise KeyError("no such thing")


def hold(pages: Pages, task: dict[str, Any]) -> dict[str, Any]:
    """Keep a page that keeps itself busy, for ever."""
    with pages.view(width=800, height=600, seconds=3600) as view:
        view.page.set_content("<p>here")
        pages.keep("holding", True)
        view.page.evaluate("while (true);")
    return {}


def surroundings(pages: Pages, task: dict[str, Any]) -> dict[str, Any]:
    import os

    return {"environment": dict(os.environ), "folder": os.getcwd()}
