"""Where Chromium is on this machine."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from studio.errors import BrowserUnavailable
from studio.settings import Settings

# The one that has no windows first: a page costs it less than half the processor time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REMEDY = (
    "Install it with `apt install chromium-headless-shell` (Debian; else `chromium`) or `playwright install chromium`,"
    " or set GREENLIGHT_BROWSER_PATH to the one that is there."
)
# What Playwright's own download looks like, in the same order.
_DOWNLOADS = (
    "chromium_headless_shell-*/*/chrome-headless-shell",
    "chromium_headless_shell-*/*/headless_shell",
    "chromium-*/*/chrome",
    "chromium-*/*/Chromium.app/Contents/MacOS/Chromium",
    "chromium-*/*/Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing",
)


def find(settings: Settings) -> Path:
    """Return the executable of the Chromium to use: the configured one, the system's, or Playwright's own.

    Raise `BrowserUnavailable` where there is none.
    """
    if settings.browser_path is not None:
        found = shutil.which(settings.browser_path)
        if found is None:
            raise BrowserUnavailable(f"There is no browser at {settings.browser_path}.", REMEDY)
        return Path(found)
    for name in NAMES:
        if found := shutil.which(name):
            return Path(found)
    own = _downloaded()
    if own is None:
        raise BrowserUnavailable("There is no Chromium on this machine.", REMEDY)
    return own


def _downloaded() -> Path | None:
    """Return Playwright's newest download; asking Playwright itself would start its driver, which takes a second."""
    folder = _download_folder()
    for pattern in _DOWNLOADS:
        found = [path for path in folder.glob(pattern) if os.access(path, os.X_OK)]
        if found:
            return max(found, key=_revision)
    return None


def _download_folder() -> Path:
    if named := os.environ.get("PLAYWRIGHT_BROWSERS_PATH"):
        return Path(named)
    caches = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return caches / "ms-playwright"


def _revision(path: Path) -> int:
    found = re.search(r"-([0-9]+)[/\\]", str(path))
    return int(found.group(1)) if found else 0
