"""A link's token is genuine, for one purpose and for its time, or refused; without the secret nobody makes one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from studio import links
from studio.errors import LinkRefused, SettingsError
from studio.settings import Settings
from tests.support.web import web_settings


def test_a_token_says_what_it_is_for(tmp_path: Path) -> None:
    settings = web_settings(tmp_path, app_base_url="http://x")
    token = links.sign(settings, links.FILE, "p/a", timedelta(minutes=1))
    assert links.verify(settings, links.FILE, token) == "p/a"
    other = web_settings(tmp_path, link_secret="another secret of the same length")
    for wrong_settings, purpose, wrong in (
        (settings, links.UNSUBSCRIBE, token),
        (settings, links.CONFIRM, token),
        (other, links.FILE, token),
        (settings, links.FILE, token + "A"),
        (settings, links.FILE, token + "="),
        (settings, links.FILE, "A" + token[1:] if token[0] != "A" else "B" + token[1:]),
        (settings, links.FILE, token[: len(token) // 2]),
        (settings, links.FILE, ""),
        (settings, links.FILE, "ü" * 10),
        (settings, links.FILE, "A" * 5000),
    ):
        with pytest.raises(LinkRefused) as refused:
            links.verify(wrong_settings, purpose, wrong)
        assert not refused.value.expired
    old = links.sign(settings, links.FILE, "p/a", timedelta(seconds=-1))
    with pytest.raises(LinkRefused) as refused:
        links.verify(settings, links.FILE, old)
    assert refused.value.expired
    project = uuid4()
    url = links.unsubscribe_url(settings, project, "Ann@Example.org")
    assert links.unsubscriber(settings, url.rpartition("/")[2]) == (project, "ann@example.org")
    with pytest.raises(SettingsError, match="too short"):
        links.sign(web_settings(tmp_path, link_secret="short"), links.FILE, "x")


@pytest.mark.parametrize(
    ("pages", "app", "expected"),
    [
        (None, "http://127.0.0.1:3080/", "http://127.0.0.1:3080"),
        ("https://pages.example.org", "https://app.example.org", "https://pages.example.org"),
        ("https://example.org/studio/", None, "https://example.org/studio"),
    ],
)
def test_pages_live_where_the_settings_say(pages: str | None, app: str | None, expected: str) -> None:
    assert links.base_url(Settings(pages_base_url=pages, app_base_url=app)) == expected


@pytest.mark.parametrize(
    "address", ["example.org", "ftp://example.org", "https://", "https://x?y", "javascript:alert(1)"]
)
def test_an_address_that_is_no_sites_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="GREENLIGHT_PAGES_URL"):
        links.base_url(Settings(app_base_url=address))
