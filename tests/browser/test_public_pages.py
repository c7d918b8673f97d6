"""What visitors see, in a real browser: the published page works under its policy, and our own pages look right."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page

from studio import links
from studio.database.connection import Database
from studio.landing.document import consent_text, prepare
from tests.integration.web.conftest import Town
from tests.support.waiting import eventually
from tests.support.web import WebThread

NAME = "Wheels & Bread"
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}
DRAFT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bread by bicycle</title>
<style>
body{margin:0;font:18px/1.5 Georgia,serif;background:#f6efe2;color:#2b1d0e}
main{max-width:40rem;margin:auto;padding:3rem 1.25rem}
h1{font-size:clamp(2rem,8vw,4rem);line-height:1;margin:0 0 1rem}
input,button{font:inherit;padding:.7rem 1rem;width:100%;box-sizing:border-box;margin:.25rem 0}
button{background:#7a2e0e;color:#fff;border:0}
</style></head>
<body><main><h1>Bread, warm, at your door by seven</h1><p>A bakery that delivers by bicycle.</p>
<form data-waitlist><label for="e">Your address</label><input id="e" type="email" name="email">
<label for="n">Your name</label><input id="n" name="name"><button>Keep me a loaf</button></form></main></body></html>
"""
# A sign that something ran that must not.
ATTACK = "<script>document.title='attacked'</script><img src=x onerror=\"document.title='attacked'\">"


@pytest.fixture
def town(database: Database, tmp_path: Path) -> Iterator[Town]:
    with WebThread(database, tmp_path / "data") as web:
        town = Town(web)
        yield town
        town.http.close()


@pytest.fixture(params=["phone", "desktop"])
def tab(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(
        viewport=PHONE if request.param == "phone" else DESKTOP,
        color_scheme="dark" if request.param == "phone" else "light",
    )
    yield context.new_page()
    context.close()


def published(town: Town, html: str | None = None) -> UUID:
    project = town.project(html=None, name=NAME)
    town.publish(
        project, html or prepare(DRAFT, project_id=project, consent=consent_text(NAME, "en"), action="/api/waitlist")
    )
    return project


def fits(tab: Page) -> bool:
    """Whether nothing sticks out at the side."""
    width: int = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width <= 0


def look(tab: Page, name: str) -> None:
    """Leave a picture where GREENLIGHT_PICTURES says, for somebody to look at."""
    if folder := os.environ.get("GREENLIGHT_PICTURES"):
        size = tab.viewport_size or PHONE
        tab.screenshot(path=Path(folder) / f"{name}-{size['width']}.png", full_page=True)


def test_a_visitor_joins_confirms_and_leaves(town: Town, tab: Page) -> None:
    project = published(town)
    tab.goto(f"{town.web.url}/launch/{project}")
    assert tab.inner_text("h1") == "Bread, warm, at your door by seven"
    assert tab.evaluate("getComputedStyle(document.querySelector('button')).backgroundColor") == "rgb(122, 46, 14)"
    assert fits(tab)
    tab.fill("input[name=email]", "ann@example.org")
    tab.fill("input[name=name]", "Ann")
    trap = tab.locator("[data-trap]").bounding_box()
    assert trap is not None
    assert max(trap["width"], trap["height"]) <= 1, "nobody sees the field for machines"
    with tab.expect_navigation():
        tab.click("text=Keep me a loaf")
    assert tab.inner_text("h1") == "Check your inbox"
    assert fits(tab)
    look(tab, "thanks")
    signup = town.signup(project)
    assert (signup["status"], signup["metadata"]) == ("pending", {"name": "Ann"})
    assert signup["consent"]["words"] == consent_text(NAME, "en")

    tab.goto(town.web.url + town.confirm_path())
    assert NAME in tab.inner_text("h1")
    assert fits(tab)
    look(tab, "confirm")
    with tab.expect_navigation():
        tab.click("button")
    assert tab.inner_text("h1") == "You are on the list"
    look(tab, "confirmed")
    assert town.signup(project)["status"] == "confirmed"
    with tab.expect_navigation():
        tab.click("text=Back to the page")
    assert tab.url == f"{town.web.url}/launch/{project}"

    tab.goto(links.unsubscribe_url(town.web.settings, project, "ann@example.org"))
    look(tab, "unsubscribe")
    assert fits(tab)
    with tab.expect_navigation():
        tab.click("button")
    assert tab.inner_text("h1") == "That was the last mail"
    look(tab, "unsubscribed")
    assert town.signup(project)["status"] == "unsubscribed"


def test_what_gets_into_a_page_does_not_run(town: Town, tab: Page) -> None:
    """The page was approved; should something have got through all the same, the browser is told not to run it."""
    attack = f"<!doctype html><title>calm</title>{ATTACK}<form action='https://elsewhere.test/' method=post><button>x"
    project = published(town, attack)
    said: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.goto(f"{town.web.url}/launch/{project}")
    assert tab.title() == "calm"
    assert tab.evaluate("window.origin") == "null"
    # Playwright would wait for the navigation that does not come.
    tab.click("button", no_wait_after=True)
    eventually(lambda: (tab.wait_for_timeout(20), any("form-action" in text for text in said))[1], 10, "the refusal")
    assert tab.url == f"{town.web.url}/launch/{project}", "its form goes nowhere else"


@pytest.mark.parametrize(
    ("path", "status", "heading"),
    [("/nothing", 404, "Nothing here"), ("/waitlist/confirm/forged", 404, "This link is not valid")],
)
def test_an_error_is_a_page_that_fits(town: Town, tab: Page, path: str, status: int, heading: str) -> None:
    answer = tab.goto(town.web.url + path)
    assert answer is not None
    assert (answer.status, tab.inner_text("h1")) == (status, heading)
    assert fits(tab)
    look(tab, f"error-{status}{path.count('/')}")


def test_long_words_of_strangers_do_not_break_our_pages(town: Town, tab: Page) -> None:
    project = town.project(name="Donaudampfschifffahrtsgesellschaftskapitänsmützenfabrik" * 2 + ATTACK)
    local = "a" * 60
    town.join(project, f"{local}@{'b' * 60}.example.org")
    tab.goto(town.web.url + town.confirm_path(f"{local}@{'b' * 60}.example.org"))
    assert fits(tab)
    assert tab.title() == "Confirm your place"
    look(tab, "long")


def test_who_was_entered_by_a_stranger_ends_it(town: Town, tab: Page) -> None:
    project = published(town)
    town.join(project)
    tab.goto(links.block_url(town.web.settings, project, "ann@example.org"))
    contrast = tab.evaluate(_CONTRASTS)
    assert min(contrast.values()) >= 4.5, contrast
    assert fits(tab)
    look(tab, "block")
    with tab.expect_navigation():
        tab.click("text=No mail from anybody here")
    assert tab.inner_text("h1") == "That was the last mail"
    assert "Nobody here writes" in tab.inner_text("p")
    look(tab, "blocked")


def test_our_pages_can_be_read_and_used_without_a_mouse(town: Town, tab: Page) -> None:
    project = published(town)
    town.join(project)
    tab.goto(town.web.url + town.confirm_path())
    contrast = tab.evaluate(_CONTRASTS)
    assert contrast, "there is text"
    assert min(contrast.values()) >= 4.5, contrast
    assert tab.evaluate("document.documentElement.lang") == "en"
    assert tab.locator("h1").count() == tab.locator("main").count() == 1
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.tagName") == "BUTTON"
    with tab.expect_navigation():
        tab.keyboard.press("Enter")
    assert town.signup(project)["status"] == "confirmed"


# The contrast of every text with the nearest ground that is painted (WCAG 2.2, 1.4.3).
_CONTRASTS = """() => {
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const ground = node => { for (; node; node = node.parentElement) {
    const c = rgb(getComputedStyle(node).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c;
  } return [255, 255, 255]; };
  const found = {};
  for (const node of document.querySelectorAll('h1, p, strong, a, button')) {
    const pair = [light(rgb(getComputedStyle(node).color)), light(ground(node))].sort((a, b) => b - a);
    found[node.tagName + ' ' + node.innerText.slice(0, 20)] = (pair[0] + 0.05) / (pair[1] + 0.05);
  }
  return found;
}"""
