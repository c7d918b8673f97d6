"""Which Chromium is used: the configured one, the system's, Playwright's newest download; else a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.browser.chromium import find
from studio.errors import BrowserUnavailable
from studio.settings import Settings


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on it."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "downloads"))
    return tmp_path


def test_without_any_there_is_a_remedy_with_both_ways() -> None:
    with pytest.raises(BrowserUnavailable, match=r"apt install chromium-headless-shell.*playwright install chromium"):
        find(Settings())


def test_the_systems_comes_before_playwrights_and_the_configured_one_before_both(places: Path) -> None:
    program(places / "downloads/chromium-900/chrome-linux64/chrome")
    newest = program(places / "downloads/chromium-1200/chrome-linux64/chrome")
    assert find(Settings()) == newest
    small = program(places / "downloads/chromium_headless_shell-1200/chrome-linux/headless_shell")
    assert find(Settings()) == small
    system = program(places / "bin/chromium")
    assert find(Settings()) == system
    without_windows = program(places / "bin/chromium-headless-shell")
    assert find(Settings()) == without_windows
    own = program(places / "own/browser")
    assert find(Settings(GREENLIGHT_BROWSER_PATH=str(own))) == own


def test_a_configured_one_that_is_missing_is_not_replaced_by_another(places: Path) -> None:
    program(places / "bin/chromium")
    with pytest.raises(BrowserUnavailable, match="There is no browser at /nowhere/chromium"):
        find(Settings(GREENLIGHT_BROWSER_PATH="/nowhere/chromium"))
