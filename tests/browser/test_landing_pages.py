"""Landing pages in a real browser: they load and run nothing, fit every window, and can be read and used by anybody."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from studio.landing.directions import choose
from studio.landing.problems import DocumentRefused
from studio.sandbox.landing.compose import LAYOUTS, page
from tests.support.landing import IDEAS, hostile_documents, landing_facts, prepared, sandbox_facts
from tests.support.size import FULL

WIDTHS = (320, 375, 1280)
ADDRESS = "http://pages.test/launch/x"

LOOK = (Path(__file__).parent / "look.js").read_text(encoding="utf-8")


class Visit:
    """A tab that remembers what a page asked for and complained about; only the page itself is ever served."""

    def __init__(self, browser: Browser, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.tab: Page = self.context.new_page()
        self.asked: list[str] = []
        self.said: list[str] = []
        self.html = ""
        self.context.route("**/*", self._serve)
        self.tab.on("console", lambda message: self.said.append(message.text))
        self.tab.on("pageerror", lambda error: self.said.append(str(error)))
        self.tab.on("dialog", lambda dialog: (self.said.append(f"dialog {dialog.message}"), dialog.dismiss()))

    def _serve(self, route: Any) -> None:
        if route.request.url == ADDRESS and route.request.is_navigation_request():
            route.fulfill(body=self.html, content_type="text/html; charset=utf-8")
        else:
            self.asked.append(f"{route.request.method} {route.request.url}")
            route.fulfill(body="", content_type="text/plain")

    def open(self, html: str) -> Page:
        """Show a page. No policy is sent along: the page has to be harmless by itself."""
        self.html = html
        self.tab.goto(ADDRESS)
        return self.tab


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    visit = Visit(browser, reduced_motion="reduce")
    yield visit
    visit.context.close()


@functools.cache
def stored(idea: str, direction: str) -> str:
    facts = landing_facts(idea)
    return prepared(page(sandbox_facts(facts, direction)), facts)


@pytest.mark.parametrize("direction", LAYOUTS)
def test_a_page_fits_every_window_and_can_be_read(visit: Visit, direction: str) -> None:
    for idea in ("long words", "hostile"):
        tab = visit.open(stored(idea, direction))
        for scheme in ("light", "dark"):
            tab.emulate_media(color_scheme=scheme)
            for width in WIDTHS if scheme == "light" else (375,):
                tab.set_viewport_size({"width": width, "height": 800})
                assert tab.evaluate(LOOK) == [], f"{idea}, {width}, {scheme}"
    # A favicon is the browser's own wish.
    assert [url for url in visit.asked if "favicon" not in url] == []
    assert visit.said == []


@pytest.mark.parametrize("idea", [name for name in IDEAS if name not in ("long words", "hostile")])
def test_an_idea_in_its_own_direction(visit: Visit, idea: str) -> None:
    tab = visit.open(stored(idea, choose(IDEAS[idea][1])[0].key))
    for width in (320, 1280):
        tab.set_viewport_size({"width": width, "height": 800})
        assert tab.evaluate(LOOK) == []


# Lines in which each word of the headline stands; one word in two lines was broken.
BROKEN = """() => {
  const headline = document.querySelector('h1');
  const found = [];
  const walker = document.createTreeWalker(headline, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    for (const word of walker.currentNode.data.matchAll(/[^\\s-]+/g)) {
      const range = document.createRange();
      range.setStart(walker.currentNode, word.index);
      range.setEnd(walker.currentNode, word.index + word[0].length);
      if (range.getClientRects().length > 1) found.push(word[0]);
    }
  }
  return found;
}"""


HEADLINES = ("tools", "nurses", "photos")


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("direction", "idea"),
    [
        (direction, idea)
        for place, direction in enumerate(LAYOUTS)
        for turn, idea in enumerate(HEADLINES)
        if FULL or turn == place % len(HEADLINES)
    ],
)
def test_no_word_of_a_headline_is_broken(visit: Visit, direction: str, idea: str) -> None:
    tab = visit.open(stored(idea, direction))
    for width in (375, 768, 1440):
        tab.set_viewport_size({"width": width, "height": 800})
        assert tab.evaluate(BROKEN) == [], width


# The form is the same piece of every layout; what may differ is what stands before it.
@pytest.mark.chaos
@pytest.mark.parametrize("direction", LAYOUTS if FULL else list(LAYOUTS)[::3])
def test_the_keyboard_leads_to_the_form_and_the_form_sends(visit: Visit, direction: str) -> None:
    tab = visit.open(stored("tools", direction))
    tab.keyboard.press("Tab")
    # The first stop leads past everything, and can be seen when it is reached.
    assert tab.evaluate("document.activeElement.className") == "skip"
    assert tab.locator(".skip").bounding_box()["y"] >= 0  # type: ignore[index]
    stops: list[str] = []
    while "submit" not in stops and len(stops) < 12:
        tab.keyboard.press("Tab")
        stops.append(tab.evaluate("document.activeElement.name || document.activeElement.type || ''"))
    assert stops[-3:] == ["email", "name", "submit"]
    assert "website" not in stops
    tab.get_by_label("Email address").fill("a@b.example")
    tab.get_by_label("Name (optional)").fill("Ada")
    with tab.expect_request("**/api/waitlist") as sent:
        tab.get_by_role("button", name="Join the waitlist").click()
    assert sent.value.method == "POST"
    assert sent.value.post_data == (
        "email=a%40b.example&name=Ada&project_id=3f2b8c1e-0000-4000-8000-000000000001&source=landing_page&website="
    )


def test_the_browser_asks_for_an_address_before_it_sends(visit: Visit) -> None:
    tab = visit.open(stored("tools", "swiss"))
    tab.get_by_label("Email address").fill("no address")
    tab.get_by_role("button", name="Join the waitlist").click()
    assert tab.evaluate("document.querySelector('[name=email]').matches(':invalid')")
    assert not [asked for asked in visit.asked if "waitlist" in asked]


def test_no_attack_comes_through(visit: Visit) -> None:
    tried = 0
    for name, source in hostile_documents().items():
        try:
            html = prepared(source)
        except DocumentRefused:
            continue
        tab = visit.open(html)
        tab.mouse.move(60, 60)
        tab.evaluate(
            "document.querySelectorAll('a,svg *').forEach(node => node.dispatchEvent(new MouseEvent('click')))"
        )
        assert tab.evaluate("window.pwned === undefined"), name
        assert tab.url.split("#")[0] == ADDRESS, name
        tried += 1
    assert tried >= 55
    assert [asked for asked in visit.asked if "favicon" not in asked] == []
    assert [said for said in visit.said if "dialog" in said] == []


def test_the_means_of_this_test_notice_an_attack(visit: Visit) -> None:
    tab = visit.open(
        "<script>window.pwned = 1</script><img src=https://evil.test/x.png><h1 style='width:3000px'>x</h1>"
    )
    assert tab.evaluate("window.pwned === 1")
    assert "GET https://evil.test/x.png" in visit.asked
    assert tab.evaluate(LOOK) != []


def test_nothing_moves_for_those_who_prefer_that(browser: Browser) -> None:
    running = "document.getAnimations().filter(animation => animation.playState === 'running').length"
    for preference, moves in (("no-preference", True), ("reduce", False)):
        visit = Visit(browser, reduced_motion=preference)
        tab = visit.open(stored("nurses", "nocturne"))
        assert (tab.evaluate(running) > 0) is moves
        visit.context.close()
