"""A page follows its project's stream: it shows what is recorded, once, and loses neither that nor what is typed."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from studio import decisions
from studio.claims import Claim
from studio.database.connection import Database
from studio.events import NewEvent
from studio.listening import listening_socket
from studio.onboarding.scan import Meta, Scan
from tests.support.postgres import TestServer
from tests.support.story import Story
from tests.support.waiting import eventually
from tests.support.web import StudioThread, web_settings
from web.__main__ import server_of
from web.pages.static import version

STATIC = f"/static/{version()}"


class Studio(StudioThread):
    """A studio whose server may be stopped, and started again where it was."""

    def restart(self) -> None:
        self.settings = web_settings(self.settings.data_dir, app_base_url=self.url)
        self._socket = listening_socket("127.0.0.1", self._port)
        self._server = server_of(self.application, self.settings, self.database)
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self.__enter__()

    def stop(self) -> None:
        self._port: int = self._socket.getsockname()[1]
        self.__exit__()


@pytest.fixture(scope="module")
def studio(postgres: TestServer, database_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("studio") / "data"
    with postgres.temporary(database_template) as name, Database(postgres.url(name)) as database:
        with Studio(database, folder) as web:
            yield web  # type: ignore[misc]


@pytest.fixture(scope="module")
def context(browser: Browser, studio: Studio) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    with contextlib.closing(studio.sign_in("ada")) as client:
        cookies = client.cookies.items()
        context.add_cookies([{"name": name, "value": value, "url": studio.url} for name, value in cookies])
    yield context
    context.close()


@pytest.fixture
def tab(context: BrowserContext) -> Iterator[Page]:
    page = context.new_page()
    page.set_default_timeout(10_000)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    yield page
    page.close()
    assert not broken


@pytest.fixture
def story(studio: Studio) -> Story:
    return Story(studio.database, studio.settings, "ada", 0)


def is_live(tab: Page) -> None:
    expect(tab.locator("html[data-connection=live]")).to_have_count(1, timeout=10_000)


def visit(studio: Studio, tab: Page, path: str) -> None:
    tab.goto(studio.url + path)
    is_live(tab)


def bubble(tab: Page) -> Any:
    return tab.locator(".said.pending .text")


def asked(tab: Page, story: Story, studio: Studio, text: str = "What is next?") -> Claim:
    """Ask in the chat as a person does, and claim the job of the answer."""
    visit(studio, tab, f"/projects/{story.id}/chat")
    tab.fill("#message", text)
    with tab.expect_response(lambda answer: answer.request.method == "POST") as posted:
        tab.press("#message", "Enter")
    expect(tab.locator(".said.pending")).to_have_count(1)
    return story.claim(posted.value.json()["jobId"])


# --- a stream, as it is followed


def test_an_answer_is_streamed_begun_anew_and_stored(studio: Studio, tab: Page, story: Story) -> None:
    claim = asked(tab, story, studio)
    expect(tab.locator(".said.user .text")).to_have_text("What is next?")
    expect(tab.locator("#message")).to_have_value("")
    story.say(claim, "Ask ")
    story.say(claim, "<b>ten</b> neighbours")
    expect(bubble(tab)).to_have_text("Ask <b>ten</b> neighbours")
    story.fail(claim, "The model did not answer in time.", permanent=False)
    claim = story.claim(claim.job_id)
    expect(bubble(tab)).to_have_text("")
    story.say(claim, "Ask five.")
    expect(bubble(tab)).to_have_text("Ask five.")
    message = tab.locator(".said.user").get_attribute("data-key")
    assert message is not None
    tab.evaluate("window.bubble = document.querySelector('.said.pending')")
    story.answer(message.removeprefix("message-"), claim, "Ask five. See https://example.org/.")  # type: ignore[arg-type]
    expect(tab.locator(".said.pending")).to_have_count(0)
    expect(tab.locator("[data-answer] .text a")).to_have_attribute("href", "https://example.org/")
    assert tab.evaluate("window.bubble.isConnected"), "the bubble has become the answer"
    assert tab.locator("[data-announce]").inner_text().startswith("Greenlight: Ask five.")


def test_a_reload_in_mid_stream_loses_and_repeats_nothing(studio: Studio, tab: Page, story: Story) -> None:
    claim = asked(tab, story, studio)
    story.say(claim, "one ")
    expect(bubble(tab)).to_have_text("one ")
    tab.fill("#message", "And then?")
    tab.reload()
    assert bubble(tab).inner_text() == "one ", "the page itself has it"
    expect(tab.locator("#message")).to_have_value("And then?")
    story.say(claim, "two ")
    expect(bubble(tab)).to_have_text("one two ")


def test_a_page_outlives_its_server(studio: Studio, tab: Page, story: Story) -> None:
    claim = asked(tab, story, studio)
    story.say(claim, "before ")
    expect(bubble(tab)).to_have_text("before ")
    studio.stop()
    try:
        expect(tab.locator("html[data-connection=live]")).to_have_count(0)
        story.say(claim, "meanwhile ")
        tab.fill("#message", "Are you there?")
        tab.click(".composer button")
        expect(tab.locator(".composer [data-error]")).to_contain_text("No answer came from the studio.")
    finally:
        studio.restart()
    is_live(tab)
    expect(bubble(tab)).to_have_text("before meanwhile ")
    story.say(claim, "after")
    expect(bubble(tab)).to_have_text("before meanwhile after")
    expect(tab.locator("#message")).to_have_value("Are you there?")


def test_a_tab_that_nobody_sees_closes_its_stream(studio: Studio, tab: Page, story: Story) -> None:
    tab.clock.install()
    claim = asked(tab, story, studio)
    ended: list[str] = []
    tab.on("requestfailed", lambda request: ended.append(request.url) if "/events" in request.url else None)
    hide = "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
    hide += " document.dispatchEvent(new Event('visibilitychange')) }"
    tab.evaluate(hide, True)
    tab.clock.run_for(9_000)
    assert not ended, "a glance at another tab costs nothing"
    tab.clock.run_for(2_000)
    expect(tab.locator("html[data-connection=live]")).to_have_count(1)
    assert ended, "nobody sees it, so nobody follows"
    story.say(claim, "unseen")
    with tab.expect_response(lambda answer: "/events" in answer.url) as opened:
        tab.evaluate(hide, False)
    assert "cursor=" in opened.value.url
    expect(bubble(tab)).to_have_text("unseen")


def test_a_browser_full_of_pages_can_open_another_and_use_it(
    studio: Studio, context: BrowserContext, tab: Page, story: Story
) -> None:
    """A browser has six connections to a host, and each stream takes one for as long as it lasts."""
    others = [context.new_page() for _ in range(8)]
    try:
        for page in others:
            page.goto(f"{studio.url}/projects/{story.id}")
        tab.goto(f"{studio.url}/projects/{story.id}/chat")
        is_live(tab)
        told = [page.locator("[data-connection-text]") for page in others]
        eventually(lambda: sum(one.text_content() == "Live" for one in told) == 3, what="three other live pages")
        # A page that somebody turns to is live, and has not missed what happened meanwhile.
        paused = next(page for page, said in zip(others, told, strict=True) if said.text_content() != "Live")
        story.begin(phase=1)
        paused.keyboard.press("Shift")
        is_live(paused)
        expect(paused.locator("main")).to_contain_text("running")
    finally:
        for page in others:
            page.close()


def test_work_appears_speaks_and_ends_without_disturbing_the_reader(studio: Studio, tab: Page, story: Story) -> None:
    visit(studio, tab, f"/projects/{story.id}")
    expect(tab.locator("#work")).to_be_hidden()
    claim = story.begin("phase0.generate_packet", ownerClerkId="ada")
    expect(tab.locator(".work .badge")).to_have_text("running")
    story.step(claim, "research", seconds=0.4)
    tab.click(".work summary")
    story.say(claim, "Two competitors ", "synthesis")
    expect(tab.locator(".stream-text")).to_have_text("Two competitors ")
    story.say(claim, "were found.", "synthesis")
    expect(tab.locator(".stream-text")).to_have_text("Two competitors were found.")
    story.step(claim, "synthesis")
    expect(tab.locator(".steps li")).to_have_count(2)
    assert tab.locator(".work details").get_attribute("open") is not None
    expect(tab.locator(".work time[data-running]").first).to_have_text(re.compile(r"^\d+ s$"))
    story.company.gate(story.packet(0))
    claim.complete()
    expect(tab.locator("#work")).to_be_hidden()
    expect(tab.locator("#next h2")).to_have_text("Read the pitch, then decide")


def test_what_changes_without_a_job_is_seen_before_the_stream_ends(studio: Studio, tab: Page, story: Story) -> None:
    gate = story.company.gate(story.packet(0))
    tab.goto(f"{studio.url}/projects/{story.id}")
    is_live(tab)
    expect(tab.locator("#next")).to_contain_text("Read the pitch")
    decisions.decide(studio.database, gate.id, "denied", version=gate.version, decided_by="ada")
    # A stream that ends has everything read anew, after 20 seconds at the earliest.
    expect(tab.locator("#next")).not_to_contain_text("Read the pitch", timeout=10_000)


def test_an_answer_is_stopped_and_earlier_ones_come_without_a_jump(studio: Studio, tab: Page, story: Story) -> None:
    for number in range(70):
        story.db.execute(
            "insert into public.project_chat_messages (project_id, owner_clerk_id, role, content, created_at)"
            " values (%s, 'ada', 'assistant', %s, now() - make_interval(secs => %s))",
            [story.id, f"message {number:02}", 100 - number],
        )
    claim = asked(tab, story, studio)
    story.say(claim, "half an")
    expect(bubble(tab)).to_have_text("half an")
    tab.click(".said.pending button")
    eventually(
        lambda: story.db.fetch_one(
            "select 1 from public.agent_jobs where id = %s and cancel_requested_at is not null", [claim.job_id]
        ),
        10,
        "the wish to stop",
    )
    claim.cancel()
    expect(tab.locator("[data-answer]").last).to_contain_text("You stopped it here.")
    tab.evaluate("scrollTo(0, 0)")
    seen = tab.locator(".said", has_text="message 22").first
    expect(seen).to_be_attached()
    at = tab.evaluate("document.querySelector('#newest .said').getBoundingClientRect().top")
    tab.click("a[data-earlier]")
    expect(tab.locator(".said", has_text="message 02")).to_have_count(1)
    moved = tab.evaluate("document.querySelector('#newest .said').getBoundingClientRect().top") - at
    assert abs(moved) < 80, "what was read stays in sight"
    assert "/chat?before" not in tab.url


def test_a_project_is_begun_while_its_domain_is_looked_at(studio: Studio, tab: Page, story: Story) -> None:
    visit(studio, tab, "/projects/new")
    tab.fill("#idea", "Bread by bicycle to offices before nine.")
    with tab.expect_response(lambda answer: answer.request.method == "POST") as asked_for:
        tab.fill("#domain", "bread.example")
        tab.press("#domain", "Tab")
    expect(tab.locator("[data-scan]")).to_contain_text("The scan is in the queue.")
    claim = story.claim(UUID(asked_for.value.json()["jobId"]))
    story.tell(claim, NewEvent("log", "Fetched https://bread.example/ <b>", {"level": "INFO"}))
    expect(tab.locator(".scan-steps li").first).to_have_text("Fetched https://bread.example/ <b>")
    meta = Meta(title="<i>Warm</i> bread", description="Bread by bicycle", description_from="meta")
    url = "https://bread.example/"
    scan = Scan(domain="bread.example", url=url, dns="live", http_status=200, existing_content="site", meta=meta)
    claim.write(lambda conn: claim.save_step(conn, "conclude", scan.model_dump(mode="json")))
    claim.complete()
    expect(tab.locator(".scan-facts")).to_contain_text("<i>Warm</i> bread")
    expect(tab.locator(".rough")).to_contain_text("Rough preview")
    tab.reload()
    expect(tab.locator("#idea")).to_have_value("Bread by bicycle to offices before nine.")
    expect(tab.locator("#domain")).to_have_value("bread.example")
    tab.click("[data-launches]")
    tab.wait_for_url("**/projects/*-*")
    expect(tab.locator("#next h2")).to_have_text("The pitch is being made")
    visit(studio, tab, "/projects/new")
    expect(tab.locator("#idea")).to_have_value("")


def test_what_no_project_can_have_is_to_be_corrected(studio: Studio, tab: Page, story: Story) -> None:
    visit(studio, tab, "/projects/new")
    tab.fill("#idea", "A tool library.")
    tab.fill("#repo", "no repository at all")
    tab.press("#repo", "Tab")
    expect(tab.locator("[data-scan] .warn")).to_contain_text("Correct it: with it, the project cannot be created.")
    tab.click("text=Only create it")
    expect(tab.locator("#new-project [data-error]")).to_contain_text("repository")
    expect(tab.locator("#idea")).to_have_value("A tool library.")
    tab.fill("#repo", "")
    tab.click("text=Only create it")
    tab.wait_for_url("**/projects/*-*")
    expect(tab.locator("#next h2")).to_have_text("Launch the pitch")


# --- forms


FORM = """() => {
  const form = document.createElement('form');
  form.id = 'tried';
  form.dataset.api = 'POST /api/tried';
  form.dataset.draft = 'tried';
  form.innerHTML = `<input name="version" type="hidden" value="3" data-type="number">
    <textarea name="guidance"></textarea><input name="days" value="7" data-type="number">
    <input name="areas" value="a, b" data-type="list"><input type="checkbox" name="deploy" data-type="boolean" checked>
    <input name="empty"><input name="nothing" data-empty="null">
    <button name="decision" value="approved">Approve</button><p data-error role="alert" hidden></p>`;
  document.querySelector('main').append(form);
}"""


def test_a_form_loses_nothing_and_says_what_went_wrong(studio: Studio, tab: Page, story: Story) -> None:
    answers: Iterator[dict[str, Any]] = iter(
        [
            {"status": 422, "json": {"error": "The guidance is too short. Write a sentence."}},
            {"status": 409, "json": {"error": "It is another version.", "expectedVersion": 5}},
            {"status": 401, "json": {"error": "Sign in first."}},
            {"status": 502, "body": "<html>bad gateway"},
            {"status": 200, "json": {"ok": True}},
        ]
    )
    sent: list[Any] = []

    def answer(route: Route) -> None:
        sent.append(route.request.post_data_json)
        assert tab.evaluate("document.querySelector('#tried button').disabled"), "it is sent once"
        route.fulfill(**next(answers))

    visit(studio, tab, f"/projects/{story.id}")
    tab.evaluate(FORM)
    tab.route("**/api/tried", answer)
    tab.fill("#tried textarea", "shorter")
    said = tab.locator("#tried [data-error]")
    for expected in (
        "The guidance is too short. Write a sentence.",
        "you decided on version 3, and it is version 5 now. Nothing was done.",
        "You are signed out. What you wrote is still here",
        "The studio did not say what went wrong.",
    ):
        tab.click("#tried button")
        expect(said).to_contain_text(expected)
        expect(tab.locator("#tried textarea")).to_have_value("shorter")
        expect(tab.locator("#tried button")).to_be_enabled()
    assert tab.evaluate("sessionStorage.getItem('greenlight-draft:tried')"), "a reload would not lose it either"
    tab.click("#tried button")
    expect(tab.locator("#tried[data-dirty]")).to_have_count(0)
    expect(said).to_be_hidden()
    assert sent[-1] == {
        "version": 3,
        "guidance": "shorter",
        "days": 7,
        "areas": ["a", "b"],
        "deploy": True,
        "nothing": None,
        "decision": "approved",
    }
    assert tab.evaluate("sessionStorage.getItem('greenlight-draft:tried')") is None


def test_what_cannot_be_undone_is_asked_first(studio: Studio, tab: Page, story: Story) -> None:
    claim = story.begin("phase0.generate_packet", ownerClerkId="ada")
    visit(studio, tab, f"/jobs/{claim.job_id}")
    wished = "select 1 from public.agent_jobs where id = %s and cancel_requested_at is not null"
    for choice in ("Cancel", "Stop"):
        tab.click("#job form button")
        dialog = tab.locator("dialog[open]")
        expect(dialog).to_contain_text("Stop this?")
        assert tab.evaluate("document.activeElement.textContent") == "Cancel"
        assert story.db.fetch_one(wished, [claim.job_id]) is None
        dialog.get_by_role("button", name=choice, exact=True).click()
        expect(dialog).to_have_count(0)
    eventually(lambda: story.db.fetch_one(wished, [claim.job_id]), 10, "the wish to stop")
    expect(tab.locator("#job")).to_contain_text("It is being stopped.")


def test_two_people_change_the_settings_and_neither_takes_back_what_the_other_has_changed(
    studio: Studio, context: BrowserContext, tab: Page, story: Story
) -> None:
    path = f"/projects/{story.id}/settings"
    visit(studio, tab, path)
    other = context.new_page()
    try:
        visit(studio, other, path)
        tab.fill("#ads-cap", "12.5")
        other.uncheck("#may-email_send")
        other.get_by_role("button", name="Save permissions").click()
        expect(other.locator("[data-result]")).to_contain_text("Saved.")
        with tab.expect_request(lambda sent: sent.method == "PUT") as put:
            tab.get_by_role("button", name="Save permissions").click()
        assert put.value.post_data_json == {"ads_budget_cap": 12.5}
        expect(tab.locator("[data-result]")).to_contain_text("Saved.")
        expect(tab.locator("#may-email_send")).not_to_be_checked()
        # Nobody is editing there: it follows, also where it was saved before.
        expect(other.locator("#ads-cap")).to_have_value("12.5")
        other.get_by_role("button", name="Save permissions").click()
        expect(other.locator("#permissions [data-error]")).to_have_text("Nothing was changed.")
    finally:
        other.close()


def test_a_page_becomes_the_packet_that_it_waits_for(studio: Studio, tab: Page, story: Story) -> None:
    visit(studio, tab, f"/projects/{story.id}/phases/0")
    expect(tab.locator("main")).to_contain_text("There is no pitch yet")
    story.company.gate(story.packet(0))
    expect(tab.locator(".packet-main")).to_have_count(1)
    expect(tab.locator("main")).to_contain_text("This waits for your decision.")
    expect(tab.locator("main")).not_to_contain_text("There is no pitch yet")


def test_what_was_typed_outlives_a_decision_made_elsewhere(studio: Studio, tab: Page, story: Story) -> None:
    gate = story.company.gate(story.packet(0))
    visit(studio, tab, f"/inbox/{gate.id}")
    expect(tab.locator("main")).to_contain_text("What a yes does")
    tab.click("[data-key=revise] summary")
    tab.fill("#guidance", "Say who carries the drill up the stairs")
    decisions.decide(studio.database, gate.id, "approved", version=1, decided_by="ada")
    kept = tab.locator("[data-drafts]")
    expect(kept).to_be_visible()
    expect(kept.locator("textarea")).to_have_value("Say who carries the drill up the stairs")
    expect(tab.locator("main")).not_to_contain_text("What a yes does")
    kept.get_by_role("button", name="Discard it").click()
    expect(kept).to_be_hidden()
    tab.reload()
    expect(tab.locator("[data-drafts]")).to_be_hidden()


def test_a_message_that_is_too_long_is_typed_and_told(studio: Studio, tab: Page, story: Story) -> None:
    asked(tab, story, studio)
    assert tab.evaluate("document.querySelector('#message').matches(':placeholder-shown')")
    border = "getComputedStyle(document.querySelector('#message')).borderColor"
    quiet = tab.evaluate(border)
    tab.fill("#message", "y" * 3120)
    expect(tab.locator("#message-count")).to_have_text("3,120 of 3,000 characters: 120 too many.")
    assert tab.evaluate(border) == quiet
    tab.press("#message", "Enter")
    expect(tab.locator(".composer [data-error]")).to_contain_text("3,120 characters")
    expect(tab.locator("#message")).to_have_value("y" * 3120)
    tab.fill("#message", "short")
    expect(tab.locator("#message-count")).to_be_hidden()


# --- the pieces


def test_a_part_is_changed_around_its_reader(studio: Studio, tab: Page, story: Story) -> None:
    visit(studio, tab, f"/projects/{story.id}/activity")
    result = tab.evaluate(
        """async (folder) => {
          const { morph } = await import(`${folder}/morph.js`);
          const part = document.createElement('section');
          part.innerHTML = `<ul><li data-key="a">A</li><li data-key="b"><input value="1"></li></ul>
            <details><summary>s</summary><p>old</p></details><p>gone</p>
            <div data-keep="x">filled</div>
            <form data-dirty><input name="v" value="3"></form><form><input name="v" value="3"></form>`;
          document.querySelector('main').append(part);
          const input = part.querySelector('li input');
          input.focus(); input.value = 'typed'; input.setSelectionRange(1, 3);
          part.querySelector('details').open = true;
          const b = part.querySelector('[data-key=b]');
          const fresh = document.createElement('section');
          fresh.className = 'new';
          fresh.innerHTML = `<ul><li data-key="c">C</li><li data-key="b"><input value="2"></li>
            <li data-key="a">A2</li></ul>
            <details><summary>s</summary><p>new</p></details>
            <div data-keep="x">server</div>
            <form><input name="v" value="4"></form><form><input name="v" value="4"></form>`;
          morph(part, fresh);
          return {
            order: [...part.querySelectorAll('li')].map((li) => li.dataset.key).join(''),
            same: part.querySelector('[data-key=b]') === b,
            focus: document.activeElement === input, value: input.value,
            selection: [input.selectionStart, input.selectionEnd],
            open: part.querySelector('details').open, text: part.querySelector('details p').textContent,
            a: part.querySelector('[data-key=a]').textContent, gone: part.textContent.includes('gone'),
            kept: part.querySelector('[data-keep]').textContent,
            forms: [...part.querySelectorAll('form input')].map((i) => i.value),
            class: part.className,
          };
        }""",
        STATIC,
    )
    assert result == {
        "order": "cba",
        "same": True,
        "focus": True,
        "value": "typed",
        "selection": [1, 3],
        "open": True,
        "text": "new",
        "a": "A2",
        "gone": False,
        "kept": "filled",
        "forms": ["3", "4"],
        "class": "new",
    }


def test_morphing_anything_into_anything_gives_just_that(studio: Studio, tab: Page, story: Story) -> None:
    visit(studio, tab, f"/projects/{story.id}/activity")
    wrong = tab.evaluate(
        """async (folder) => {
          const { morph } = await import(`${folder}/morph.js`);
          let seed = 7;
          const random = (n) => (seed = (seed * 16807) % 2147483647) % n;
          const made = (depth) => {
            const node = document.createElement(['p', 'b', 'i'][random(3)]);
            const keys = 'abcdef'.split('').sort(() => random(3) - 1);
            if (random(2)) node.className = 'c' + random(3);
            for (let n = random(5); n > 0; n--) {
              if (depth && random(2)) {
                const child = made(depth - 1);
                if (random(2)) child.dataset.key = keys.pop();
                node.append(child);
              } else node.append(random(4) ? 't' + random(9) : document.createComment('x'));
            }
            return node;
          };
          const wrong = [];
          for (let round = 0; round < 400; round++) {
            const from = document.createElement('div'), to = document.createElement('div');
            from.append(made(3), made(2)); to.append(made(3), made(2));
            const wanted = to.cloneNode(true), began = from.innerHTML;
            morph(from, to);
            if (!from.isEqualNode(wanted)) wrong.push([began, wanted.innerHTML, from.innerHTML]);
          }
          return wrong.slice(0, 2);
        }""",
        STATIC,
    )
    assert wrong == []


def test_frames_are_read_from_pieces_of_any_size(studio: Studio, tab: Page, story: Story) -> None:
    visit(studio, tab, f"/projects/{story.id}/activity")
    stream = (
        ": ping\r\n\r\nid: 7\r\nevent: message\r\ndata: {\"a\":1}\r\n\r\n"
        "data: zwei\ndata:Zeilen – ü\n\nevent: changed\rdata: {}\r\rretry: 5\nid: 8\ndata: last\n\ndata: never"
    )  # fmt: skip
    found = tab.evaluate(
        """async ([folder, text]) => {
          const { FrameReader } = await import(`${folder}/frames.js`);
          const bytes = new TextEncoder().encode(text);
          const all = [];
          for (let size = 1; size <= bytes.length; size++) {
            const reader = new FrameReader(), frames = [];
            for (let at = 0; at < bytes.length; at += size) frames.push(...reader.push(bytes.slice(at, at + size)));
            all.push(JSON.stringify(frames));
          }
          return [...new Set(all)].map((one) => JSON.parse(one));
        }""",
        [STATIC, stream],
    )
    assert found == [
        [
            {"event": "message", "data": '{"a":1}', "id": "7"},
            {"event": "message", "data": "zwei\nZeilen – ü", "id": "7"},
            {"event": "changed", "data": "{}", "id": "7"},
            {"event": "message", "data": "last", "id": "8"},
        ]
    ]


def test_moments_are_written_for_the_reader(studio: Studio, tab: Page, story: Story, tmp_path: Path) -> None:
    visit(studio, tab, f"/projects/{story.id}/activity")
    said = tab.evaluate(
        """async (folder) => {
          const { write, duration } = await import(`${folder}/moments.js`);
          const now = Date.parse('2026-03-03T12:00:00Z');
          const ago = (seconds, style, more = '') => {
            const root = document.createElement('div');
            const at = new Date(now - seconds * 1000).toISOString();
            root.innerHTML = `<time datetime="${at}" data-moment="${style}" ${more}>server</time>`;
            write(root, now);
            return root.textContent;
          };
          return [ago(3, 'relative'), ago(60, 'relative'), ago(7200, 'relative'), ago(-3600, 'relative'),
            ago(75, 'elapsed', 'data-running'), ago(75, 'elapsed'), ago(-5, 'elapsed', 'data-running'), duration(7440)];
        }""",
        STATIC,
    )
    assert said == ["just now", "1 minute ago", "2 hours ago", "in 1 hour", "1 min 15 s", "server", "0 s", "2 h 4 min"]
