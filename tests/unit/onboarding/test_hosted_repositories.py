"""Which repository an address names is told by its whole host, and never by a piece of it (D42)."""

from __future__ import annotations

import pytest

from studio.errors import InvalidInput
from studio.onboarding.hosts import hosted
from studio.onboarding.request import one_address


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://github.com/acme/anvils", "https://github.com/acme/anvils"),
        (" http://www.GitHub.com/acme/anvils.git ", "https://github.com/acme/anvils"),
        ("github.com/acme/anvils/", "https://github.com/acme/anvils"),
        ("https://github.com/acme/anvils?tab=readme#top", "https://github.com/acme/anvils"),
        ("git@github.com:acme/anvils.git", "https://github.com/acme/anvils"),
        ("https://gitlab.com/acme/tools/anvils", "https://gitlab.com/acme/tools/anvils"),
        ("gitlab.com/acme/anvils.git", "https://gitlab.com/acme/anvils"),
        ("git@gitlab.com:acme/anvils.git", "https://gitlab.com/acme/anvils"),
    ],
)
def test_one_repository_has_one_spelling(text: str, url: str) -> None:
    found = hosted(text)
    assert found is not None
    assert found.url == url
    assert hosted(found.url) == found
    assert one_address(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com.evil.test/acme/anvils",
        "https://evil.test/github.com/acme/anvils",
        "https://evil.test/?u=https://github.com/acme/anvils",
        "https://notgithub.com/acme/anvils",
        "https://gitlab.com.evil.test/acme/anvils",
        "https://github.com@evil.test/acme/anvils",
        "https://me:secret@github.com/acme/anvils",
        "https://github.com:8443/acme/anvils",
        "ssh://git@github.com/acme/anvils",
        "file:///etc/passwd",
        "http://[::1/acme/anvils",
        "",
    ],
)
def test_another_host_is_another_host(text: str) -> None:
    assert hosted(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/",
        "https://github.com/acme",
        "https://github.com/acme/anvils/tree/main",
        "https://github.com/acme/..",
        "https://github.com/acme/an%2fvils",
        "https://gitlab.com/acme",
        "https://gitlab.com/acme/anvils/-/tree/main",
        "https://gitlab.com/acme/../../x",
        "https://gitlab.com/acme/an%2fvils",
        "https://gitlab.com/acme/\x00",
    ],
)
def test_what_names_no_repository_there_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="names no repository"):
        hosted(text)


def test_an_address_elsewhere_must_be_one_of_a_repository() -> None:
    assert one_address("https://git.acme.test/anvils.git") == "https://git.acme.test/anvils.git"
    for text in ("https://me:secret@git.acme.test/anvils", "javascript:alert(1)", "anvils"):
        with pytest.raises(InvalidInput) as caught:
            one_address(text)
        assert "secret" not in str(caught.value)
