"""A founder's way through the studio, in a real browser on a real stack: whatever is killed, nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.story import PATIENCE_MS, Town, town, watched

IDEA = (
    "A tool library for city blocks: neighbours lend each other drills, ladders and sewing machines."
    " For people in flats who need a tool twice a year. $4 a month per household."
)
expect.set_options(timeout=PATIENCE_MS)

# Keeps every text that an element has ever shown, so that a repeat or a loss in between is seen as well.
_RECORD = """selector => {
  window.shown = [];
  const look = () => {
    const found = [...document.querySelectorAll(selector)].at(-1);
    if (found && window.shown.at(-1) !== found.textContent) window.shown.push(found.textContent);
  };
  look();
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""
_ANSWER = ".said.assistant .text"


@pytest.fixture(scope="module")
def place() -> Iterator[Town]:
    with town() as place:
        yield place


@pytest.fixture(scope="module")
def page(place: Town, browser: Browser) -> Iterator[Page]:
    with watched(browser) as (_, page):
        yield page


def slowly(place: Town, delay_ms: float) -> None:
    """Let the model take its time over the next chat, so that one can act in its middle."""
    place.fault("slow", delay_ms=delay_ms, match="<message>")


def tab(page: Page, name: str) -> None:
    """Go to a page of the project."""
    page.get_by_role("navigation", name="Project").get_by_role("link", name=name, exact=True).click()


def ask(page: Page, message: str) -> Locator:
    """Send a message; return the answer's bubble as soon as its first words are there."""
    answers = page.locator(_ANSWER)
    before = answers.count()
    page.get_by_label("Your message").fill(message)
    page.get_by_role("button", name="Send").click()
    bubble = answers.nth(before)
    expect(bubble).not_to_be_empty()
    return bubble


def stored(place: Town) -> dict[str, object]:
    """Return the newest answer of the database."""
    row = place.db.fetch_one(
        "select content, stopped from project_chat_messages where role = 'assistant' order by created_at desc limit 1"
    )
    assert row is not None
    return row


def words(text: object) -> str:
    return re.sub(r"\s+", " ", str(text)).strip()


def grew_without_a_slip(page: Page, whole: str) -> None:
    """Check that everything shown since the recording began is a beginning of the whole."""
    shown = [words(text) for text in page.evaluate("window.shown")]
    assert shown
    assert [text for text in shown if not words(whole).startswith(text)] == []


def is_whole(page: Page, place: Town, bubble: Locator) -> str:
    """Wait until the answer is stored and shown as it is stored; return it."""
    expect(page.locator(".said.pending")).to_have_count(0)
    content = str(stored(place)["content"])
    expect(bubble).to_have_text(content, use_inner_text=False)
    assert words(bubble.text_content()) == words(content)
    return content


def test_one_link_opens_the_studio_and_works_once(page: Page, place: Town) -> None:
    link = place.link()
    page.goto(link)
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    expect(page.get_by_text("Write down your first idea")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()


def test_an_idea_becomes_a_project_whose_first_phase_is_seen_at_work(page: Page) -> None:
    page.get_by_role("link", name="Write down your first idea").click()
    page.get_by_label("The idea").fill(IDEA)
    page.get_by_role("button", name="Create and launch the pitch").click()
    page.wait_for_url("**/projects/*-*")
    expect(page.get_by_text("running", exact=True).first).to_be_visible()
    # What the model says is there while the phase is still at work.
    expect(page.locator("[data-streamed]").first).not_to_be_empty()
    expect(page.locator("main")).to_contain_text("Read the pitch, then decide")
    expect(page.get_by_text("running", exact=True)).to_have_count(0)


def test_the_packet_is_read(page: Page) -> None:
    tab(page, "Pitch")
    expect(page.get_by_role("heading", level=1)).to_contain_text("A tool library for city blocks")
    main = page.locator("main")
    expect(main).to_contain_text("sandbox model")
    expect(main).to_contain_text("Competitors")


def test_the_gate_is_approved_in_the_inbox_and_the_next_phase_starts(page: Page) -> None:
    page.get_by_role("link", name=re.compile("^Inbox")).click()
    page.get_by_role("link", name="Review the Phase 0 packet", exact=True).click()
    page.get_by_role("button", name=re.compile("^Approve")).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Yes, move on").click()
    expect(page.get_by_role("heading", name="Approved")).to_be_visible()
    page.get_by_role("link", name="Projects", exact=True).first.click()
    page.get_by_role("link", name=re.compile("A tool library")).first.click()
    expect(page.locator("main")).to_contain_text("Validate")
    expect(page.get_by_text("running", exact=True).first).to_be_visible()


def test_a_chat_streams_and_a_reload_in_its_middle_loses_nothing(page: Page, place: Town) -> None:
    tab(page, "Chat")
    slowly(place, 60)
    ask(page, "Who is it for?")
    before = words(page.locator(_ANSWER).last.text_content())
    page.reload()
    page.evaluate(_RECORD, _ANSWER)
    bubble = page.locator(_ANSWER).last
    # Not from its beginning again: what had been said is there with the page.
    assert words(bubble.text_content()).startswith(before)
    whole = is_whole(page, place, bubble)
    grew_without_a_slip(page, whole)


def test_an_answer_is_stopped_and_what_was_read_stays(page: Page, place: Town) -> None:
    slowly(place, 150)
    bubble = ask(page, "What should we do next?")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".said.pending")).to_have_count(0)
    expect(page.get_by_text("You stopped it here.")).to_be_visible()
    assert stored(place)["stopped"] is True
    assert words(bubble.text_content()) == words(stored(place)["content"])


def test_the_page_recovers_from_a_killed_server_in_mid_stream(page: Page, place: Town) -> None:
    slowly(place, 120)
    bubble = ask(page, "What does it cost a household?")
    page.evaluate(_RECORD, _ANSWER)
    place.kill_studio()
    whole = is_whole(page, place, bubble)
    grew_without_a_slip(page, whole)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()


def test_signing_out_ends_it(page: Page, place: Town) -> None:
    page.goto(f"{place.studio}/settings")
    page.get_by_role("button", name=re.compile("Sign out")).first.click()
    page.wait_for_url("**/sign-in*")
    page.goto(place.studio)
    expect(page).to_have_url(re.compile("/sign-in"))
