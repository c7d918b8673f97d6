"""A project's pages show what its rows say, all of it as text, and nothing of it to anybody else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from studio import shares
from studio.claims import Claim
from studio.events import NewEvent
from studio.packets.diff import Change
from tests.integration.studio_web.conftest import Desk
from tests.support import deck_samples
from tests.support.deck_samples import HOSTILE
from tests.support.story import SAMPLES, Story
from tests.support.web import WebThread
from web.linked import linked
from web.packet_view import PacketView, compared, differences, web_address

# What a packet may only have from a list, or as a number of its own kind.
_BOUND = {"decision", "recommendation", "status", "runtime_mode", "action_type", "scanned_at", "url", "quote_sha256"}


@pytest.fixture(scope="module")
def story(desk: Desk) -> Story:
    story = Story(desk.db, desk.web.settings, "ada")
    story.everything()
    story.working()
    return story


@pytest.fixture(scope="module")
def public(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with WebThread(desk.db, tmp_path_factory.mktemp("public")) as web:
        with httpx.Client(base_url=web.url) as client:
            yield client


class Reader(HTMLParser):
    """What a browser would make of a page: its elements, and its text without styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._silent = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._silent = tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._silent = False

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def read(client: httpx.Client, path: str, status: int = 200) -> Reader:
    answer = client.get(path)
    assert answer.status_code == status, (path, answer.status_code, answer.text[:300])
    return Reader(answer.text)


def harmless(page: Reader) -> None:
    """Assert that nothing of what was stored has become an element, a handler or a link to elsewhere than the web."""
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        assert "style" not in attributes
        for name in ("href", "src", "action"):
            if name in attributes:
                assert urlsplit(attributes[name]).scheme in ("", "http", "https"), (tag, attributes)
    assert all(script["src"].startswith("/static/") for script in page.all("script"))
    assert not [image for image in page.all("img") if image.get("src") == "x"]


def poisoned(value: Any) -> Any:
    """Return a packet every free text of which is hostile, and every source of which is no web address."""
    if isinstance(value, dict):
        return {
            key: "javascript:alert(1)" if key == "url" else item if key in _BOUND else poisoned(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    return HOSTILE.replace("\x00", "") if isinstance(value, str) else value


def pages_of(story: Story) -> list[str]:
    base = f"/projects/{story.id}"
    job = story.db.fetch_one("select id from public.agent_jobs where project_id = %s limit 1", [story.id])
    message = story.db.fetch_one(
        "select id from public.project_chat_messages where project_id = %s order by created_at desc limit 1", [story.id]
    )
    assert job is not None
    assert message is not None
    return [
        base,
        f"{base}/phases/0",
        f"{base}/phases/0?version=1",
        f"{base}/phases/0?version=2&against=1",
        f"{base}/phases/1",
        f"{base}/phases/2",
        f"{base}/chat",
        f"{base}/chat?before={message['id']}",
        f"{base}/activity",
        f"/jobs/{job['id']}",
        *(f"/parts{base}/{part}" for part in ("next", "overview", "work", "activity", "chat")),
        f"/parts{base}/chat/earlier?before={message['id']}",
        f"/parts{base}/phases/0/state?shown=1",
        f"/parts{base}/phases/0/shares",
        f"/parts/jobs/{job['id']}",
    ]


def test_every_page_is_the_owners_alone(desk: Desk, story: Story) -> None:
    for path in pages_of(story):
        assert desk.ada.get(path).status_code == 200, path
        assert desk.bob.get(path).status_code == 404, path
        assert desk.stranger.get(path).status_code == 303, path
    assert "Hallway" in read(desk.ada, "/projects").text
    assert "Hallway" not in read(desk.bob, "/projects").text


def test_what_is_not_there_is_not_there(desk: Desk, story: Story) -> None:
    base = f"/projects/{story.id}"
    for path in (
        f"{base}/phases/4",
        f"{base}/phases/0?version=99",
        f"{base}/phases/2?version=1",
        f"{base}/phases/0?against=99",
        f"{base}/activity?before={uuid4()}",
        f"{base}/chat?before={uuid4()}",
        f"/jobs/{uuid4()}",
        f"/projects/{uuid4()}",
    ):
        assert desk.ada.get(path).status_code == 404, path


def test_the_overview_says_what_is_next_and_what_is_at_work(desk: Desk, story: Story) -> None:
    page = read(desk.ada, f"/projects/{story.id}")
    assert "Read the validation, then decide" in page.text
    assert "attempt 2 of 3" in page.text
    assert "Two pages speak of notices on boards" in page.text
    assert "web_search: tool library notice board results" in page.text
    assert "$0.18 so far" in page.text
    assert page.all("body")[0]["data-events"] == f"/api/projects/{story.id}/events"
    seq = page.all("body")[0]["data-cursor"]
    streamed = [found for found in page.all("div") if "data-streamed" in found]
    assert [found["data-seq"] for found in streamed] == [seq], "what is streamed from here on follows the text"
    assert not page.all("progress")


@pytest.mark.parametrize(
    ("status", "said"), [(None, "Launch the pitch"), ("failed", "The pitch was not made"), ("paused", "is paused")]
)
def test_what_is_next_in_a_young_project(desk: Desk, status: str | None, said: str) -> None:
    story = Story(desk.db, desk.web.settings, "ada", 0, "Young")
    if status == "failed":
        story.fail(story.begin("phase0.generate_packet", ownerClerkId="ada"), "The model is overloaded.")
    elif status == "paused":
        desk.db.execute("update public.projects set status = 'paused' where id = %s", [story.id])
    page = read(desk.ada, f"/projects/{story.id}")
    assert said in page.text
    forms = [form["data-api"] for form in page.all("form") if "data-api" in form]
    assert any(form.endswith("/launch") for form in forms) is (status is None)
    assert any(form.endswith("/retry") for form in forms) is (status == "failed")


def not_begun(story: Story, claim: Claim) -> None:
    """Let the job be claimed as pickup does it, before its run has begun."""
    with story.db.transaction() as conn:
        conn.execute("set local greenlight.transition = 'on'")
        conn.execute("update public.agent_jobs set dagster_run_id = null where id = %s", [claim.job_id])


def test_what_was_claimed_and_has_not_begun_is_being_picked_up(desk: Desk) -> None:
    story = Story(desk.db, desk.web.settings, "ada", 0, "Waking")
    claim = story.begin("phase0.generate_packet", ownerClerkId="ada")
    base = f"/projects/{story.id}"
    paths = (base, f"{base}/phases/0", f"{base}/activity", f"/jobs/{claim.job_id}", "/parts/dashboard/running")
    for path in paths:
        assert "icked up" not in read(desk.ada, path).text, path
    not_begun(story, claim)
    for path in paths:
        assert "being picked up" in read(desk.ada, path).text, path
    assert "Being picked up since" in read(desk.ada, f"/parts{base}/overview").text
    for path in (f"{base}/next", f"{base}/overview", f"{base}/phases/0/state"):
        # Its first line says that it has begun.
        assert re.search(r'data-on="[^"]* log"', desk.ada.get(f"/parts{path}").text)
    _, job = story.ask("Are you there?")
    not_begun(story, story.claim(job))
    assert "is answering" not in read(desk.ada, f"/parts{base}/chat").text


def test_a_phase_without_a_packet_becomes_it(desk: Desk) -> None:
    story = Story(desk.db, desk.web.settings, "ada", 0, "Arriving")
    base = f"/projects/{story.id}/phases"
    page = desk.ada.get(f"{base}/0").text
    assert f'data-live="/parts{base}/0/empty"' in page
    assert "There is no pitch yet" in page
    ahead = desk.ada.get(f"{base}/1").text
    assert f'<a href="{base}/1" aria-current="page">Validate</a>' in ahead
    story.packet(0)
    part = desk.ada.get(f"/parts{base}/0/empty").text
    assert "data-arrived" in part
    assert "There is no pitch yet" not in part
    assert f'href="{base}/1"' not in desk.ada.get(f"/parts/projects/{story.id}/head?active=phase-0").text
    desk.db.execute("update public.projects set phase = 1 where id = %s", [story.id])
    assert f'href="{base}/1"' in desk.ada.get(f"/parts/projects/{story.id}/head?active=phase-0").text


# --- packets


def test_claims_stand_beside_their_passages_and_the_others_are_marked(desk: Desk, story: Story) -> None:
    answer = desk.ada.get(f"/projects/{story.id}/phases/0")
    page = Reader(answer.text)
    numbers = re.findall(r'class="cite-number">(\d+)<', answer.text)
    assert list(dict.fromkeys(numbers)) == ["1", "2", "3", "4"], "numbered as a reader meets them"
    # A competitor, a note, a market figure and a claim rest on nothing; a price is not in the passage.
    assert page.text.count("unsourced") == 5
    assert "Lendly lends power tools to members for €5 a month" in page.text
    assert {"href": "https://figures.test/cities", "rel": "noopener noreferrer nofollow"} in page.all("a")
    assert [meter["value"] for meter in page.all("meter") if meter.get("class") == "score"] == [
        "64", "58", "64", "81", "47",
    ]  # fmt: skip


def test_a_packet_says_where_it_comes_from_and_which_files_it_has(desk: Desk, story: Story) -> None:
    page = read(desk.ada, f"/projects/{story.id}/phases/1")
    assert "This waits for your decision." in page.text
    assert "claude-sonnet-4-5" in page.text
    assert "$0.41" in page.text
    assert "No image model is part of this installation" in page.text
    assert "The model answered with no JSON three times." in page.text
    frames = page.all("iframe")
    assert len(frames) == 2, "the deck and the draft"
    for frame in frames:
        assert frame["sandbox"] == "", "nothing is allowed in it"
        assert "/files/" in frame["src"]
        assert "token=" in frame["src"]
    assert {"#1F4D3A", "#FFC93C"} <= {rect.get("fill") for rect in page.all("rect")}


def test_what_the_sandbox_wrote_says_so(desk: Desk, public: httpx.Client) -> None:
    story = Story(desk.db, desk.web.settings, "ada", 0, "Rehearsal")
    story.packet(0, model="sandbox-2")
    with desk.db.transaction() as conn:
        link = shares.create(conn, story.id, 0, created_by="ada")
    for path in (f"/projects/{story.id}", f"/projects/{story.id}/phases/0"):
        assert "Written by the sandbox model" in read(desk.ada, path).text
    assert "It is not research." in read(public, f"/packet/share/{link.token}").text


def test_versions_are_read_and_compared(desk: Desk, story: Story) -> None:
    base = f"/projects/{story.id}/phases/0"
    old = read(desk.ada, f"{base}?version=1")
    assert "Borrow a drill" in old.text
    assert "You read version 1. Version 2 is newer." in old.text
    assert not old.all("iframe"), "files belong to the newest version"
    changed = desk.ada.get(f"{base}?version=2&against=1").text
    assert "<del>revise</del>" in changed
    assert "<ins>greenlight</ins>" in changed
    assert "2 changes." in changed
    assert "Nothing changed" in read(desk.ada, f"{base}?version=2&against=2").text


@pytest.mark.parametrize("phase", [0, 1, 2, 3])
def test_no_text_of_a_packet_is_anything_but_text(desk: Desk, public: httpx.Client, phase: int) -> None:
    story = Story(desk.db, desk.web.settings, "ada", phase, f"<b>{phase}</b>")
    story.packet(phase)
    story.packet(phase, **poisoned(SAMPLES[phase]()))
    base = f"/projects/{story.id}/phases/{phase}"
    page = read(desk.ada, base)
    harmless(page)
    assert "<script>alert(1)</script>" in page.text
    harmless(read(desk.ada, f"{base}?version=2&against=1"))
    harmless(read(desk.ada, f"/projects/{story.id}"))
    with desk.db.transaction() as conn:
        link = shares.create(conn, story.id, phase, created_by="ada")
    shared = public.get(f"/packet/share/{link.token}")
    harmless(Reader(shared.text))
    assert "javascript:" not in str(Reader(shared.text).all("a"))


def test_a_packet_of_another_client_is_shown_as_it_is_stored(desk: Desk, public: httpx.Client) -> None:
    story = Story(desk.db, desk.web.settings, "ada", 1)
    synopsis = {"confidence": 50}
    story.packet(1, reasoning_synopsis=synopsis, summary="</pre><script>alert(1)</script>")
    page = read(desk.ada, f"/projects/{story.id}/phases/1")
    harmless(page)
    assert "It is shown as it is stored." in page.text
    with desk.db.transaction() as conn:
        link = shares.create(conn, story.id, 1, created_by="ada")
    harmless(Reader(public.get(f"/packet/share/{link.token}").text))


# --- shared


def test_a_shared_packet_is_the_version_that_was_shared_and_for_nobody_else(
    desk: Desk, story: Story, public: httpx.Client
) -> None:
    with desk.db.transaction() as conn:
        link = shares.create(conn, story.id, 0, created_by="ada", version=1)
        plan = shares.create(conn, story.id, 1, created_by="ada")
    answer = public.get(f"/packet/share/{link.token}")
    page = Reader(answer.text)
    assert "Borrow a drill" in page.text
    assert "next door" not in page.text
    assert answer.headers["cache-control"] == "private, no-store"
    assert "noindex" in answer.headers["x-robots-tag"]
    assert {"name": "robots", "content": "noindex, nofollow, noarchive"} in page.all("meta")
    policy = answer.headers["content-security-policy"]
    assert policy.endswith("; sandbox")
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert not page.all("script")
    assert "Could" not in Reader(public.get(f"/packet/share/{plan.token}").text).text
    assert str(story.id) not in answer.text
    for path in (f"/packet/share/{link.token}x", "/packet/share/short"):
        assert "There is nothing under this link." in read(public, path, 404).text
    desk.db.execute("update public.packet_share_links set expires_at = now() where id = %s", [plan.id])
    assert "This link has expired" in read(public, f"/packet/share/{plan.token}", 410).text
    with desk.db.transaction() as conn:
        shares.revoke(conn, story.id, link.id, "ada")
    assert "There is nothing under this link." in read(public, f"/packet/share/{link.token}", 404).text


# --- chat, activity


def test_the_chat_shows_answers_suggestions_and_what_failed(desk: Desk, story: Story) -> None:
    page = read(desk.ada, f"/projects/{story.id}/chat")
    assert {"href": "https://figures.test/tools-2025", "rel": "noopener noreferrer nofollow"} in page.all("a")
    assert "The model refuses this text. Put it differently." in page.text
    forms = [form["data-api"] for form in page.all("form") if "data-api" in form]
    assert [form for form in forms if form.endswith("/retry")]
    assert [form for form in forms if form.endswith("/confirm")]
    assert [form for form in forms if form.endswith("/dismiss")]


def test_an_answer_under_way_is_shown_with_what_was_streamed_and_hostile_words_stay_words(desk: Desk) -> None:
    story = Story(desk.db, desk.web.settings, "ada", 0, HOSTILE.replace("\x00", "")[:80])
    message, job = story.ask(HOSTILE.replace("\x00", ""))
    claim = story.claim(job)
    story.say(claim, "<img src=x onerror=alert(1)> half")
    page = read(desk.ada, f"/projects/{story.id}/chat")
    harmless(page)
    assert "<img src=x onerror=alert(1)> half" in page.text
    streamed = next(found for found in page.all("div") if found.get("data-streamed") == str(job))
    assert streamed["data-seq"] == page.all("body")[0]["data-cursor"]
    assert f"POST /api/jobs/{job}/cancel" in [form.get("data-api") for form in page.all("form")]
    story.tell(claim, NewEvent("log", HOSTILE, {"level": "ERROR", "error": HOSTILE}))
    story.answer(message, claim, HOSTILE.replace("\x00", "") + " https://example.org/a)?")
    for path in (f"/projects/{story.id}/chat", f"/jobs/{job}", f"/projects/{story.id}/activity"):
        harmless(read(desk.ada, path))


def test_earlier_messages_come_page_by_page(desk: Desk) -> None:
    story = Story(desk.db, desk.web.settings, "ada", 0, "Talkative")
    for number in range(60):
        desk.db.execute(
            "insert into public.project_chat_messages (project_id, owner_clerk_id, role, content, created_at)"
            " values (%s, 'ada', 'assistant', %s, now() + make_interval(secs => %s))",
            [story.id, f"message {number:02}", number],
        )
    base = f"/projects/{story.id}/chat"
    page = read(desk.ada, base)
    assert "message 10" in page.text
    assert "message 09" not in page.text
    earlier = next(link["href"] for link in page.all("a") if "data-earlier" in link)
    assert "message 09" in read(desk.ada, earlier).text
    first = urlsplit(earlier).query.removeprefix("before=")
    assert "message 09" in read(desk.ada, f"/parts{base}/earlier?before={first}").text
    part = read(desk.ada, f"/parts{base}?first={first}")
    assert "message 10" in part.text
    assert "message 09" not in part.text


def test_a_job_tells_its_steps_its_calls_and_its_end(desk: Desk, story: Story) -> None:
    claim = story.begin(phase=1)
    story.step(claim, "research", seconds=12.3)
    story.call(claim, "research", 2_500_000)
    story.fail(claim, "The model is overloaded.")
    page = read(desk.ada, f"/jobs/{claim.job_id}")
    for said in ("Research", "12 s", "$2.50", "9,000", "The model is overloaded.", "steps that are finished are kept"):
        assert said in page.text
    assert f"POST /api/jobs/{claim.job_id}/retry" in [form.get("data-api") for form in page.all("form")]
    assert "The model is overloaded." in read(desk.ada, f"/projects/{story.id}/activity").text


def test_a_step_that_had_nothing_to_do_is_not_ticked(desk: Desk) -> None:
    story = Story(desk.db, desk.web.settings, "ada", 3, "Last")
    claim = story.begin(phase=3)
    for name, output in (("generate", {}), ("generate/plan", {}), ("landing", []), ("brand_brief", [])):
        with claim.transaction() as conn:
            claim.save_step(conn, name, output)
    saved = read(desk.ada, f"/jobs/{claim.job_id}")
    assert "1 done" in saved.text, "without the parts of a step"
    assert saved.text.count("not part of this phase") == 2
    for name in ("generate", "landing", "brand_brief"):
        story.step(claim, name, seconds=2)
    told = read(desk.ada, f"/jobs/{claim.job_id}")
    assert "1 done" in told.text
    assert told.text.count("not part of this phase") == 2
    assert "Steps of the run: 1 done" in read(desk.ada, f"/projects/{story.id}").text


def test_an_unfinished_scan_and_a_missing_one_are_told(desk: Desk) -> None:
    job = desk.ada.post("/api/onboarding/scan", json={"domain": "example.org"}).json()["jobId"]
    if job is not None:
        assert "in the queue" in read(desk.ada, f"/parts/onboarding/scan?job={job}").text
    assert "is not there any more" in read(desk.ada, f"/parts/onboarding/scan?job={uuid4()}").text
    assert "Rough preview" in read(desk.ada, "/parts/onboarding/scan?idea_chars=80&strategic=2").text
    refused = read(desk.ada, "/parts/onboarding/scan?domain=%3Cscript%3E")
    assert refused.all("script") == []
    assert "Correct it: with it, the project cannot be created." in refused.text
    assert read(desk.ada, "/projects/new").all("form")


# --- pieces


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("see https://a.example/b.", "https://a.example/b"),
        ("(https://a.example/b_(c))", "https://a.example/b_(c)"),
        ("https://a.example/?q=<b>", "https://a.example/?q="),
        ('https://a.example/"onmouseover=x', "https://a.example/"),
        ("javascript:alert(1)", None),
        ("https://", None),
        ("HTTPS://A.example", "HTTPS://A.example"),
    ],
)
def test_only_web_addresses_become_links(text: str, href: str | None) -> None:
    page = Reader(str(linked(text)))
    assert [link["href"] for link in page.all("a")] == ([] if href is None else [href])
    assert "".join(page.texts) == text


@pytest.mark.parametrize(
    "text", ["javascript:alert(1)", "data:text/html,x", "//host/x", "/x", "https://", "https://a b/", "ftp://a/", "", "http://[x/"]
)  # fmt: skip
def test_what_is_no_web_address(text: str) -> None:
    assert web_address(text) is None


def test_texts_are_compared_word_by_word() -> None:
    pieces = compared("Borrow a drill today", "Borrow the drill today")
    assert "".join(piece.text for piece in pieces if piece.kind != "added") == "Borrow a drill today"
    assert "".join(piece.text for piece in pieces if piece.kind != "removed") == "Borrow the drill today"
    assert [piece.kind for piece in compared("one thing", "something else entirely")] == ["removed", "added"]
    where = differences([Change("landing_page.sections[A. b]", "added", None, "x")])[0].where
    assert where == ["landing page", "sections", "A. b"]


def test_a_passage_that_is_not_what_its_hash_says_carries_nothing() -> None:
    packet = deck_samples.pitch()
    forged = {**deck_samples.LENDLY, "quote": "Lendly is free."}
    packet["reasoning_synopsis"]["evidence"] = [deck_samples.claim("It is free", forged)]
    packet["competitor_analysis"] = []
    view = PacketView.of(0, packet)
    assert view.cited(packet["reasoning_synopsis"]["evidence"][0]) == []
    assert "Lendly is free." not in [source.quote for source in view.sources()]


def test_scripts_are_ours_and_need_no_build(desk: Desk) -> None:
    folder = Path(__file__).resolve().parents[3] / "web" / "static"
    for script in folder.glob("*.js"):
        for imported in re.findall(r'from "([^"]+)"', script.read_text()):
            assert (folder / imported).exists(), f"{script.name} imports {imported}"
