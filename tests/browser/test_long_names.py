"""A long name, or a name of one long word, has room: on pages, in the twins of decks and in papers, in every window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from studio import decks
from studio.brand import Brand, brand_of
from studio.decks import documents
from studio.sandbox.landing.compose import LAYOUTS
from studio.sandbox.landing.compose import page as landing_page
from tests.support import deck_samples as samples
from tests.support import sandbox_packets as sandbox
from tests.support.landing import landing_facts, prepared, sandbox_facts
from tests.support.size import FULL

WIDTHS = (360, 768, 1440)
HEIGHT = 800
NAMES = {
    "words": "The Neighbourhood Society for the Lending, Repairing and Passing On of Tools in the Northern Quarter Ltd",
    "one word": "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaftsmützenverleihverein",
}
# What is wrong with each place where the name stands: it is squeezed, it leaves the window, or it takes it over.
SQUEEZED = """
([name, most]) => {
  const wrong = [];
  const width = document.documentElement.clientWidth;
  const wide = document.documentElement.scrollWidth;
  if (wide > width) wrong.push(`wider than the window: ${wide}`);
  const plain = (text) => text.replace(/\\s+/g, ' ').trim().toLowerCase();
  for (const node of document.querySelectorAll('p,h1,b,a,figcaption,span')) {
    if (plain(node.textContent) !== plain(name)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (box.width < 2 || getComputedStyle(node).visibility === 'hidden') continue;
    const lines = new Set([...range.getClientRects()].map((line) => Math.round(line.top))).size;
    const size = `${Math.round(box.width)} × ${Math.round(box.height)}`;
    const shown = `${node.tagName}.${node.className} in ${lines} lines, ${size}`;
    if (box.left < -1 || box.right > width + 1) wrong.push(`out of the window: ${shown}`);
    if (box.height > most) wrong.push(`too high: ${shown}`);
    if (lines > 3 && box.width < width * 0.3) wrong.push(`squeezed: ${shown}`);
  }
  return wrong;
}
"""


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(reduced_motion="reduce")
    yield context.new_page()
    context.close()


def wrong_in(tab: Page, html: str, name: str) -> list[str]:
    """Return what is wrong with the name in any window."""
    tab.set_content(html)
    tab.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    found: list[str] = []
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": HEIGHT})
        found += [f"{width}: {line}" for line in tab.evaluate(SQUEEZED, [name, HEIGHT * 0.45])]
    return found


# Every layout with one of the names in turn, in full with both.
PAGES = [
    (direction, kind)
    for place, direction in enumerate(LAYOUTS)
    for turn, kind in enumerate(NAMES)
    if FULL or turn == place % len(NAMES)
]
LOOKS = 5 if FULL else 2


@pytest.mark.chaos
@pytest.mark.parametrize(("direction", "kind"), PAGES)
def test_a_long_name_has_room_on_every_page(tab: Page, direction: str, kind: str) -> None:
    facts = landing_facts("tools", name=NAMES[kind])
    html = prepared(landing_page(sandbox_facts(facts, direction)), facts)
    assert wrong_in(tab, html, NAMES[kind]) == []
    # The way to the form is there, whatever stands beside it.
    links = tab.evaluate(
        "[...document.querySelectorAll('a.go, nav a')].map((a) => a.getBoundingClientRect())"
        ".filter((box) => box.width > 0 && box.width < 24).length"
    )
    assert links == 0


def papers(name: str, brand: Brand) -> dict[str, str]:
    project: Any = samples.project(name, "An idea")
    version = samples.version(0, samples.pitch())
    return {
        "deck": decks.build(project, version, brand).html,
        "brief": sandbox.named_brief("tools", name).html,
        "plan": documents.phase2_plan(project, samples.version(2, samples.distribution()), brand).html,
        "checklist": documents.phase3_checklist(project, samples.version(3, samples.launch()), brand).html,
    }


@pytest.mark.chaos
@pytest.mark.parametrize("kind", NAMES)
def test_a_long_name_has_room_in_decks_and_papers(tab: Page, kind: str) -> None:
    name = NAMES[kind]
    for seed in (f"idea {number}" for number in range(LOOKS)):
        for what, html in papers(name, brand_of(None, seed, name)).items():
            assert wrong_in(tab, html, name) == [], (what, seed)
            # Where it was cut to fit, it still stands in full above.
            assert name in html


def test_the_means_of_this_test_notice_a_squeezed_name(tab: Page) -> None:
    name = NAMES["words"]
    html = f"<p style='width:80px'>{name}</p><p style='width:3000px;white-space:nowrap;font-size:40px'>{name}</p>"
    told = "\n".join(wrong_in(tab, html, name))
    assert "squeezed" in told
    assert "out of the window" in told
    assert "wider than the window" in told
