"""What could not be seen for lack of time is told apart from what a page does, in words for whoever owns the page."""

from __future__ import annotations

from typing import Any, cast

import pytest
from playwright.sync_api import TimeoutError

from studio.browser.pages import View
from studio.errors import InvalidInput
from studio.page_checks.appearance import mobile_responsive, screenshot
from studio.page_checks.causes import Cause, cause
from studio.page_checks.difference import visual_difference
from studio.page_checks.loading import failed_requests
from studio.page_checks.origins import require_visitable
from studio.page_checks.posting import form_post
from studio.page_checks.seen import Seen
from studio.settings import Settings

HURRY = "The browser's time was over before its work was done."
DESKTOP: dict[str, Any] = {
    "reached": True,
    "status": 200,
    "loaded": True,
    "document": {"text_chars": 90},
    "requests": [],
}


class Tab:
    """What a cause is told by: the state of a view, which no page of a test can be brought into without waiting."""

    seconds = 60.0
    crashed = False

    def __init__(self, *, worked: bool, over: bool = False) -> None:
        self.worked, self.out_of_time = worked, over

    def busy(self) -> bool:
        return self.worked


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize("worked", [False, True])
def test_a_page_is_only_blamed_for_what_it_was_seen_to_do(over: bool, worked: bool) -> None:
    error = TimeoutError("Locator.fill: Timeout 3000ms exceeded.\nCall log: waiting")
    found = cause(error, cast("View", Tab(worked=worked, over=over)))
    assert found.by_page is worked
    assert "Locator" not in found.why
    assert not found.why.endswith(".")


def test_when_the_time_is_over_what_was_not_reached_is_not_measured() -> None:
    seen = Seen("https://example.org/", {"desktop": DESKTOP}, lost=HURRY)
    results = [screenshot(seen), mobile_responsive(seen), visual_difference(seen)[0]]
    results.append(form_post(seen, own=True, asked=False, arrival=lambda: None))
    for result in results:
        assert result.outcome == "not measured", result.check
        assert "time was over" in result.summary
        assert not result.summary.endswith("..")


def test_a_crash_is_the_pages_own() -> None:
    crashed = Cause("its process crashed", by_page=True).as_json()
    result = screenshot(Seen("https://example.org/", {"desktop": {**DESKTOP, "picture_error": crashed}}))
    assert (result.outcome, result.summary) == ("failed", "There is no desktop picture: its process crashed.")


def test_without_a_form_none_is_sent_however_little_time_there_was() -> None:
    seen = Seen("https://example.org/", {"desktop": {**DESKTOP, "forms": {"count": 0, "forms": []}}}, lost=HURRY)
    result = form_post(seen, own=True, asked=False, arrival=lambda: None)
    assert (result.outcome, result.summary) == ("failed", "There is no form.")


def test_a_blocked_picture_is_listed_once() -> None:
    blocked = {"url": "http://10.0.0.1/a.png", "kind": "Image", "status": None, "error": "blocked", "ended": True}
    result = failed_requests(Seen("https://example.org/", {"desktop": {**DESKTOP, "requests": [blocked, blocked]}}))
    assert len(result.evidence["failed"]) == len(result.evidence["problems"]) == 1


def test_a_load_that_lacks_nothing_but_its_end_is_not_measured() -> None:
    result = failed_requests(Seen("https://example.org/", {"desktop": {**DESKTOP, "loaded": False}}))
    assert result.outcome == "not measured"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://10.0.0.1/", "not public"),
        ("http://127.0.0.1:8002/", "not public"),
        ("http://0x7f.1/", "not public"),
        ("https://[::1]/", "not public"),
        ("http://localhost/", "local network"),
        ("https://example.org:8443/", "ports 80 and 443"),
    ],
)
def test_what_is_never_visited_is_refused_when_asked_for(url: str, told: str) -> None:
    settings = Settings(pages_base_url="http://127.0.0.1:8001")
    with pytest.raises(InvalidInput, match=told):
        require_visitable(settings, url)
    for allowed in ("http://127.0.0.1:8001/launch/x", "https://example.org/", "http://example.org:443/"):
        require_visitable(settings, allowed)
