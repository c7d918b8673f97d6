"""A GitHub on loopback with one repository, and what speaks to it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.code.remote import Remote, github_remote, named
from studio.settings import Settings
from tests.support.github import TOKEN, GitHub, github

ADDRESS = "https://github.com/acme/shop"
RemoteOf = Callable[..., Remote]


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where git works, so that a test sees what is left there."""
    folder = tmp_path / "places"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[GitHub]:
    """GitHub with the repository acme/shop of two files."""
    folder = tmp_path / "github"
    folder.mkdir()
    with github(folder) as state:
        state.repository("acme/shop", {"README.md": "# Shop\n", "src/shop.py": "PRICE = 1\n"})
        yield state


@pytest.fixture
def settings(hub: GitHub, tmp_path: Path) -> Settings:
    return Settings(GREENLIGHT_GITHUB_URL=hub.url, GREENLIGHT_DATA_DIR=tmp_path / "data", GREENLIGHT_PROVIDER_TIMEOUT=5)


@pytest.fixture
def remote_of(settings: Settings) -> RemoteOf:
    """Make the remote of an address."""

    def make(address: str = ADDRESS, token: str | None = TOKEN) -> Remote:
        return github_remote(settings, named(settings, address), token)

    return make
