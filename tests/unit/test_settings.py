"""Settings come from the environment: what is empty is unset, what cannot be read is named."""

from __future__ import annotations

import pytest

from studio.errors import SettingsError
from studio.settings import Settings, get_settings


@pytest.mark.parametrize(
    "name", ["WORKER_POLL_MS", "DATABASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "APP_BASE_URL"]
)
def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    usual = Settings()
    monkeypatch.setenv(name, "")
    assert Settings() == usual


def test_a_browser_lives_no_longer_than_its_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENLIGHT_BROWSER_SECONDS", "421")
    with pytest.raises(SettingsError, match=r"GREENLIGHT_BROWSER_SECONDS: .* less than or equal to 420"):
        get_settings()


def test_every_variable_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_POLL_MS", "soon")
    monkeypatch.setenv("WORKER_CONCURRENCY", "-1")
    with pytest.raises(SettingsError, match=r"WORKER_CONCURRENCY.*") as caught:
        get_settings()
    assert "WORKER_POLL_MS" in caught.value.message
