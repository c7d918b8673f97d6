"""A browser behind the guard, on an internet of the tests' own. Where there is none, the tests fail with the remedy."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.browser.session import BrowserSession, browser_session
from studio.settings import Settings
from tests.integration.browser_session import works
from tests.integration.browser_session.internet import Canary, Internet, canary
from tests.support.local_web import LocalWeb, html, local_web

Look = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def web() -> Iterator[LocalWeb]:
    with local_web({"/calm": html("<title>calm</title>")}) as served:
        yield served


@pytest.fixture(scope="module")
def bird() -> Iterator[Canary]:
    with canary() as listening:
        yield listening


@pytest.fixture(scope="module")
def session(web: LocalWeb, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserSession]:
    with browser_session(Settings(), resolve=Internet(web), seconds=170, max_bytes=20_000_000) as running:
        yield running


@pytest.fixture
def look(session: BrowserSession) -> Look:
    def visit(path: str, **task: Any) -> dict[str, Any]:
        url = path if "://" in path else f"http://site.test{path}"
        return session.run(works.look, {"url": url, **task}).result

    return visit


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where sessions of this test put their folders: not among pytest's own, which Chromium's user may not enter."""
    folder = Path(tempfile.mkdtemp(prefix="gl-", dir="/tmp"))
    folder.chmod(0o711)
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield folder
    shutil.rmtree(folder)
