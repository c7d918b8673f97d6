"""What `greenlight doctor` says of the programs that builders and checks need: sandbox, git, browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Literal, NamedTuple

from studio.browser import chromium
from studio.code.sandbox import choose, describe
from studio.errors import BrowserUnavailable, NoSandbox
from studio.settings import Settings

State = Literal["ok", "warning", "problem"]

# The first that takes its configuration from the environment (`GIT_CONFIG_COUNT`).
GIT_NEEDED = (2, 31)
GIT_SECONDS = 10.0


class Finding(NamedTuple):
    """One thing that was looked at."""

    what: str
    state: State
    detail: str


def findings(settings: Settings) -> Iterator[Finding]:
    """Yield what is there of them. What is missing takes one kind of job with it, so it is a warning."""
    yield _sandbox(settings)
    yield _git()
    yield _browser(settings)


def _sandbox(settings: Settings) -> Finding:
    try:
        kind = choose(settings)
    except NoSandbox as exc:
        return Finding("sandbox", "warning", f"no code can be generated: {exc}")
    return Finding("sandbox", "warning" if kind == "none" else "ok", describe(settings))


def _git() -> Finding:
    program = shutil.which("git")
    if program is None:
        return Finding("git", "warning", "is not there, so no code can be generated: install it")
    told = subprocess.run(  # noqa: S603 - a fixed command
        [program, "--version"], capture_output=True, text=True, timeout=GIT_SECONDS, check=False
    ).stdout.strip()
    found = re.search(r"(\d+)\.(\d+)", told)
    if found is None or (int(found[1]), int(found[2])) < GIT_NEEDED:
        needed = ".".join(map(str, GIT_NEEDED))
        return Finding("git", "warning", f"{told or 'says nothing'}; {needed} or newer is needed to generate code")
    return Finding("git", "ok", told.removeprefix("git version "))


def _browser(settings: Settings) -> Finding:
    try:
        return Finding("browser", "ok", str(chromium.find(settings)))
    except BrowserUnavailable as exc:
        return Finding("browser", "warning", f"no page is checked and no report becomes a PDF: {exc}")
