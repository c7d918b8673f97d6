"""Which repository an address names: the host is compared as a whole, and nothing else is let into a path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.actions.context import outward
from studio.errors import InvalidInput
from studio.providers.deploy_hook import shown_address
from studio.providers.github import Repository, repository


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/shop",
        "https://github.com/acme/shop/",
        "https://github.com/acme/shop.git",
        "https://GitHub.com/acme/shop",
        "https://www.github.com/acme/shop",
        "git@github.com:acme/shop.git",
    ],
)
def test_a_repository_on_github(url: str) -> None:
    assert repository(url) == Repository("acme", "shop")
    assert repository(url).path == "/repos/acme/shop"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "acme/shop",
        "github.com/acme/shop",
        "http://github.com/acme/shop",
        "https://github.com.evil.example/acme/shop",
        "https://evil.example/github.com/acme/shop",
        "https://evil.example/?u=https://github.com/acme/shop",
        "https://evilgithub.com/acme/shop",
        "https://github.com@evil.example/acme/shop",
        "https://token@github.com/acme/shop",
        "https://github.com:8443/acme/shop",
        "https://gist.github.com/acme/shop",
        "https://github.com/acme",
        "https://github.com/acme/shop/tree/main",
        "https://github.com/acme/..",
        "https://github.com/../user/repos",
        "https://github.com/acme/shop?x=1",
        "https://github.com/acme/shop#readme",
        "https://github.com/acme/sh%2fop",
        "https://github.com/acme/shop\r\nX-Evil: 1",
        "https://github.com/-acme/shop",
        "git@github.com.evil.example:acme/shop.git",
        "git@github.com:acme/../../user",
        "ssh://git@github.com/acme/shop",
        "javascript://github.com/acme/shop",
    ],
)
def test_everything_else_is_none(url: str) -> None:
    with pytest.raises(InvalidInput, match="no repository on GitHub"):
        repository(url)


@given(st.text(max_size=200))
def test_whatever_is_accepted_stays_inside_its_path(url: str) -> None:
    try:
        found = repository(url)
    except InvalidInput:
        return
    assert found.path.count("/") == 3
    assert ".." not in found.path.split("/")


@given(st.text(max_size=300), st.integers(1, 120))
def test_what_leaves_is_one_line_without_markup(text: str, limit: int) -> None:
    out = outward(text, limit)
    assert len(out) <= limit
    assert not set(out) & set("<>`${}\\|\r\n\t\x00\x1b")


def test_a_hook_is_shown_by_its_host() -> None:
    assert shown_address("https://api.vercel.com/v1/integrations/deploy/prj_1/Key42?x=Key43") == (
        "https://api.vercel.com/•••"
    )
