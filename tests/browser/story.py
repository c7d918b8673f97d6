"""A running stack with a real browser in front of it, for the story of a founder."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from greenlight_dagster.cli.sign_in import link_to
from greenlight_dagster.stack import state
from greenlight_dagster.stack.parts import STUDIO_PART
from greenlight_dagster.stack.stack import Stack
from studio.database.connection import Database
from studio.settings import Settings
from tests.support.sandbox import SandboxClient

# What a person would call slow, and no machine is too slow for.
PATIENCE_MS = int(os.environ.get("STORY_MS", "90000"))


class Town(SandboxClient):
    """A stack, its model and its database."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.url = stack.addresses["sandbox"]
        self.studio = stack.addresses["studio"]
        self.db = Database(stack.environment()["DATABASE_URL"], pool_size=2)

    def link(self) -> str:
        """Return a new one-time link."""
        return link_to(Settings.model_validate(self.stack.environment()))

    def kill_studio(self) -> int:
        """Kill the studio's web server; return its process id."""
        pid = state.running_state(self.stack.folder).processes[STUDIO_PART].pid
        os.kill(pid, signal.SIGKILL)
        return pid


@contextmanager
def town() -> Iterator[Town]:
    """Lend a running stack. Not under pytest's own folders: those may be too long for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="greenlight-story-"))
    with pytest.MonkeyPatch.context() as patch:
        for name, field in Settings.model_fields.items():
            patch.delenv(str(field.validation_alias or name), raising=False)
        stack = Stack(folder, Settings(drain_seconds=0), ui_port=0, web_port=0, studio_port=0)
        try:
            with stack:
                town = Town(stack)
                with town.db:
                    yield town
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def watched(browser: Browser, **options: object) -> Iterator[tuple[BrowserContext, Page]]:
    """Lend a page that fails the test where a script of it does, or an answer is an error nobody expected."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, **options)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "response",
        lambda answer: problems.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None,
    )
    try:
        yield context, page
        assert problems == []
    finally:
        context.close()
