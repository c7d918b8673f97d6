"""A project's repository may be anywhere, but is one by its address."""

from __future__ import annotations

from typing import Any

import pytest

from studio import projects
from studio.errors import InvalidInput
from studio.settings import Settings


class _Reached(Exception):
    """The input was accepted: the database is asked."""


class _NoDatabase:
    def execute(self, *_: Any) -> Any:
        raise _Reached


def create(repository: str) -> None:
    projects.create(
        _NoDatabase(),  # type: ignore[arg-type]
        Settings(),
        owner_clerk_id="anna",
        idea="Lend tools",
        repo_url=repository,
    )


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/acme/shop",
        " https://github.com/acme/shop.git\n",
        "http://git.example.org:8080/a/b/c",
        "https://[2001:db8::1]/a",
        "git@github.com:acme/shop.git",
        "git@git.example.org:~anna/shop",
        "ssh://git@git.example.org:2222/acme/shop.git",
        "",
        "  ",
    ],
)
def test_an_address_of_a_repository_is_taken(address: str) -> None:
    with pytest.raises(_Reached):
        create(address)


@pytest.mark.parametrize(
    "address",
    [
        "github.com/acme/shop",
        "acme/shop",
        "my repository",
        "https://github.com/acme/my shop",
        "https://github.com",
        "https://github.com/",
        "https:///acme/shop",
        "https://github.com:port/acme/shop",
        "https://[::1/acme/shop",
        "file:///srv/git/shop",
        "ftp://example.org/acme/shop",
        "javascript:alert(1)",
        "git@github.com:",
        "git@github.com:/",
        "https://github.com\\@evil.example/acme/shop",
    ],
)
def test_what_is_no_address_of_a_repository_is_refused_and_says_how_to_give_one(address: str) -> None:
    with pytest.raises(InvalidInput, match=r"no http\(s\) or ssh address of a repository") as caught:
        create(address)
    assert "https://github.com/owner/name" in caught.value.remedy


@pytest.mark.parametrize("address", ["https://ghp_secret@github.com/a/b", "ssh://git:secret@example.org/a/b"])
def test_credentials_in_an_address_are_refused_without_repeating_them(address: str) -> None:
    with pytest.raises(InvalidInput, match="contains credentials") as caught:
        create(address)
    assert "secret" not in str(caught.value)
