"""Each page of the studio holds together in both themes and at both widths, and axe finds no serious violation in it.

Where `GREENLIGHT_SCREENSHOTS` names a folder, a picture of each stays there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from studio import shares, sign_in
from studio.database.connection import Database
from studio.operations import alerts
from studio.settings import Settings
from tests.support.builders import Made
from tests.support.desk import Scene
from tests.support.postgres import TestServer
from tests.support.story import Story
from tests.support.traced_jobs import OVERLOADED, Fault, Traces, lost, phase0
from tests.support.web import StudioThread, WebThread

# Pictures are for people: nothing is checked in them, and they take half of the time.
SCREENSHOTS = Path(folder) if (folder := os.environ.get("GREENLIGHT_SCREENSHOTS")) else None
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
WIDTHS = {"phone": (390, 844), "desktop": (1440, 900)}
# The rules of axe take half a second each time: each theme and each width once.
AXE_AT = {("light", "phone"), ("dark", "desktop")}
# Violations that keep somebody out. What is moderate (a region without a name) is looked at when it is reported.
SERIOUS = {"serious", "critical"}

PAGES = {
    "dashboard": "/",
    "inbox": "/inbox",
    "inbox-high-risk": "/inbox?risk=high",
    "approval-gate": "/inbox/{gate}",
    "approval-page": "/inbox/{page}",
    "approval-letters": "/inbox/{letters}",
    "approval-ads": "/inbox/{ads}",
    "approval-done": "/inbox/{done}",
    "approval-held": "/inbox/{unknown}",
    "outbox": "/outbox",
    "outbox-mail": "/outbox/{sent}",
    "outbox-effect": "/outbox/{effect}",
    "settings": "/settings",
    "project-settings": "/projects/{bread}/settings",
    "projects": "/projects",
    "new-project": "/projects/new",
    "project": "/projects/{story}",
    "packet-pitch": "/projects/{story}/phases/0",
    "packet-validate": "/projects/{story}/phases/1",
    "packet-distribute": "/projects/{story}/phases/2",
    "packet-go-live": "/projects/{story}/phases/3",
    "packet-diff": "/projects/{story}/phases/0?version=2&against=1",
    "chat": "/projects/{story}/chat",
    "activity": "/projects/{story}/activity",
    "job": "/jobs/{job}",
    "code": "/projects/{story}/code/{generation}",
    "report": "/projects/{story}/reports/{report}",
    "page-check": "/projects/{story}/checks/{check}",
    "builders": "/projects/{story}/builders",
    "operations": "/operations",
    "operations-traces": "/operations/traces",
    "operations-trace": "/traces/{trace}",
    "operations-span": "/traces/{failed_trace}?span={span}",
    "operations-errors": "/operations/errors",
    "operations-error": "/operations/errors/{fingerprint}",
    "operations-time": "/operations/time?since=7d",
    "operations-cost": "/operations/cost?group=model",
    "operations-compare": "/operations/compare?trace={trace}",
    "operations-alerts": "/operations/alerts",
    "not-there": "/inbox/00000000-0000-0000-0000-000000000009",
}
STATUSES = {"not-there": 404, "sign-in-used": 410}
OUTSIDE = {"sign-in": "/sign-in", "sign-in-link": "/sign-in/{token}", "sign-in-used": "/sign-in/used"}
PUBLIC = {"shared-packet": "/packet/share/{share}"}


@dataclass
class Gallery:
    """The studio and its public side, full of rows, and a tab of each kind of visitor."""

    studio: StudioThread
    public: WebThread
    ids: dict[str, Any]
    tabs: dict[str, Page]
    problems: list[str] = field(default_factory=list)

    def show(self, name: str, path: str, *, tab: str = "owner", base: str | None = None) -> list[str]:
        """Look at a page in every form; return what is wrong with it."""
        page = self.tabs[tab]
        self.problems.clear()
        address = (base or self.studio.url) + path.format(**self.ids)
        answer = page.goto(address, wait_until="load")
        assert answer is not None
        assert answer.status == STATUSES.get(name, 200)
        # Frames are loaded when they come into sight.
        page.evaluate(_LOAD_FRAMES)
        # What a script brings after the page: the stream's first word, parts, moments in the reader's words.
        page.wait_for_load_state("load")
        page.wait_for_function(_LOADED)
        wrong = list(self.problems)
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            for width, (across, down) in WIDTHS.items():
                page.set_viewport_size({"width": across, "height": down})
                if (over := page.evaluate("document.documentElement.scrollWidth - innerWidth")) > 0:
                    wrong.append(f"{theme}, {width}: {over} px wider than the screen")
                if SCREENSHOTS:
                    self._picture(page, SCREENSHOTS / f"{name}-{theme}-{width}.png", across)
                    page.set_viewport_size({"width": across, "height": down})
                if (theme, width) in AXE_AT and base is None:
                    wrong += [f"{theme}, {width}: {found}" for found in _violations(page)]
        return wrong

    @staticmethod
    def _picture(page: Page, path: Path, across: int) -> None:
        if page.locator("iframe").count():
            # A browser draws a frame of another origin only where it is in sight.
            page.set_viewport_size({"width": across, "height": page.evaluate("document.documentElement.scrollHeight")})
            page.evaluate("() => new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve, 200)))")
        page.screenshot(path=path, full_page=True)


_LOAD_FRAMES = """() => Promise.all([...document.querySelectorAll('iframe')].map(frame => new Promise(resolve => {
  frame.addEventListener('load', resolve, { once: true });
  frame.loading = 'eager';
  frame.src = frame.src;
})))"""
_LOADED = "() => document.fonts.status === 'loaded' && [...document.images].every(image => image.complete)"


def _violations(page: Page) -> list[str]:
    return [
        f"{found['id']} ({found['help']}): {[node['target'] for node in found['nodes'][:3]]}"
        for found in Axe().run(page).response["violations"]
        if found["impact"] in SERIOUS
    ]


@pytest.fixture(scope="module")
def gallery(
    browser: Browser, postgres: TestServer, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gallery]:
    if SCREENSHOTS:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    folder = tmp_path_factory.mktemp("gallery") / "data"
    with ExitStack() as open_things:
        name = open_things.enter_context(postgres.temporary(database_template))
        database = open_things.enter_context(Database(postgres.url(name)))
        public = WebThread(database, folder)
        studio = StudioThread(database, folder, pages_base_url=public.url)
        # Each knows the other's address, which is known when both have one.
        public.settings.app_base_url = studio.url
        for server in (public, studio):
            open_things.enter_context(server)
        ids = rows(database, studio.settings)
        tabs = {}
        for who in ("owner", "stranger"):
            context = browser.new_context(service_workers="block")
            open_things.callback(context.close)
            tabs[who] = context.new_page()
        gallery = Gallery(studio, public, ids, tabs)
        for page in tabs.values():
            page.on("pageerror", lambda error: gallery.problems.append(f"a script failed: {error}"))
            page.on("console", lambda said: gallery.problems.append(said.text) if _is_trouble(said.text) else None)
        tabs["owner"].goto(f"{studio.url}/sign-in/{sign_in.make_link_token(database, 'ada')}")
        tabs["owner"].get_by_role("button", name="Open").click()
        yield gallery


def _is_trouble(text: str) -> bool:
    return "Content Security Policy" in text or "Uncaught" in text


def rows(database: Database, settings: Settings) -> dict[str, Any]:
    """Fill the studio; return the ids of what is looked at."""
    ids = Scene(database, settings, "ada").everything()
    story = Story(database, settings, "ada", phase=3)
    story.everything()
    story.working()
    with database.transaction() as conn:
        share = shares.create(conn, story.id, 0, created_by="ada")
    job = database.fetch_one(
        "select id from agent_jobs where project_id = %s and status = 'failed' order by created_at limit 1", [story.id]
    )
    assert job is not None
    token = sign_in.make_link_token(database, "ada")
    ids |= traced(database, settings, story.id) | Made(database, settings, story.id).everything()
    ids = {name: getattr(made, "id", made) for name, made in ids.items()}
    return {**ids, "story": story.id, "share": share.token, "job": job["id"], "token": token}


def traced(database: Database, settings: Settings, project: UUID) -> dict[str, Any]:
    """Store traces of a project: good ones, a slow one, one that failed, one that was lost, and one that is open."""
    traces = Traces(database, project)
    for n in range(8):
        traces.store(phase0(slow=1 + 0.04 * n, searches=2), ago=timedelta(hours=5 + 11 * n), payloads=False)
    traces.store(lost(), ago=timedelta(hours=3))
    traces.store(phase0(open_=True), ago=timedelta(seconds=34))
    failed = traces.store(phase0(fault=Fault(), searches=2), ago=timedelta(hours=1))
    span = database.fetch_one("select span_id from pipeline_spans where fingerprint = %s limit 1", [OVERLOADED])
    assert span is not None
    alerts.check(database, settings)
    slow = traces.store(phase0(slow=3.4, retries=2, searches=2), ago=timedelta(minutes=40))
    return {"trace": slow.hex, "failed_trace": failed.hex, "span": span["span_id"], "fingerprint": OVERLOADED}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_for_its_owner(gallery: Gallery, name: str) -> None:
    assert gallery.show(name, PAGES[name]) == []


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_page_for_whoever_has_not_signed_in(gallery: Gallery, name: str) -> None:
    assert gallery.show(name, OUTSIDE[name], tab="stranger") == []


@pytest.mark.parametrize("name", PUBLIC)
def test_a_page_for_the_world(gallery: Gallery, name: str) -> None:
    assert gallery.show(name, PUBLIC[name], tab="stranger", base=gallery.public.url) == []
