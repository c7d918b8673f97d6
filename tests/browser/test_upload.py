"""Files that are chosen or dropped reach the project one after the other; what is not taken says why, and stays."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from uuid import UUID

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from studio.database.connection import Database
from tests.support.postgres import TestServer
from tests.support.story import Story
from tests.support.web import StudioThread

_DROP = """form => {
  const moved = new DataTransfer();
  moved.items.add(new File(["# Prices"], "Prices.md", {type: "text/markdown"}));
  form.dispatchEvent(new DragEvent("drop", {dataTransfer: moved, bubbles: true, cancelable: true}));
}"""


@pytest.fixture(scope="module")
def page(
    browser: Browser, postgres: TestServer, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("studio") / "data"
    with postgres.temporary(database_template) as name, Database(postgres.url(name)) as database:
        web = StudioThread(database, folder)
        with web, contextlib.closing(web.sign_in("ada")) as client:
            project: UUID = Story(database, web.settings, "ada").id
            context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
            context.add_cookies(
                [{"name": name, "value": value, "url": web.url} for name, value in client.cookies.items()]
            )
            page = context.new_page()
            page.goto(f"{web.url}/projects/{project}")
            yield page
            context.close()


def test_files_are_brought_and_one_that_is_refused_says_why(page: Page) -> None:
    files: list[FilePayload] = [
        {"name": "Notes.txt", "mimeType": "text/plain", "buffer": b"Two ferries a day." * 5000},
        {"name": "song.mp3", "mimeType": "audio/mpeg", "buffer": b"ID3"},
    ]
    page.set_input_files("#upload-files", files)
    expect(page.locator("#file-lists")).to_contain_text("Notes.txt")
    expect(page.locator("#file-lists")).to_contain_text("90.0 kB")
    refused = page.locator("[data-upload-list] li")
    expect(refused).to_have_count(1)
    expect(refused).to_contain_text("song.mp3")
    expect(refused.locator(".form-error")).to_contain_text("cannot be uploaded")
    page.evaluate(f"({_DROP})(document.querySelector('form[data-upload]'))")
    expect(page.locator("#file-lists")).to_contain_text("Prices.md")
    refused.get_by_role("button", name="Leave it").click()
    expect(page.locator("[data-upload-list]")).to_be_hidden()
